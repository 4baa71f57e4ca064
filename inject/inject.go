// Package inject puts classic filters into extended programs that were compiled before: into object files, and into programs
// as github.com/cilium/ebpf has loaded them from there.
//
// A program that is to take a filter has a function which stands in for it, and calls that with pointers to a packet:
//
//	static __attribute__((noinline))
//	bool filter_stub(void *_1, void *_2, void *_3, void *data, void *data_end)
//	{
//		return data != data_end && _1 == _2 && _2 == _3;
//	}
//
// The first three arguments are whatever there is at hand. The stub looks at all of them, so that compilers believe that it
// needs them and know nothing of what it returns. Its body becomes the filter, which reads the fourth and the fifth
// argument, uses the registers of the others, calls nothing unless it is told to read by a helper function, and has the stack of
// the stub for itself.
package inject

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// Options say what a filter may do in its place. The zero value is for stubs that return bool.
type Options struct {
	// Verdict has the stub return the whole verdict, as a uint32_t, and not just whether it is other than 0.
	Verdict bool
	// Windows lets the filter load through the kernel's LL and NET windows: the packets begin with the link-layer header and
	// have the network header at NetOff.
	Windows bool
	NetOff  uint16
	// Optimize is the level of optimisation, as in translate.Options. Filters for objects of the byte order that this machine does not
	// have are never optimised.
	Optimize int
	// Access is how the filter reads the packet. With translate.AccessProbe the last two arguments are addresses in the memory of the
	// kernel, as programs at functions of the kernel have them; the licence must be compatible with the GPL.
	Access translate.SnippetAccess
}

// The arguments of a stub that point at the packet.
const (
	argData    = ebpf.R4
	argDataEnd = ebpf.R5
)

// StubError says that a function cannot be a stub for a filter.
type StubError struct {
	Symbol string
	Why    string
}

func (e *StubError) Error() string {
	return fmt.Sprintf("function %q is no stub for a filter: %s", e.Symbol, e.Why)
}

// snippet are the options for a filter in the place of a stub.
func (o Options) snippet() translate.SnippetOptions {
	s := translate.SnippetOptions{
		PacketStart: argData, PacketEnd: argDataEnd, Result: ebpf.R0,
		Working: [4]ebpf.Register{ebpf.R0, ebpf.R1, ebpf.R2, ebpf.R3},
		Windows: o.Windows, NetOff: o.NetOff, Optimize: o.Optimize, Access: o.Access,
	}
	if o.Access == translate.AccessProbe {
		s.PacketStart, s.PacketEnd = keptData, keptDataEnd
		s.Working = [4]ebpf.Register{ebpf.R0, ebpf.R8, ebpf.R9, ebpf.R1}
	}
	return s
}

// Where filters that call a helper function have the arguments: a function finds nothing there that it had to keep.
const (
	keptData    = ebpf.R6
	keptDataEnd = ebpf.R7
)

// begin is what stands in front of a filter.
func (o Options) begin() ebpf.Program {
	if o.Access == translate.AccessProbe {
		return ebpf.Program{ebpf.Mov.Reg(keptData, argData), ebpf.Mov.Reg(keptDataEnd, argDataEnd)}
	}
	return nil
}

// end is what follows a filter that has left its verdict in r0.
func (o Options) end() ebpf.Program {
	if o.Verdict {
		return ebpf.Program{ebpf.Return()}
	}
	skip := ebpf.JEq.Imm32(ebpf.R0, 0)
	skip.Off = 1
	return ebpf.Program{skip, ebpf.Mov.Imm32(ebpf.R0, 1), ebpf.Return()}
}

// checkStub refuses a function that compilers may call without its fourth and fifth argument, because it does not look at
// them: one that reads other things, or that was found to return always the same.
func checkStub(symbol string, body ebpf.Program) error {
	for _, arg := range []ebpf.Register{argData, argDataEnd} {
		if !looksAt(body, arg) {
			return &StubError{symbol, fmt.Sprintf("it does not look at %s, so that compilers need not pass it: let it compare all of its five arguments", arg)}
		}
	}
	return nil
}

// looksAt reports whether a register is read before it is written, going through the instructions in their order.
func looksAt(p ebpf.Program, r ebpf.Register) bool {
	for pc := 0; pc < len(p); pc++ {
		i := p[pc]
		readsDst, readsSrc, writesDst := false, false, false
		switch info := i.Op.Info(); info.Form {
		case ebpf.FormALUImm, ebpf.FormNeg, ebpf.FormEnd:
			readsDst, writesDst = info.ALU != ebpf.Mov, true
		case ebpf.FormALUReg:
			readsDst, readsSrc, writesDst = info.ALU != ebpf.Mov, true, true
		case ebpf.FormLoad:
			readsSrc, writesDst = true, true
		case ebpf.FormLoadWide:
			writesDst = true
			pc++
		case ebpf.FormStoreImm, ebpf.FormCondImm:
			readsDst = true
		case ebpf.FormStoreReg, ebpf.FormCondReg, ebpf.FormAtomic:
			readsDst, readsSrc = true, true
		case ebpf.FormCall:
			if i.Src == ebpf.CallKindLocal { // which may look at all arguments
				return true
			}
			writesDst, i.Dst = true, r
		}
		switch {
		case readsDst && i.Dst == r, readsSrc && i.Src == r:
			return true
		case writesDst && i.Dst == r:
			return false
		}
	}
	return false
}
