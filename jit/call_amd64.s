//go:build linux

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

// func callOne(code uintptr, data *byte, caplen, wirelen uint32, skb *ebpf.SkBuff) uint64
//
// Where registers of programs live: regs.go. The code uses no stack.
TEXT ·callOne(SB), NOSPLIT, $0-40
	NO_LOCAL_POINTERS
	MOVQ code+0(FP), AX
	MOVQ data+8(FP), DI
	MOVL caplen+16(FP), SI
	MOVL wirelen+20(FP), DX
	MOVQ skb+24(FP), R8
	CALL AX
	MOVQ AX, ret+32(FP)
	RET

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
