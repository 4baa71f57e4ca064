package cbpfc_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/compat/cbpfc"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// consumers are the options that programs in the wild give.
var consumers = map[string]cbpfc.EBPFOpts{
	"xdpcap": {
		PacketStart: asm.R0, PacketEnd: asm.R1, Result: asm.R2, ResultLabel: "result",
		Working: [4]asm.Register{asm.R2, asm.R3, asm.R4, asm.R5}, LabelPrefix: "filter",
	},
	"pwru": {
		PacketStart: asm.R4, PacketEnd: asm.R5, Result: asm.R0, ResultLabel: "result_l2",
		Working: [4]asm.Register{asm.R0, asm.R1, asm.R2, asm.R3}, LabelPrefix: "filter_l2", StackOffset: 56,
	},
	"high registers": {
		PacketStart: asm.R2, PacketEnd: asm.R3, Result: asm.R9, ResultLabel: "out",
		Working: [4]asm.Register{asm.R9, asm.R4, asm.R8, asm.R5}, LabelPrefix: "f_3", StackOffset: 12,
	},
}

// withExts are programs that two pointers to a packet serve.
func withExts(n int) difftest.GenOptions {
	return difftest.GenOptions{MaxLen: n, Exts: []cbpf.Ext{cbpf.ExtXorX}}
}

// sized are options for the program of a seed: now and then it is so long that it has to forget what the verifier knows.
func sized(seed uint64, most int) difftest.GenOptions {
	if seed%200 == 0 {
		most = cbpf.MaxInsns
	}
	return withExts(most)
}

// TestContract holds the code to what its users rely on.
func TestContract(t *testing.T) {
	noMatches := 0
	for seed := range uint64(3000) {
		p := difftest.GenProgram(rand.New(rand.NewPCG(seed, 1)), sized(seed, 60))
		for name, opts := range consumers {
			code, err := cbpfc.ToEBPFRaw(p, opts)
			require.NoError(t, err)
			again, err := cbpfc.ToEBPFRaw(p, opts)
			require.NoError(t, err)
			require.Equal(t, code, again, name)
			noMatches += contract(t, code, opts)
		}
	}
	require.Positive(t, noMatches)
	require.Less(t, noMatches, 9000)
}

// contract returns 1 if the code has an end for packets that do not match.
func contract(t *testing.T, code asm.Instructions, opts cbpfc.EBPFOpts) (noMatch int) {
	symbols, references := map[string]int{}, map[string]int{}
	for pc, ins := range code {
		if s := ins.Symbol(); s != "" {
			require.NotContains(t, symbols, s)
			symbols[s] = pc
		}
		if r := ins.Reference(); r != "" {
			references[r]++
		}
	}
	require.NotContains(t, symbols, opts.ResultLabel)
	require.Positive(t, references[opts.ResultLabel])
	require.Equal(t, 0, symbols[opts.LabelPrefix+"_block_0"])
	require.Zero(t, references[opts.LabelPrefix+"_block_0"], "something jumps to the first instruction")
	require.Empty(t, code[0].Reference(), "the first instruction may lose what it refers to")
	for r := range references {
		require.True(t, r == opts.ResultLabel || symbols[r] > 0, "%s", r)
	}
	for s := range symbols {
		n, err := fmt.Sscanf(s, opts.LabelPrefix+"_block_%d", new(int))
		require.True(t, n == 1 && err == nil || s == opts.LabelPrefix+"_nomatch", "%s", s)
	}
	_, there := symbols[opts.LabelPrefix+"_nomatch"]
	require.Equal(t, references[opts.LabelPrefix+"_nomatch"] > 0, there)
	lead := true
	for pc := range code {
		require.True(t, !lead || code[pc].Symbol() != "", "a block begins at %d without a symbol", pc)
		lead = instruction(t, &code[pc], opts)
	}
	require.True(t, lead, "control leaves by the last instruction")
	require.Equal(t, asm.Ja, code[len(code)-1].OpCode.JumpOp())
	if there {
		return 1
	}
	return 0
}

// instruction holds one instruction to what it may do, and reports whether it jumps.
func instruction(t *testing.T, ins *asm.Instruction, opts cbpfc.EBPFOpts) (jumps bool) {
	class := ins.OpCode.Class()
	written := class.IsALU() || class == asm.LdXClass
	if written {
		require.Contains(t, append(opts.Working[:], opts.Result), ins.Dst, "%v", ins)
	}
	if class == asm.StXClass || class == asm.LdXClass && ins.Src == asm.R10 {
		base := map[bool]asm.Register{true: ins.Dst, false: ins.Src}[class == asm.StXClass]
		require.Equal(t, asm.R10, base)
		size := ins.OpCode.Size().Sizeof()
		below := -int(ins.Offset) - opts.StackOffset
		require.True(t, int(ins.Offset)%size == 0 && below >= size && below <= 64, "%v", ins)
		return false
	}
	require.NotEqual(t, asm.R10, ins.Src)
	if !class.IsJump() {
		return false
	}
	require.NotContains(t, []asm.JumpOp{asm.Call, asm.Exit}, ins.OpCode.JumpOp())
	require.NotEmpty(t, ins.Reference())
	return true
}

