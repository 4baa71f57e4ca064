package difftest

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// programFrom reads a program out of anything: text in some notation, otherwise 8 bytes an instruction.
func programFrom(b []byte) cbpf.Program {
	if p, err := cbpf.Parse(b); err == nil {
		return p
	}
	var p cbpf.Program
	for ; len(b) >= 8; b = b[8:] {
		p = append(p, bpf.RawInstruction{Op: binary.LittleEndian.Uint16(b), Jt: b[2], Jf: b[3], K: binary.LittleEndian.Uint32(b[4:])})
	}
	return p
}

// bytesOf is what programFrom reads p back from.
func bytesOf(p cbpf.Program) (b []byte) {
	for _, ins := range p {
		b = binary.LittleEndian.AppendUint16(b, ins.Op)
		b = binary.LittleEndian.AppendUint32(append(b, ins.Jt, ins.Jf), ins.K)
	}
	return b
}

// FuzzPipeline takes whatever bytes are a program the whole way, and a packet through what comes out of it.
//
// What the kernel refuses, Translate refuses for the same reasons. Everything else the checker accepts, with every access
// proved, and all engines that need no kernel give it one verdict.
func FuzzPipeline(f *testing.F) {
	engines, err := EnginesByName([]string{"interp", "interp-O1", "interp-O2", "interp-socket", "jit", "jit-O2"})
	require.NoError(f, err)
	addSeeds(f)
	f.Fuzz(func(t *testing.T, program, data []byte, notCaptured, protocol uint16, tag uint32) {
		if len(data) > maxCapture {
			return
		}
		p := programFrom(program)
		pkt := cbpf.Packet{Data: data, WireLen: uint32(len(data)) + uint32(notCaptured), Meta: MetaFor(LinkEthernet, data)}
		pkt.Meta.Protocol, pkt.Meta.VlanTCI, pkt.Meta.VlanTPID = protocol, uint16(tag), uint16(tag>>16)
		pkt.Meta.VlanPresent = tag != 0

		refusal := cbpf.Validate(p)
		for _, target := range []translate.Target{translate.User, translate.Socket} {
			requireTranslation(t, p, target, refusal)
		}
		if refusal != nil {
			return
		}
		j := newJudge(p, engines, LinkEthernet)
		defer j.close()
		if outcomes := j.run(&pkt); differs(outcomes) {
			var b strings.Builder
			describeRun(&b, p, &pkt, outcomes)
			t.Fatal(b.String())
		}
	})
}

// requireTranslation demands a sound program for the target, or the refusal, or that the target lacks an extension.
func requireTranslation(t *testing.T, p cbpf.Program, target translate.Target, refusal error) {
	r, err := translate.Translate(p, LinkEthernet.Options(target))
	var unsupported *translate.UnsupportedError
	switch {
	case refusal != nil:
		require.Equal(t, refusal, err, "%s", target)
	case errors.As(err, &unsupported):
		e, ok := cbpf.Extension(p[unsupported.PC].K)
		require.True(t, ok && e == unsupported.Ext, "%v", err)
	default:
		require.NoError(t, err, "%s", target)
		listing := ebpf.Print(r.Program, ebpf.LLVM)
		facts, err := ebpf.Check(r.Program, target.ABI())
		require.NoError(t, err, "%s:\n%s", target, listing)
		pc, some := facts.Unproved()
		require.False(t, some, "%s: the access at %d is not proved:\n%s", target, pc, listing)
	}
}

// addSeeds gives the fuzzer filters, the same and others as bytes, and packets that go deep into each.
func addSeeds(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 7))
	add := func(program []byte) {
		var pkt cbpf.Packet
		if p := programFrom(program); cbpf.Validate(p) == nil {
			pkt = GenPacket(r, p)
		}
		f.Add(program, pkt.Data, uint16(pkt.WireLen)-uint16(len(pkt.Data)), uint16(0x0800), uint32(r.IntN(2)*0x81000064))
	}
	files, err := filepath.Glob("../testdata/filters/*.[dx]*")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		add(text)
	}
	for i := range 60 {
		opts := GenOptions{MaxLen: 1 + r.IntN(40), Windows: i%2 == 0}
		if i%3 == 0 {
			opts.Exts = userExts
		}
		add(bytesOf(GenProgram(r, opts)))
	}
	for _, bad := range []string{"", "1,6 0 0 0,", "2,5 0 0 4294967295,6 0 0 0", "1,52 0 0 0", "2,48 0 0 4294963252,6 0 0 1"} {
		add([]byte(bad))
	}
}
