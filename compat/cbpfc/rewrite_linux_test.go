package cbpfc_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cilium/ebpf/asm"
	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/compat/cbpfc"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/kerneltest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// Tools for tracing (pwru, elibpcap and what is built on it) put calls of helper functions in the place of the loads in code that they
// have got, since they have addresses and no pointers. These tests do as they do: bytes go to the top of the stack, r1 to r3 wait
// below while the function is called, r4 and r5 are there from the beginning. r0 is lost.
const (
	readSlot  = -8
	firstSlot = -16 // r1; r2 and r3 follow
	startSlot = -40
	endSlot   = -48
	skbSlot   = -56
)

var tracer = cbpfc.EBPFOpts{
	PacketStart: asm.R4, PacketEnd: asm.R5, Result: asm.R0, ResultLabel: "result", LabelPrefix: "filter",
	Working: [4]asm.Register{asm.R0, asm.R1, asm.R2, asm.R3}, StackOffset: 64,
}

// rewritten replaces loads by what call makes of each.
func rewritten(code asm.Instructions, call func(ins asm.Instruction) asm.Instructions) (all asm.Instructions) {
	for _, ins := range code {
		if ins.OpCode.Class() != asm.LdXClass {
			all = append(all, ins)
			continue
		}
		var block asm.Instructions
		for i := range int16(3) {
			block = append(block, asm.StoreMem(asm.RFP, firstSlot-8*i, asm.R1+asm.Register(i), asm.DWord))
		}
		block = append(block, call(ins)...)
		block = append(block,
			asm.LoadMem(ins.Dst, asm.RFP, readSlot, ins.OpCode.Size()),
			asm.LoadMem(asm.R4, asm.RFP, startSlot, asm.DWord),
			asm.LoadMem(asm.R5, asm.RFP, endSlot, asm.DWord),
		)
		for i := range int16(3) {
			if r := asm.R1 + asm.Register(i); r != ins.Dst {
				block = append(block, asm.LoadMem(r, asm.RFP, firstSlot-8*i, asm.DWord))
			}
		}
		block[0] = block[0].WithSymbol(ins.Symbol())
		all = append(all, block...)
	}
	return all
}

// byProbe reads at an address.
func byProbe(ins asm.Instruction) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, readSlot),
		asm.Mov.Imm(asm.R2, int32(ins.OpCode.Size().Sizeof())),
		asm.Mov.Reg(asm.R3, ins.Src), asm.Add.Imm(asm.R3, int32(ins.Offset)),
		asm.FnProbeReadKernel.Call(),
	}
}

// bySkb reads at the offset that an address has in the packet of a struct __sk_buff, and goes where guards go on a miss.
func bySkb(ins asm.Instruction) asm.Instructions {
	code := asm.Instructions{asm.LoadMem(asm.R1, asm.RFP, skbSlot, asm.DWord)}
	if ins.Src != asm.R2 {
		code = append(code, asm.Mov.Reg(asm.R2, ins.Src))
	}
	return append(code,
		asm.LoadMem(asm.R0, asm.RFP, startSlot, asm.DWord),
		asm.Sub.Reg(asm.R2, asm.R0), asm.Add.Imm(asm.R2, int32(ins.Offset)),
		asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, readSlot),
		asm.Mov.Imm(asm.R4, int32(ins.OpCode.Size().Sizeof())),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, tracer.LabelPrefix+"_nomatch"),
	)
}

// traced puts rewritten code into a program for a hook, which takes the pointers to the packet for numbers.
func traced(t *testing.T, code asm.Instructions, hook kernel.Type) asm.Instructions {
	at := pointers[hook]
	all := asm.Instructions{
		asm.StoreMem(asm.RFP, skbSlot, asm.R1, asm.DWord),
		asm.LoadMem(asm.R2, asm.R1, at[0], asm.Word), asm.StoreMem(asm.RFP, -8, asm.R2, asm.DWord),
		asm.LoadMem(asm.R2, asm.R1, at[1], asm.Word), asm.StoreMem(asm.RFP, -16, asm.R2, asm.DWord),
		asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, -16),
		asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, endSlot), // the end lies in front of the start there, as here
		asm.Mov.Imm(asm.R2, 16),
		asm.FnProbeReadKernel.Call(),
		asm.LoadMem(asm.R4, asm.RFP, startSlot, asm.DWord), asm.LoadMem(asm.R5, asm.RFP, endSlot, asm.DWord),
		asm.Mov.Imm(asm.R1, 0), asm.Mov.Imm(asm.R2, 0), asm.Mov.Imm(asm.R3, 0),
	}
	all = append(all, code...)
	return append(all, asm.Mov.Reg32(asm.R0, asm.R0).WithSymbol(tracer.ResultLabel), asm.Return())
}

// Code whose loads are replaced gives the same verdicts, and the verifier takes it.
func TestRewrittenLoads(t *testing.T) {
	kerneltest.Require(t)
	crafted := difftest.Crafted()
	probes, skbs := 0, 0
	for i, file := range filterFiles(t) {
		if testing.Short() && i%10 != 0 {
			continue
		}
		p := parsed(t, file)
		code, err := cbpfc.ToEBPFRaw(p, tracer)
		var lacks *translate.SnippetError
		if errors.As(err, &lacks) {
			continue
		}
		require.NoError(t, err)
		var packets []cbpf.Packet
		for k := i % 7; k < len(crafted); k += 7 {
			packets = append(packets, cbpf.Packet{Data: crafted[k].Data})
		}
		probes++
		judgeTraced(t, file, p, traced(t, rewritten(code, byProbe), kernel.XDP), kernel.XDP, packets)
		if !readsStack(code) { // which skb_load_bytes cannot
			skbs++
			judgeTraced(t, file, p, traced(t, rewritten(code, bySkb), kernel.TC), kernel.TC, packets)
		}
	}
	t.Logf("%d filters by probe_read_kernel, %d by skb_load_bytes", probes, skbs)
	require.Greater(t, skbs, probes*95/100)
}

func readsStack(code asm.Instructions) bool {
	for _, ins := range code {
		if ins.OpCode.Class() == asm.LdXClass && ins.Src == asm.R10 {
			return true
		}
	}
	return false
}

func judgeTraced(t *testing.T, name string, p cbpf.Program, code asm.Instructions, hook kernel.Type, packets []cbpf.Packet) {
	f, err := kernel.Load(marshal(t, code), kernel.LoadOptions{Type: hook, Licence: "GPL"})
	require.NoError(t, err, "%s as %s", name, hook)
	defer f.Close()
	kerneltest.RequireVerdicts(t, fmt.Sprintf("%s as %s", name, hook), f, p, packets, as)
}