// around puts code into a program: it is entered with the first byte in r1 and the length in r2, and returns the result.
func around(t *testing.T, code asm.Instructions, opts cbpfc.EBPFOpts) ebpf.Program {
	const start, size = asm.R6, asm.R7
	all := asm.Instructions{
		asm.Mov.Reg(start, asm.R1),
		asm.Mov.Reg(size, asm.R2),
		asm.Mov.Reg(opts.PacketStart, start),
		asm.Mov.Reg(opts.PacketEnd, start),
		asm.Add.Reg(opts.PacketEnd, size),
	}
	all = append(all, code...)
	all = append(all, asm.Mov.Reg(asm.R0, opts.Result).WithSymbol(opts.ResultLabel), asm.Return())
	return marshal(t, all)
}

func marshal(t testing.TB, code asm.Instructions) ebpf.Program {
	var b bytes.Buffer
	require.NoError(t, code.Marshal(&b, binary.LittleEndian))
	p, err := ebpf.Decode(b.Bytes(), binary.LittleEndian)
	require.NoError(t, err)
	return p
}

// as is the packet as code between two pointers sees it.
func as(pkt cbpf.Packet) cbpf.Packet {
	return cbpf.Packet{Data: pkt.Data, WireLen: uint32(len(pkt.Data)), Meta: cbpf.Meta{NoLink: true, NetOff: -1}}
}

func TestVerdicts(t *testing.T) {
	total, matches := 0, 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 2))
		p := difftest.GenProgram(r, sized(seed, 80))
		for name, opts := range consumers {
			code, err := cbpfc.ToEBPFRaw(p, opts)
			require.NoError(t, err)
			x := around(t, code, opts)
			for range 4 {
				pkt := as(difftest.GenPacket(r, p))
				want, err := cbpf.Run(p, &pkt)
				require.NoError(t, err)
				got, err := ebpf.Run(x, ebpf.User, &ebpf.Packet{Data: pkt.Data, WireLen: pkt.WireLen})
				require.NoError(t, err, "%s\n%s", name, x)
				require.Equal(t, uint64(want), got, "%s, seed %d, packet %x\n%s", name, seed, pkt.Data, x)
				total++
				if want != 0 {
					matches++
				}
			}
		}
	}
	t.Logf("%d verdicts, %d matches", total, matches)
	require.Greater(t, matches, total/20)
}

// ipProto is a filter as x/net writes it.
var ipProto = []bpf.Instruction{
	bpf.LoadAbsolute{Off: 12, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0x800, SkipTrue: 1},
	bpf.RetConstant{Val: 262144},
	bpf.RetConstant{Val: 0},
}

func TestToEBPF(t *testing.T) {
	code, err := cbpfc.ToEBPF(ipProto, consumers["xdpcap"])
	require.NoError(t, err)
	raw, err := bpf.Assemble(ipProto)
	require.NoError(t, err)
	same, err := cbpfc.ToEBPFRaw(raw, consumers["xdpcap"])
	require.NoError(t, err)
	require.Equal(t, same, code)
}

func TestRefusals(t *testing.T) {
	good := consumers["pwru"]
	change := func(f func(*cbpfc.EBPFOpts)) cbpfc.EBPFOpts {
		opts := good
		f(&opts)
		return opts
	}
	ret := bpf.RetConstant{}
	for _, c := range []struct {
		filter []bpf.Instruction
		opts   cbpfc.EBPFOpts
		want   string
	}{
		{nil, good, string(cbpf.ReasonEmpty)},
		{[]bpf.Instruction{bpf.RetA{}, nil}, good, "instruction 1 is nil"},
		{[]bpf.Instruction{bpf.RawInstruction{Op: 6}}, good, "instruction 0 is a bpf.RawInstruction: ToEBPFRaw and ToCRaw are for those"},
		{[]bpf.Instruction{bpf.LoadAbsolute{Size: 3}, ret}, good, "instruction 0"},
		{[]bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtRand}, ret}, good, `(000) extension "random" cannot be had in a snippet`},
		{[]bpf.Instruction{bpf.LoadAbsolute{Off: 0xfff00000, Size: 1}, ret}, good, "(000) a load through the NET window cannot be had in a snippet"},
		{[]bpf.Instruction{bpf.LoadMemShift{Off: 0xffe00000}, ret}, good, "(000) a load through the LL window cannot be had in a snippet"},
		{[]bpf.Instruction{bpf.ALUOpConstant{Op: bpf.ALUOpDiv}, ret}, good, string(cbpf.ReasonDivisionByZero)},
		{[]bpf.Instruction{bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 32}, ret}, good, string(cbpf.ReasonShiftTooFar)},
		{[]bpf.Instruction{bpf.LoadScratch{Dst: bpf.RegA, N: 2}, ret}, good, string(cbpf.ReasonUnsetWord)},
		{[]bpf.Instruction{bpf.Jump{Skip: 1}, ret}, good, string(cbpf.ReasonJumpOutside)},
		{ipProto, change(func(o *cbpfc.EBPFOpts) { o.PacketStart = asm.R10 }), "PacketStart is r10; r9 is the last"},
		{ipProto, change(func(o *cbpfc.EBPFOpts) { o.Result = asm.R10 }), "Result is r10"},
		{ipProto, change(func(o *cbpfc.EBPFOpts) { o.Working[3] = asm.R4 }), "r4 is used twice, as PacketStart and as Working[3]"},
		{ipProto, change(func(o *cbpfc.EBPFOpts) { o.StackOffset = 55 }), "StackOffset is 55, it must be a multiple of 4"},
		{ipProto, change(func(o *cbpfc.EBPFOpts) { o.StackOffset = -56 }), "StackOffset is -56"},
		{[]bpf.Instruction{bpf.StoreScratch{Src: bpf.RegA}, ret}, change(func(o *cbpfc.EBPFOpts) { o.StackOffset = 54 }), "StackOffset is 54"},
	} {
		_, err := cbpfc.ToEBPF(c.filter, c.opts)
		require.ErrorContains(t, err, c.want)
	}
	_, err := cbpfc.ToEBPF(ipProto, change(func(o *cbpfc.EBPFOpts) { o.StackOffset = 54 }))
	require.NoError(t, err, "without scratch memory an even offset will do")
	var lacks *translate.SnippetError
	_, err = cbpfc.ToEBPF([]bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtMark}, ret}, good)
	require.ErrorAs(t, err, &lacks)
	require.Equal(t, 0, lacks.PC)
}

