//go:build linux

#include "go_asm.h"
#include "textflag.h"
#include "funcdata.h"

// func callCode(code uintptr, a *args) uint64
//
// Not NOSPLIT: the assembler puts the check for stack space in front, so that the frame is really there. Generated code
// uses [RSP+8, RSP+8+640) of it, seen from behind the CALL: frameSize in regs.go.
TEXT ·callCode(SB), 0, $640-24
	NO_LOCAL_POINTERS
	MOVQ code+0(FP), AX
	MOVQ a+8(FP), DI
	CALL AX
	MOVQ AX, ret+16(FP)
	RET

// func runSingle(f *Func, pkt *ebpf.Packet) (r0 uint64, err error)
//
// Run of a single body that uses no stack, in as few steps as possible; all else is for runGeneral, which finds the same
// arguments and returns to the same caller. Where registers of programs live: regs.go.
TEXT ·runSingle(SB), NOSPLIT|NOFRAME, $0-40
	MOVQ f+0(FP), AX
	MOVQ pkt+8(FP), CX
	MOVQ (Func_single+single_quick)(AX), BX
	TESTQ BX, BX
	JZ other
	TESTQ CX, CX
	JZ other
	MOVQ const_packetLen(CX), SI
	MOVQ SI, DX
	SUBQ singleBody_least(BX), DX
	CMPQ DX, singleBody_room(BX)
	JHI other
	CMPB singleBody_skb(BX), $0
	JNE properties
enter:
	MOVQ const_packetData(CX), DI
	MOVL const_packetWireLen(CX), DX
	JMP singleBody_entry(BX)
properties:
	MOVQ const_packetSkb(CX), R8
	TESTQ R8, R8
	JNZ enter
other:
	JMP ·runGeneral(SB)

// func callOneFramed(code uintptr, data *byte, caplen, wirelen uint32, skb *ebpf.SkBuff) uint64
//
// The same with the frame of callCode.
TEXT ·callOneFramed(SB), 0, $640-40
	NO_LOCAL_POINTERS
	MOVQ code+0(FP), AX
	MOVQ data+8(FP), DI
	MOVL caplen+16(FP), SI
	MOVL wirelen+20(FP), DX
	MOVQ skb+24(FP), R8
	CALL AX
	MOVQ AX, ret+32(FP)
	RET

// func callVector(code uintptr, a *args)
//
// The same for a vector body: vectorFrameSize in vec_alloc.go.
TEXT ·callVector(SB), 0, $2560-16
	NO_LOCAL_POINTERS
	MOVQ code+0(FP), AX
	MOVQ a+8(FP), DI
	CALL AX
	RET

// func vendor() (b, d, c uint32)
//
// CPUID, leaf 0: the vendor's name in the order of its letters (Intel SDM volume 2, CPUID).
TEXT ·vendor(SB), NOSPLIT, $0-12
	XORL AX, AX
	CPUID
	MOVL BX, b+0(FP)
	MOVL DX, d+4(FP)
	MOVL CX, c+8(FP)
	RET
