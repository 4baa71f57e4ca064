package translate_test

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

func extensionLoad(e cbpf.Ext) cbpf.Program {
	return cbpf.Program{{Op: 0x07}, {Op: cbpf.OpLdAbsB, K: cbpf.AdOff + uint32(e)}, {Op: cbpf.OpRetA}}
}

// layouts have a place for every member.
func layouts() (skb ebpf.SkbLayout, xdp ebpf.XDPLayout) {
	for _, l := range []reflect.Value{reflect.ValueOf(&skb).Elem(), reflect.ValueOf(&xdp).Elem()} {
		for i := range l.NumField() {
			l.Field(i).Set(reflect.ValueOf(ebpf.Member{Off: int16(24 * i), Size: 2}))
		}
	}
	for _, pointer := range []*ebpf.Member{&skb.Head, &skb.Data, &skb.Dev, &xdp.Data, &xdp.DataEnd, &xdp.RxQ, &xdp.RxQDev} {
		pointer.Size = 8
	}
	return skb, xdp
}

// forTarget are options with which the target has as many extensions as can be, or as few.
func forTarget(target translate.Target, all bool) translate.Options {
	opts := translate.Options{Target: target}
	skb, xdp := layouts()
	switch {
	case target == translate.Trace && all:
		opts.Trace.Skb = &skb
	case target == translate.Trace:
		opts.Trace.XDP = &xdp
	case all:
		opts.HaType, opts.Tags = 1, target == translate.XDP
	}
	return opts
}

// TestExtensionsByTarget is the list of what each target can express.
func TestExtensionsByTarget(t *testing.T) {
	refused := map[translate.Target][]cbpf.Ext{
		translate.User:      nil,
		translate.Socket:    {cbpf.ExtHaType},
		translate.TC:        nil,
		translate.CGroupSKB: {cbpf.ExtHaType},
		translate.XDP:       {cbpf.ExtPktType, cbpf.ExtMark, cbpf.ExtRxHash},
		translate.Trace:     nil,
	}
	for target, exts := range refused {
		for _, info := range cbpf.Exts {
			r, err := translate.Translate(extensionLoad(info.Ext), forTarget(target, true))
			if !contains(exts, info.Ext) {
				require.NoError(t, err, "%s on %s", info.Name, target)
				requireSound(t, r, info.Name)
				continue
			}
			var unsupported *translate.UnsupportedError
			require.ErrorAs(t, err, &unsupported, "%s on %s", info.Name, target)
			require.Equal(t, 1, unsupported.PC)
			require.Equal(t, info.Ext, unsupported.Ext)
			require.NotEmpty(t, unsupported.Why)
			require.NotEmpty(t, unsupported.Instead)
			require.ErrorContains(t, err, fmt.Sprintf("(001) extension %q cannot be had on target %s: ", info.Name, target))
		}
	}
	for _, target := range []translate.Target{translate.User, translate.TC, translate.XDP} {
		_, err := translate.Translate(extensionLoad(cbpf.ExtHaType), translate.Options{Target: target})
		require.ErrorContains(t, err, "the type of the interface is not known; say it")
	}
	for _, ext := range []cbpf.Ext{cbpf.ExtProto, cbpf.ExtVlanTCI, cbpf.ExtVlanPresent, cbpf.ExtVlanTPID} {
		_, err := translate.Translate(extensionLoad(ext), translate.Options{Target: translate.XDP})
		require.ErrorContains(t, err, "have it parsed: Options.Tags")
	}
}

// TestExtensionSupport holds what is told of extensions against what becomes of them.
func TestExtensionSupport(t *testing.T) {
	ways := map[translate.How]bool{}
	for i := range translate.TargetNames() {
		target := translate.Target(i)
		if target == translate.Seccomp {
			continue
		}
		for _, info := range cbpf.Exts {
			s := translate.ExtensionSupport(target, info.Ext)
			ways[s.How] = true
			name := fmt.Sprintf("%s on %s: %s", info.Name, target, s)
			_, err := translate.Translate(extensionLoad(info.Ext), forTarget(target, true))
			require.Equal(t, s.How == translate.Refused, err != nil, "%s: %v", name, err)
			require.Equal(t, s.How == translate.Refused || s.Needs != "", s.Why != "" && s.Instead != "", name)
			_, err = translate.Translate(extensionLoad(info.Ext), forTarget(target, false))
			var refused *translate.UnsupportedError
			if s.Why == "" {
				require.NoError(t, err, name)
			} else {
				require.ErrorAs(t, err, &refused, name)
				require.Equal(t, s.Why, refused.Why, name)
				require.Equal(t, s.Instead, refused.Instead, name)
			}
		}
	}
	require.Len(t, ways, 7)
	require.Zero(t, translate.ExtensionSupport(translate.Seccomp, cbpf.ExtProto))
	require.Zero(t, translate.ExtensionSupport(99, cbpf.ExtProto))
	require.Zero(t, translate.ExtensionSupport(translate.User, 3))
}

func contains(exts []cbpf.Ext, e cbpf.Ext) bool {
	for _, one := range exts {
		if one == e {
			return true
		}
	}
	return false
}

func TestRefusesWhatTheKernelRefuses(t *testing.T) {
	p := cbpf.Program{{Op: 0x34}, {Op: 0xff}}
	_, err := translate.Translate(p, translate.Options{})
	require.Equal(t, cbpf.Validate(p), err)
	require.ErrorIs(t, err, cbpf.ReasonDivisionByZero)
	_, err = translate.Translate(nil, translate.Options{})
	require.ErrorIs(t, err, cbpf.ReasonEmpty)
}

