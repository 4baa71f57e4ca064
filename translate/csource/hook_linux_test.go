package csource_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/kerneltest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate/csource"
)

// compileBPF makes an object of C, for a version of the machine that compilers know: v1 has no 32-bit comparisons.
func compileBPF(t testing.TB, text, version string) string {
	file := filepath.Join(t.TempDir(), "filter.o")
	args := append([]string{"-O2", "--target=bpf", "-mcpu=" + version, "-x", "c", "-c", "-", "-o", file}, strict...)
	clang := exec.Command("clang", args...)
	clang.Stdin = strings.NewReader(text)
	out, err := clang.CombinedOutput()
	require.NoError(t, err, "%s\n%s", out, text)
	return file
}

// linked is the program of an object, with the functions that it calls.
func linked(t testing.TB, file string) ebpf.Program {
	spec, err := cilium.LoadCollectionSpec(file)
	require.NoError(t, err)
	var code bytes.Buffer
	require.NoError(t, spec.Programs["filter"].Instructions.Marshal(&code, spec.ByteOrder))
	p, err := ebpf.Decode(code.Bytes(), spec.ByteOrder)
	require.NoError(t, err)
	return p
}

// hookForms are the forms for hooks, and what they are loaded as.
var hookForms = map[csource.Form]kernel.Type{
	csource.Socket: kernel.SocketFilter, csource.TC: kernel.TC, csource.CgroupSkb: kernel.CgroupIngress,
	csource.XDP: kernel.XDP, csource.XDPFrags: kernel.XDPFrags,
}

// returned is what a program of the form returns for a verdict.
func returned(form csource.Form, verdict uint32) uint32 {
	of := map[csource.Form][2]uint32{csource.TC: {2, 0}, csource.CgroupSkb: {0, 1}, csource.XDP: {1, 2}, csource.XDPFrags: {1, 2}}
	actions, ok := of[form]
	switch {
	case !ok:
		return verdict
	case verdict == 0:
		return actions[0]
	}
	return actions[1]
}

// judge compiles a program for a hook, loads it and holds it against the reference on packets. It reports whether the form has
// all that the program asks for.
func judge(t *testing.T, form csource.Form, j *job, packets []cbpf.Packet) (fits bool) {
	text, err := csource.Translate(j.program, csource.Options{Form: form, Windows: true, NetOff: 14, Licence: "GPL"})
	var lacks *csource.Error
	if errors.As(err, &lacks) {
		return false
	}
	require.NoError(t, err)
	version := fmt.Sprintf("v%d", 1+len(j.program)%3)
	f, err := kernel.Load(linked(t, compileBPF(t, text, version)), kernel.LoadOptions{Type: hookForms[form]})
	require.NoError(t, err, "%s for %s, %s\n%s", j.name, form, version, text)
	defer f.Close()
	for i := range packets {
		pkt := &packets[i]
		seen := f.View(pkt)
		want, err := cbpf.Run(j.program, &seen)
		require.NoError(t, err)
		got, err := f.RunPacket(pkt)
		var long *kernel.TooLongError
		var short *kernel.TooShortError
		if errors.As(err, &long) || errors.As(err, &short) {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, returned(form, want), got, "%s for %s: packet %x\n%s", j.name, form, pkt.Data, text)
	}
	return true
}

// The verifier takes each small filter compiled for XDP, and the verdicts are right.
func TestXDPOnFilters(t *testing.T) {
	compiler(t, "clang")
	kerneltest.Require(t)
	r := rand.New(rand.NewPCG(5, 5))
	crafted := difftest.Crafted()
	fits, total := 0, 0
	for i, j := range programs(t) {
		if len(j.program) > 150 || testing.Short() && i%10 != 0 {
			continue
		}
		var packets []cbpf.Packet
		for range 20 {
			packets = append(packets, difftest.GenPacket(r, j.program))
		}
		for k := i % 11; k < len(crafted); k += 11 {
			packets = append(packets, cbpf.Packet{Data: crafted[k].Data})
		}
		total++
		if judge(t, csource.XDP, &j, packets) {
			fits++
		}
	}
	t.Logf("%d of %d filters can be had under XDP", fits, total)
	require.Greater(t, fits, total*3/4)
}

// The same for every hook, on random programs with extensions.
func TestHooksOnRandomPrograms(t *testing.T) {
	compiler(t, "clang")
	kerneltest.Require(t)
	exts := []cbpf.Ext{cbpf.ExtProto, cbpf.ExtPktType, cbpf.ExtIfIndex, cbpf.ExtMark, cbpf.ExtQueue, cbpf.ExtRxHash, cbpf.ExtXorX,
		cbpf.ExtVlanTCI, cbpf.ExtVlanPresent, cbpf.ExtVlanTPID}
	for form := range hookForms {
		opts := difftest.GenOptions{MaxLen: 40, Windows: true, Exts: exts}
		if form == csource.XDP || form == csource.XDPFrags {
			opts.Exts = []cbpf.Ext{cbpf.ExtIfIndex, cbpf.ExtXorX}
		}
		jobs := randomJobs(t, inScale(24), opts, func(*cbpf.Packet) {})
		for i := range jobs {
			require.True(t, judge(t, form, &jobs[i], jobs[i].packets), "%s for %s", jobs[i].name, form)
		}
	}
}

// Sums that wrap make places in the packet too.
func TestWrappingIndex(t *testing.T) {
	compiler(t, "clang")
	kerneltest.Require(t)
	data := append([]byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfa}, make([]byte, 20)...)
	data[6+20], data[7+20] = 0xde, 0xad
	for i, k := range []uint32{1<<31 + 27, 1<<29 + 5, 1<<31 - 1, 0} {
		p := cbpf.Program{{Op: cbpf.OpLdAbsW, K: 0}, {Op: 0x07}, {Op: 0x48, K: k}, {Op: cbpf.OpRetA}}
		for filler := range 3 { // one for each version of the machine
			filled := append(make(cbpf.Program, filler), p...)
			for form := range hookForms {
				require.True(t, judge(t, form, &job{name: fmt.Sprint(i), program: filled}, []cbpf.Packet{{Data: data}}))
			}
		}
	}
}

// What is not in the first piece of a packet is fetched.
func TestFragments(t *testing.T) {
	compiler(t, "clang")
	kerneltest.Require(t)
	p, err := cbpf.Parse([]byte("ldh [40]\njeq #0x1122, more, no\nmore: ldxb 4*([42]&0xf)\nld [x + 5000]\njeq #0x33445566, yes, no\nyes: ld #pktlen\nret a\nno: ret #0\n"))
	require.NoError(t, err)
	text, err := csource.Translate(p, csource.Options{Form: csource.XDPFrags, Match: 3, NoMatch: 4})
	require.NoError(t, err)
	f, err := kernel.Load(linked(t, compileBPF(t, text, "v3")), kernel.LoadOptions{Type: kernel.XDPFrags})
	require.NoError(t, err)
	defer f.Close()
	data := make([]byte, 6000)
	binary.BigEndian.PutUint16(data[40:], 0x1122)
	data[42] = 5
	binary.BigEndian.PutUint32(data[5020:], 0x33445566)
	for _, linear := range []int{14, 40, 41, 42, 43, 1000} {
		got, err := f.RunSplit(&cbpf.Packet{Data: data}, linear)
		require.NoError(t, err)
		require.Equal(t, uint32(3), got, "%d", linear)
		got, err = f.RunSplit(&cbpf.Packet{Data: data[:5023]}, linear)
		require.NoError(t, err)
		require.Equal(t, uint32(4), got, "%d", linear)
	}
}
