package ebpf_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
)

// requireHooks skips a test where the kernel cannot be asked; with CBPF2EBPF_REQUIRE_KERNEL=1 it fails there.
func requireHooks(t *testing.T) {
	t.Helper()
	switch err := kernel.Available(); {
	case err == nil:
	case os.Getenv("CBPF2EBPF_REQUIRE_KERNEL") == "1":
		t.Fatalf("CBPF2EBPF_REQUIRE_KERNEL=1, but: %v", err)
	default:
		t.Skipf("skipped: kernel tests need a kernel that can be asked: %v", err)
	}
}

// verify asks the kernel's verifier; the reason of a refusal is its last words.
func verify(t *testing.T, p Program, kind kernel.Type) (accepted bool, log string) {
	t.Helper()
	f, err := kernel.Load(p, kernel.LoadOptions{Type: kind, Licence: "GPL"})
	var refused *kernel.VerifierError
	if errors.As(err, &refused) {
		return false, refused.Error()
	}
	require.NoError(t, err, "%s", p)
	require.NoError(t, f.Close())
	return true, ""
}

// The verifier accepts the programs of packetProofs whose accesses are proved, and refuses the others.
func TestPacketProofsAreTheVerifiers(t *testing.T) {
	requireHooks(t)
	for _, c := range packetProofs {
		if c.want == isLost {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			accepted, log := verify(t, c.p, kernel.TC)
			require.Equal(t, c.want == isProved, accepted, "%s\n%s", c.p, log)
		})
	}
}

// It knows the eight spellings of a comparison, and what each of them says.
func TestSpellingsAreTheVerifiers(t *testing.T) {
	requireHooks(t)
	for _, s := range spellings {
		for at := int16(11); at < 15; at++ {
			p := guarded(s.cmp, s.taken, 14, at, 2)
			accepted, log := verify(t, p, kernel.TC)
			require.Equal(t, at+2 <= 14+s.more, accepted, "%s\n%s", p, log)
		}
		wrong := guarded(s.cmp, !s.taken, 14, 0, 1)
		accepted, _ := verify(t, wrong, kernel.TC)
		require.False(t, accepted, "%s", wrong)
	}
}

// ranHooks are the program types whose test-runs the ABIs describe.
var ranHooks = []struct {
	abi  ABI
	kind kernel.Type
}{
	{TC, kernel.TC}, {CGroupSKB, kernel.CgroupIngress}, {XDP, kernel.XDP}, {XDP, kernel.XDPFrags},
}

// hookPacket is a packet that is seen at a hook as programs there find it, with no more than the first bytes linear.
func hookPacket(view cbpf.Packet, linear int) *Packet {
	m := view.Meta
	return &Packet{
		Data: view.Data, WireLen: view.WireLen, Linear: linear, Head: m.Head, NetOff: m.NetOff,
		Skb: &SkBuff{Len: view.WireLen, Mark: m.Mark, PktType: uint32(m.PktType), IfIndex: m.IfIndex,
			Protocol: uint32(m.Protocol>>8 | m.Protocol<<8)},
		XDP: &XDPBuff{IngressIfIndex: m.IfIndex, RxQueueIndex: uint32(m.Queue)},
	}
}

// hookData are random packets of many lengths that the type can be run on.
func hookData(r *rand.Rand, kind kernel.Type) (all []cbpf.Packet) {
	for n := 14; n < 100; n += 1 + r.IntN(12) {
		if kind == kernel.CgroupIngress && n < 28 {
			n -= 14 // there is no header that they must have
		}
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		if kind != kernel.CgroupIngress {
			binary.BigEndian.PutUint16(data[12:], 0x88b5)
		}
		all = append(all, cbpf.Packet{Data: data, Meta: cbpf.Meta{Mark: uint32(r.IntN(64))}})
		if kind == kernel.CgroupIngress && n < 14 {
			n += 14
		}
	}
	return all
}

