package cbpf

import (
	"fmt"
	"math"

	"golang.org/x/net/bpf"
)

// What Warnings warns of. The first ones are treated alike by some engines only, the others bite on Linux too.
const (
	ReasonWarnShift       Reason = "shift by X, which may be 32 or more"
	ReasonWarnIndex       Reason = "X + k may be negative, or wrap"
	ReasonWarnWindow      Reason = "load through the LL or NET window"
	ReasonWarnExtension   Reason = "extension of Linux"
	ReasonWarnLen         Reason = "the length is that on the wire"
	ReasonWarnLdxLen      Reason = "length loaded into X"
	ReasonWarnNeg         Reason = "negation"
	ReasonWarnReturn      Reason = "verdict that is negative as a signed number"
	ReasonWarnNoOffset    Reason = "load that always ends the program"
	ReasonWarnUnreachable Reason = "unreachable code"
	ReasonWarnFarJump     Reason = "jump too far once converted"
	ReasonWarnMemory      Reason = "too long once converted"
)

// Warning is something about a program that is allowed and may not be meant: where, what, and what to do about it.
type Warning struct {
	PC     int    // index of the instruction, from 0; -1 for the program as a whole
	Reason Reason // one of the ReasonWarn constants
	Advice string // what happens where, and what to write instead
}

// String says it all on one line.
func (w Warning) String() string {
	return (&Error{Reason: w.Reason, PC: w.PC, Detail: w.Advice}).Error()
}

// Warnings returns what is worth a warning in a program for packets, in order of pc; what is about the program as a whole
// comes last. The program need not be valid: what Validate refuses is not repeated here.
func Warnings(p Program) []Warning {
	w := warner{prog: p, seen: rangesOf(p), starts: convertedStarts(p)}
	for pc, ins := range p {
		row := Info(ins.Op)
		switch {
		case w.seen[pc] == nil:
			w.unreachable(pc)
		case row != nil:
			w.check(pc, ins, row)
		}
		if row != nil && jumpsTooFar(w.starts, pc, ins, row) {
			w.warn(pc, ReasonWarnFarJump, "Linux makes more than %d instructions of what it skips, and refuses the program; "+
				"go there in two jumps", math.MaxInt16)
		}
	}
	if size := SocketMemory(p); size >= DefaultOptmemMax {
		w.warn(-1, ReasonWarnMemory, "Linux makes %d instructions of it, %d bytes, and net.core.optmem_max must be more; the default is %d",
			w.starts[len(p)], size, DefaultOptmemMax)
	}
	return w.list
}

// warner collects warnings.
type warner struct {
	prog   Program
	seen   []*ranges // by pc; nil where nothing gets
	starts []int     // by pc, as convertedStarts has it
	list   []Warning
}

func (w *warner) warn(pc int, r Reason, format string, args ...any) {
	w.list = append(w.list, Warning{PC: pc, Reason: r, Advice: fmt.Sprintf(format, args...)})
}

// unreachable warns at the first of several unreachable instructions.
func (w *warner) unreachable(pc int) {
	if pc > 0 && w.seen[pc-1] == nil {
		return
	}
	last := pc
	for last+1 < len(w.prog) && w.seen[last+1] == nil {
		last++
	}
	w.warn(pc, ReasonWarnUnreachable, "nothing gets to the instructions %d to %d; the kernel checks and charges them all the same",
		pc, last)
}

// check warns of one instruction that can be reached.
func (w *warner) check(pc int, ins bpf.RawInstruction, row *OpInfo) {
	x := w.seen[pc].x
	switch row.Form {
	case FormAbs, FormMSH:
		w.checkOffset(pc, ins, row)
	case FormInd:
		if uint64(x.hi)+uint64(ins.K) >= 1<<31 {
			w.warn(pc, ReasonWarnIndex, "Linux wraps at 32 bits, so that a negative k reaches before X, and the windows can be reached; "+
				"libpcap and x/net end with verdict 0")
		}
	case FormLen:
		w.checkLen(pc, row)
	case FormX:
		if (row.Fn == Lsh || row.Fn == Rsh) && x.hi >= 32 {
			w.warn(pc, ReasonWarnShift, "Linux shifts by X modulo 32, libpcap and x/net yield 0; take X & 31, or compare first")
		}
	case FormNone:
		if row.Fn == Neg {
			w.warn(pc, ReasonWarnNeg, "x/net's VM stops with an error; multiply by 0xffffffff instead")
		}
	case FormRetK:
		if ins.K >= 1<<31 {
			w.warn(pc, ReasonWarnReturn, "0x%x is %d where it is kept in a signed int; 262144 keeps all of any packet", ins.K, int32(ins.K))
		}
	}
}

func (w *warner) checkLen(pc int, row *OpInfo) {
	if row.Writes == X {
		w.warn(pc, ReasonWarnLdxLen, "x/net and bpf_dbg load it into A, tcpdump before 1.11 prints it as unimp; use ld #pktlen and tax")
		return
	}
	w.warn(pc, ReasonWarnLen, "where less was captured, x/net's VM yields that, and loads end at that everywhere")
}

// checkOffset warns of fixed offsets that are none of the packet.
func (w *warner) checkOffset(pc int, ins bpf.RawInstruction, row *OpInfo) {
	ext, isExt := Extension(ins.K)
	switch {
	case ins.K < 1<<31:
	case row.Form == FormAbs && isExt:
		if ext.String() != "" {
			w.warn(pc, ReasonWarnExtension, "[%s]: %s", ext, extAdvice(ext))
		}
	case ins.K >= LLOff:
		w.warn(pc, ReasonWarnWindow, "only Linux has them, the others end with verdict 0; so does Linux where there is no such header")
	default:
		w.warn(pc, ReasonWarnNoOffset, "no packet has the offset 0x%x, and the windows begin at 0x%x: the verdict is 0", ins.K, LLOff)
	}
}

// extAdvice says of an extension who else has it, and what is special about it.
func extAdvice(ext Ext) string {
	const none = "libpcap and x/net have nothing like it"
	switch ext {
	case ExtVlanTCI, ExtVlanPresent:
		return "libpcap has it as a byte, where a packet was captured with the tag beside it; x/net has not"
	case ExtIfIndex, ExtHaType:
		return none + ", and without an interface the program ends and returns A"
	case ExtCPU, ExtRandom:
		return none + ", and the verdict may differ from run to run"
	case ExtNlattr, ExtNlattrNest:
		return none + ", and it finds nothing in packets that do not lie in one piece"
	}
	return none
}
