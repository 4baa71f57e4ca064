package cbpf

import (
	"math"

	"golang.org/x/net/bpf"
)

// DefaultOptmemMax is the usual value of net.core.optmem_max: the memory in bytes that a socket may have for its filter
// and other extras. Kernels before 6.8 have 20480.
const DefaultOptmemMax = 131072

// progHeader is the size of struct bpf_prog in front of the instructions, in Linux 6.18 on x86-64.
const progHeader = 96

// SocketMemory returns how many bytes of net.core.optmem_max SO_ATTACH_FILTER charges for a valid program: the size of what
// Linux 6.18 makes of it, in extended instructions. It must be less than the socket has.
func SocketMemory(p Program) int { return progHeader + 8*Converted(p) }

// Converted returns how many extended instructions Linux 6.18 makes of a valid program that is attached as it is.
func Converted(p Program) int { return convertedStarts(p)[len(p)] }

// convertedStarts returns at which extended instruction each classic one begins in what bpf_convert_filter
// (net/core/filter.c, Linux 6.18) makes of a program, and at the end the number of them all.
func convertedStarts(p Program) []int {
	starts := make([]int, 0, len(p)+1)
	at := 3 // A = 0, X = 0, keep the context
	for _, ins := range p {
		if row := Info(ins.Op); row != nil && loadsBytes(ins, row) {
			at += 4 // keep where the packet is, and how long it is in one piece
			break
		}
	}
	for _, ins := range p {
		starts = append(starts, at)
		if row := Info(ins.Op); row != nil {
			at += convertedLen(ins, row)
		}
	}
	return append(starts, at)
}

// loadsBytes reports whether an instruction loads packet bytes, and no extension.
func loadsBytes(ins bpf.RawInstruction, row *OpInfo) bool {
	_, isExt := Extension(ins.K)
	return row.Size != 0 && !(row.Form == FormAbs && isExt)
}

// convertedLen returns the number of extended instructions that one classic one becomes.
func convertedLen(ins bpf.RawInstruction, row *OpInfo) int {
	switch row.Form {
	case FormAbs:
		if ext, ok := Extension(ins.K); ok {
			return convertedExt(ext)
		}
		return convertedLoad(ins.K, row.Size)
	case FormInd:
		return convertedSlow + oneUnless0(ins.K)
	case FormMSH: // A is put aside, the byte is masked and shifted, and A and X change places
		return 6 + convertedLoad(ins.K, row.Size)
	case FormX:
		if row.Fn == Div || row.Fn == Mod { // the test for 0
			return 5
		}
	case FormCondK, FormCondX:
		before, both := convertedJump(ins, row)
		if both {
			return before + 2
		}
		return before + 1
	case FormRetK:
		return 2
	}
	return 1
}

// convertedSlow is the length of a call that loads from anywhere.
const convertedSlow = 8

// convertedLoad returns the length of a load from a fixed offset: the quick way, and the slow one behind it. Negative
// offsets have the slow one only.
func convertedLoad(k uint32, size int) int {
	if k > math.MaxInt32 {
		return convertedSlow
	}
	n := 4 + convertedSlow + oneUnless0(k)
	if k > math.MaxInt16 { // the address is computed first
		n += 2
	}
	if size > 1 { // the order of the bytes
		n++
	}
	return n
}

func oneUnless0(k uint32) int {
	if k == 0 {
		return 0
	}
	return 1
}

// convertedExt returns the length of an extension.
func convertedExt(ext Ext) int {
	switch ext {
	case ExtMark, ExtQueue, ExtRxHash, ExtVlanTCI, ExtXorX:
		return 1
	case ExtProto, ExtPktType, ExtVlanTPID:
		return 2
	case ExtVlanPresent:
		return 3
	}
	return 4 // the test for an interface, or a call with three arguments
}

// convertedJump returns how many instructions come before the jump of a comparison, and whether it takes both a jump and
// a ja behind it.
func convertedJump(ins bpf.RawInstruction, row *OpInfo) (before int, both bool) {
	if row.Form == FormCondK && ins.K >= 1<<31 { // no immediate can be as great
		before = 1
	}
	return before, ins.Jf != 0 && (ins.Jt != 0 || row.Fn == Set)
}

// jumpsTooFar reports whether a ja of the converted program does not fit into its sixteen bits. Comparisons always do, for
// 255 classic instructions never become as many. starts is what convertedStarts returned.
func jumpsTooFar(starts []int, pc int, ins bpf.RawInstruction, row *OpInfo) bool {
	target := uint64(pc) + 1 + uint64(ins.K)
	return row.Form == FormJump && target < uint64(len(starts)) && starts[target]-starts[pc]-1 > math.MaxInt16
}