// What x/net takes for `ld #pktlen` is what it is as a raw instruction.
func TestLdxLen(t *testing.T) {
	opts := consumers["xdpcap"]
	p := cbpf.Program{{Op: 0x00, K: 1}, {Op: 0x81}, {Op: 0x0c}, {Op: cbpf.OpRetA}}
	code, err := cbpfc.ToEBPFRaw(p, opts)
	require.NoError(t, err)
	got, err := ebpf.Run(around(t, code, opts), ebpf.User, &ebpf.Packet{Data: make([]byte, 60)})
	require.NoError(t, err)
	require.EqualValues(t, 61, got)
}

// The first working register is not in use over any load: whoever calls a helper function there instead destroys nothing.
// Addresses to load from are in registers that the arguments of the helper function do not need yet when they read them.
func TestFirstRegisterOverLoads(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 3))
		p := difftest.GenProgram(r, sized(seed, 60))
		opts := consumers["pwru"]
		first := opts.Working[0]
		code, err := cbpfc.ToEBPFRaw(p, opts)
		require.NoError(t, err)
		var destroyed asm.Instructions
		destroy := func() { destroyed = append(destroyed, asm.LoadImm(first, 0x5afe5afe5afe5afe, asm.DWord)) }
		for _, ins := range code {
			if ins.OpCode.Class() != asm.LdXClass {
				destroyed = append(destroyed, ins)
				continue
			}
			require.Contains(t, []asm.Register{opts.PacketStart, first, opts.Working[3], asm.R10}, ins.Src, "%v", ins)
			if ins.Src != first {
				name := ins.Symbol()
				destroy()
				last := len(destroyed) - 1
				destroyed[last], ins = destroyed[last].WithSymbol(name), ins.WithSymbol("")
			}
			if destroyed = append(destroyed, ins); ins.Dst != first {
				destroy()
			}
		}
		x := around(t, destroyed, opts)
		for range 4 {
			pkt := as(difftest.GenPacket(r, p))
			want, err := cbpf.Run(p, &pkt)
			require.NoError(t, err)
			got, err := ebpf.Run(x, ebpf.User, &ebpf.Packet{Data: pkt.Data})
			require.NoError(t, err)
			require.Equal(t, uint64(want), got)
		}
	}
}

func TestToC(t *testing.T) {
	text, err := cbpfc.ToC(ipProto, cbpfc.COpts{FunctionName: "only_ip"})
	require.NoError(t, err)
	require.Contains(t, text, "CBPF_INLINE uint32_t only_ip(const uint8_t *data, const uint8_t *data_end)")
	text, err = cbpfc.ToC(ipProto, cbpfc.COpts{FunctionName: "only_ip", NoInline: true})
	require.NoError(t, err)
	require.Contains(t, text, "\nstatic __attribute__((unused)) uint32_t only_ip(")
	for _, name := range []string{"", "a b", "1a"} {
		_, err = cbpfc.ToC(ipProto, cbpfc.COpts{FunctionName: name})
		require.Error(t, err)
	}
	_, err = cbpfc.ToC([]bpf.Instruction{bpf.RawInstruction{Op: 6}}, cbpfc.COpts{FunctionName: "f"})
	require.ErrorContains(t, err, "instruction 0 is a bpf.RawInstruction")
	require.False(t, strings.Contains(text, "uint64_t"), "the source around it does not declare that")
}
