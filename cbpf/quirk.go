package cbpf

import "strings"

// Quirk is a set of things that happened in one run and that other engines of the field treat otherwise than the Linux
// kernel does. Where the set is empty, the kernel, libpcap's bpf_filter and the VM of golang.org/x/net give one verdict.
type Quirk uint32

// The members of Quirk, each with what the others do.
const (
	// QuirkShift: lsh or rsh by X of 32 or more. Linux takes X modulo 32; libpcap and x/net yield 0.
	QuirkShift Quirk = 1 << iota
	// QuirkIndex: X + k left the range 0 to 0x7fffffff. Linux wraps at 32 bits and may read; the others yield verdict 0.
	QuirkIndex
	// QuirkWindow: a load through the LL or the NET window. Only Linux has them; the others yield verdict 0.
	QuirkWindow
	// QuirkExtension: an extension was read, of whatever kind. libpcap knows the VLAN ones alone, x/net none.
	QuirkExtension
	// QuirkLen: the length was read and the packet was captured in part. x/net yields the captured length.
	QuirkLen
	// QuirkLdxLen: ldx #pktlen. x/net disassembles it as ld #pktlen, the kernel's bpf_dbg writes A.
	QuirkLdxLen
	// QuirkNeg: neg was executed. x/net stops with an error.
	QuirkNeg
	// QuirkScratch: a scratch word was read before it was written. The kernel refuses such programs, libpcap before 1.11
	// yields what lies on the stack; here and in x/net it is 0.
	QuirkScratch
	// QuirkCPU: the number of the CPU was read, so that two runs may differ.
	QuirkCPU
	// QuirkRandom: random bits were read, so that two runs differ.
	QuirkRandom
	// QuirkNoDevice: ifidx or hatype ended the program, because the packet has no interface. The verdict is A.
	QuirkNoDevice
	// QuirkAttrs: nla or nlan looked at more than ManyAttrs attributes. Linux looks at all there are; code without loops has
	// to stop somewhere.
	QuirkAttrs
)

// ManyAttrs is a number of netlink attributes that hardly any list in the messages of Linux exceeds.
const ManyAttrs = 64

// quirkNames are in the order of the bits.
var quirkNames = [...]string{
	"shift", "index", "window", "extension", "len", "ldx-len", "neg", "scratch", "cpu", "random", "no-device",
	"attrs",
}

// String returns the names of the members, joined by "|"; "none" for the empty set.
func (q Quirk) String() string {
	if q == 0 {
		return "none"
	}
	var names []string
	for i, name := range quirkNames {
		if q&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if q>>len(quirkNames) != 0 {
		names = append(names, "unknown")
	}
	return strings.Join(names, "|")
}