// Random programs: what Check proves the verifier accepts, and what that accepts yields the same in both machines.
func TestHooksAgreeWithKernel(t *testing.T) {
	requireHooks(t)
	n := 600
	if testing.Short() {
		n = 60
	}
	for _, h := range ranHooks {
		t.Run(h.kind.String(), func(t *testing.T) {
			proved, accepted, runs, results := 0, 0, 0, map[uint32]bool{}
			for seed := range uint64(n) {
				p := hookProgram(h.abi, seed, 2+int(seed%14))
				good, facts := provedAll(p, h.abi)
				if good {
					proved++
				}
				f, err := kernel.Load(p, kernel.LoadOptions{Type: h.kind, Licence: "GPL"})
				var refused *kernel.VerifierError
				if errors.As(err, &refused) {
					require.False(t, good, "seed %d is proved, but %v\n%s", seed, err, p)
					continue
				}
				require.NoError(t, err)
				accepted++
				r := rand.New(rand.NewPCG(seed, 3))
				for _, pkt := range hookData(r, h.kind) {
					got, ours := runHook(t, f, &pkt, p, h.abi, r)
					require.Equal(t, got, ours, "seed %d: kernel %#x, we %#x, packet %x\n%s", seed, got, ours, pkt.Data, p)
					require.False(t, good && uint64(got) > facts.Result)
					runs++
					results[got] = true
				}
				require.NoError(t, f.Close())
			}
			t.Logf("of %d programs %d are proved and %d accepted; %d runs with %d results", n, proved, accepted, runs, len(results))
			require.Greater(t, proved, accepted/2)
			require.Greater(t, accepted, n/4)
		})
	}
}

// provedAll reports whether Check accepts the program and proves all of its accesses.
func provedAll(p Program, abi ABI) (bool, *Facts) {
	facts, err := Check(p, abi)
	if err != nil {
		return false, nil
	}
	_, some := facts.Unproved()
	return !some, facts
}

// runHook runs the program in the kernel and here.
func runHook(t *testing.T, f *kernel.Filter, pkt *cbpf.Packet, p Program, abi ABI, r *rand.Rand) (theirs, ours uint32) {
	run, linear := f.RunPacket, 0
	if f.Type() == kernel.XDPFrags {
		linear = 14 + r.IntN(len(pkt.Data)-13)
		run = func(pkt *cbpf.Packet) (uint32, error) { return f.RunSplit(pkt, linear) }
	}
	theirs, err := run(pkt)
	require.NoError(t, err)
	r0, err := Run(p, abi, hookPacket(f.View(pkt), linear))
	require.NoError(t, err, "%d bytes, %d linear\n%s", len(pkt.Data), linear, p)
	return theirs, uint32(r0)
}

// The kernel says the same of the vectors, as far as it takes their programs and has test-runs of them.
func TestHookVectorsAgreeWithKernel(t *testing.T) {
	requireHooks(t)
	ran := 0
	eachHookVector(t, func(t *testing.T, abi ABI, v vector, p Program) {
		kind := map[ABI]kernel.Type{TC: kernel.TC, CGroupSKB: kernel.CgroupIngress, XDP: kernel.XDP, Trace: kernel.RawTracepoint}[abi]
		_, paged := v.sections["linear"]
		if paged && abi == XDP {
			kind = kernel.XDPFrags
		}
		f, err := kernel.Load(p, kernel.LoadOptions{Type: kind, Licence: "GPL"})
		if check := v.sections["check"]; check != "" {
			var refused *kernel.VerifierError
			unwritten := strings.Contains(check, "stack") // root may read what others left there
			require.True(t, unwritten || errors.As(err, &refused), "%v", err)
			if err == nil {
				require.NoError(t, f.Close())
			}
			return
		}
		require.NoError(t, err, "%s", p)
		defer f.Close()
		pkt := &cbpf.Packet{Data: v.hex(t, "packet")}
		var got uint32
		switch {
		case !kind.Runs() || paged && abi != XDP:
			return
		case v.sections["meta"] != "":
			got, err = runWithMeta(t, p, v.hex(t, "meta"), pkt.Data)
		case paged:
			got, err = f.RunSplit(pkt, int(number(t, v.sections["linear"])))
		default:
			got, err = f.RunPacket(pkt)
		}
		require.NoError(t, err)
		require.Equal(t, uint32(number(t, v.sections["result"])), got)
		ran++
	})
	require.Greater(t, ran, 12)
}

// runWithMeta runs a program for XDP on a packet with metadata in front of it.
func runWithMeta(t *testing.T, p Program, meta, data []byte) (uint32, error) {
	prog, err := loadAs(p, cilium.XDP, 0)
	require.NoError(t, err)
	defer prog.Close()
	ctx := make([]byte, XDPSize) // data counts from the metadata
	host().PutUint32(ctx[XDPData:], uint32(len(meta)))
	host().PutUint32(ctx[XDPDataEnd:], uint32(len(meta)+len(data)))
	return prog.Run(&cilium.RunOptions{Data: slices.Concat(meta, data), Context: ctx})
}

