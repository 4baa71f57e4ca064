package jit

import "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"

// Where the registers of the extended machine live. RSP and RBP belong to Go and are never written. r10 is no register
// but a place: RSP plus frameTop.
//
//	RCX  scratch, and the count of shifts      R11  descriptor of the packet at hand
//	R10  where its verdict goes                R12  the block of arguments
var x86 = [...]reg{
	ebpf.R0: rax,
	ebpf.R1: rdi, ebpf.R2: rsi, ebpf.R3: rdx, ebpf.R4: r8, ebpf.R5: r9,
	ebpf.R6: rbx, ebpf.R7: r13, ebpf.R8: r14, ebpf.R9: r15,
}

const (
	regTmp  = rcx
	regOut  = r10
	regDesc = r11
	regArgs = r12
)

// The frame that the trampoline reserves, as generated code sees it: the return address lies at RSP, then two words in
// which divisions keep RAX and RDX, and at its upper end the stack of the program.
const (
	frameSize = 640
	frameTop  = 8 + frameSize
	keepRAX   = 8
	keepRDX   = 16
)

// The block of arguments, which Go fills in and generated code works on (type args).
const (
	argBuf     = 0   // first byte of the buffer
	argBufLen  = 8   // its length
	argDescs   = 16  // first descriptor
	argCount   = 24  // how many there are
	argOut     = 32  // where the verdicts go
	argSkb     = 40  // SkBuff of the packet at hand
	argSkbStep = 48  // from one packet's to the next
	argSeed    = 56  // state of the random numbers
	argDescEnd = 64  // scratch: one past the last descriptor
	argFault   = 72  // out: 0, or 1 plus the pc of the access that failed; badDesc for a descriptor
	argAt      = 80  // out: bytes from the first descriptor to the one at hand then
	argAsk     = 88  // from the first descriptor to the one whose packet is asked for next; then scratch
	argAskLast = 96  // to the last one at which a step of that can begin; then scratch
	argStop    = 104 // scratch: the descriptor at which the loop over packets is left to ask, or for good
)

// An ebpf.Packet, as runSingle finds it.
const (
	packetData    = 0
	packetLen     = 8
	packetWireLen = 24
	packetSkb     = 32
)

// Where Go looks for the results of runSingle, seen from the code that it jumps to: behind the return address and two arguments.
const (
	resultR0  = 24
	resultErr = 32
)

// badDesc is the fault of a descriptor that leaves the buffer.
const badDesc = -1

// A descriptor (type Desc).
const (
	descOff     = 0
	descCapLen  = 4
	descWireLen = 8
	descSize    = 12
)