func TestUnknownTarget(t *testing.T) {
	_, err := translate.Translate(cbpf.Program{{Op: cbpf.OpRetK}}, translate.Options{Target: 99})
	require.ErrorContains(t, err, "unknown target 99; the targets are user, socket, seccomp, tc, cgroup-skb, xdp, trace")
	_, err = translate.ParseTarget("xpd")
	require.ErrorContains(t, err, `unknown target "xpd"; the targets are user, socket, seccomp, tc, cgroup-skb, xdp, trace`)
	for _, name := range translate.TargetNames() {
		target, err := translate.ParseTarget(name)
		require.NoError(t, err)
		require.Equal(t, name, target.String())
	}
}

// TestUnusedFieldsDoNotMatter fills the fields that instructions ignore with garbage: nothing of it may come through.
func TestUnusedFieldsDoNotMatter(t *testing.T) {
	clean := cbpf.Program{{Op: 0x80}, {Op: 0x07}, {Op: 0x0c}, {Op: 0x84}, {Op: 0x3c}, {Op: 0x02, K: 3}, {Op: 0x05}, {Op: 0x16}}
	dirty := append(cbpf.Program(nil), clean...)
	for i := range dirty {
		dirty[i].Jt, dirty[i].Jf = 7, 9
		if info := cbpf.Info(dirty[i].Op); info.Form != cbpf.FormMem && info.Form != cbpf.FormJump {
			dirty[i].K = 0xdeadbeef
		}
	}
	for _, target := range []translate.Target{translate.User, translate.Socket} {
		want, err := translate.Translate(clean, translate.Options{Target: target})
		require.NoError(t, err)
		got, err := translate.Translate(dirty, translate.Options{Target: target})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// farJump is a jump over as many instructions as fit, of the kind given, between two ways to return.
func farJump(filler bpf.RawInstruction) cbpf.Program {
	p := cbpf.Program{{Op: cbpf.OpLdAbsB}, {Op: cbpf.OpJeqK, K: 1, Jt: 0, Jf: 1}, {Op: cbpf.OpJa, K: cbpf.MaxInsns - 4}}
	for len(p) < cbpf.MaxInsns-2 {
		p = append(p, filler)
	}
	return append(p, bpf.RawInstruction{Op: cbpf.OpRetK, K: 2}, bpf.RawInstruction{Op: cbpf.OpRetK, K: 3})
}

// TestFarJumps translates jumps that outgrow the 16 bits of their field.
func TestFarJumps(t *testing.T) {
	p := farJump(bpf.RawInstruction{Op: 0x50, K: 1}) // ldb [x + 1]
	r, err := translate.Translate(p, translate.Options{})
	require.NoError(t, err)
	require.Greater(t, len(r.Program), math.MaxInt16)
	requireSound(t, r, "far jump")
	long := 0
	for _, ins := range r.Program {
		if ins.Op == ebpf.OpJumpLong {
			long++
		}
	}
	require.NotZero(t, long)
	for _, c := range []struct {
		data []byte
		want uint64
	}{{[]byte{1, 0}, 3}, {[]byte{0, 0}, 2}, {[]byte{0}, 0}, {nil, 0}} {
		got, err := ebpf.Run(r.Program, ebpf.User, &ebpf.Packet{Data: c.data})
		require.NoError(t, err)
		require.Equal(t, c.want, got, "packet %x", c.data)
	}
	for _, ins := range []bpf.RawInstruction{{Op: cbpf.OpLdxMSH}, {Op: 0x3c}, {Op: 0x48, K: 7}} {
		r, err := translate.Translate(farJump(ins), translate.Options{Target: translate.Socket})
		require.NoError(t, err)
		require.Less(t, len(r.Program), math.MaxInt16, "socket programs never need long jumps")
	}
}

func TestMapAndStats(t *testing.T) {
	p := cbpf.Program{{Op: cbpf.OpLdAbsH, K: 12}, {Op: cbpf.OpJa, K: 1}, {Op: cbpf.OpRetK, K: 1}, {Op: 0x02, K: 2}, {Op: cbpf.OpRetA}}
	r, err := translate.Translate(p, translate.Options{})
	require.NoError(t, err)
	require.Equal(t, translate.Stats{Classic: 5, Dead: 1, Slots: len(r.Program), Stack: 12}, r.Stats)
	require.Equal(t, []int{translate.NoPC, translate.NoPC, 0, 0, 0, 3, 4, translate.NoPC, translate.NoPC}, r.PCs)
	require.Empty(t, r.Licence)
}

func BenchmarkTranslate(b *testing.B) {
	for _, n := range []int{16, 64, 256, 1024, 4096} {
		var p cbpf.Program
		for len(p) < n-2 {
			p = append(p, bpf.RawInstruction{Op: 0x48, K: uint32(len(p))}, bpf.RawInstruction{Op: cbpf.OpJeqK, K: 80, Jt: 0, Jf: 1})
		}
		p = append(p, bpf.RawInstruction{Op: cbpf.OpRetK, K: 1}, bpf.RawInstruction{Op: cbpf.OpRetK})
		for _, target := range []translate.Target{translate.User, translate.Socket} {
			b.Run(fmt.Sprintf("%s/%d", target, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := translate.Translate(p, translate.Options{Target: target}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/insn")
			})
		}
	}
}