// Check lets programs load those fields of the context that the verifier lets them load, but for pointers that it does not
// know.
func TestContextFieldsAreTheVerifiers(t *testing.T) {
	requireHooks(t)
	const sk = 168
	for _, c := range []struct {
		abi  ABI
		kind kernel.Type
		size int
	}{
		{Socket, kernel.SocketFilter, SkbSize}, {TC, kernel.TC, SkbSize}, {CGroupSKB, kernel.CgroupIngress, SkbSize},
		{XDP, kernel.XDP, XDPSize},
	} {
		t.Run(c.abi.String(), func(t *testing.T) {
			allowed := 0
			for _, size := range []int{1, 2, 4, 8} {
				for off := 0; off < c.size; off += size {
					if c.abi != XDP && off == sk && size == 8 {
						continue
					}
					p := Program{Load(size, R0, R1, int16(off)), Mov.Imm(R0, 0), Return()}
					accepted, log := verify(t, p, c.kind)
					_, err := Check(p, c.abi)
					require.Equal(t, accepted, err == nil, "%d bytes at %d: %v, the verifier: %s", size, off, err, log)
					if accepted {
						allowed++
					}
				}
			}
			t.Logf("%d loads are allowed", allowed)
		})
	}
	for _, size := range []int{2, 4, 8} { // not aligned
		p := Program{Load(size, R0, R1, 1), Mov.Imm(R0, 0), Return()}
		accepted, _ := verify(t, p, kernel.SocketFilter)
		_, err := Check(p, Socket)
		require.False(t, accepted)
		require.ErrorIs(t, err, ReasonContextField)
	}
}

// callsOf are calls of each function of the table, with arguments that it takes.
var callsOf = map[int32]Program{
	HelperPrandomU32:           {},
	HelperProcessorID:          {},
	HelperGetHashRecalc:        {},
	HelperXDPBuffLen:           {},
	HelperSkbPullData:          {Mov.Imm(R2, 20)},
	HelperSkbLoadBytes:         {Mov.Imm(R2, 0), Mov.Reg(R3, R10), Add.Imm(R3, -8), Mov.Imm(R4, 8)},
	HelperSkbLoadBytesRelative: {Mov.Imm(R2, 0), Mov.Reg(R3, R10), Add.Imm(R3, -8), Mov.Imm(R4, 8), Mov.Imm(R5, 1)},
	HelperXDPLoadBytes:         {Mov.Imm(R2, 0), Mov.Reg(R3, R10), Add.Imm(R3, -8), Mov.Imm(R4, 8)},
	HelperProbeRead:            {Mov.Reg(R1, R10), Add.Imm(R1, -8), Mov.Imm(R2, 8), Mov.Imm(R3, 0)},
	HelperProbeReadKernel:      {Mov.Reg(R1, R10), Add.Imm(R1, -8), Mov.Imm(R2, 8), Mov.Imm(R3, 0)},
}

// Check lets programs call what the verifier lets them call, and knows which functions want a licence.
func TestHelpersAreTheVerifiers(t *testing.T) {
	requireHooks(t)
	kinds := map[ABI]kernel.Type{
		Socket: kernel.SocketFilter, TC: kernel.TC, CGroupSKB: kernel.CgroupIngress, XDP: kernel.XDP, Trace: kernel.RawTracepoint,
	}
	for abi, kind := range kinds {
		for id, args := range callsOf {
			p := slices.Concat(args, Program{CallHelper(id), Mov.Imm(R0, 0), Return()})
			accepted, log := verify(t, p, kind)
			facts, err := Check(p, abi)
			require.Equal(t, accepted, err == nil, "%s from %s: %v, the verifier: %s", HelperName(id), abi, err, log)
			if !accepted {
				continue
			}
			require.Equal(t, NeedsGPL(id), facts.GPL)
			f, err := kernel.Load(p, kernel.LoadOptions{Type: kind, Licence: "Proprietary"})
			require.Equal(t, NeedsGPL(id), err != nil, "%s: %v", HelperName(id), err)
			if err == nil {
				require.NoError(t, f.Close())
			}
		}
	}
}
