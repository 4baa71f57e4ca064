package translate_test

import (
	"errors"
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// A classic filter becomes a socket filter of today's kind.
func Example() {
	text := []byte("4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0")
	p, err := cbpf.Parse(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := translate.Translate(p, translate.Options{Target: translate.Socket})
	if err != nil {
		fmt.Println(err)
		return
	}
	for slot := range r.Program {
		text, _ := r.Program.Line(slot, ebpf.Xlated)
		fmt.Printf("%2d from %2d: %s\n", slot, r.PCs[slot], text)
	}
	// Output:
	//  0 from -1: (bf) r6 = r1
	//  1 from -1: (b4) w0 = 0
	//  2 from -1: (b4) w7 = 0
	//  3 from  0: (28) r0 = *(u16 *)skb[12]
	//  4 from  1: (56) if w0 != 0x800 goto pc+2
	//  5 from  2: (b4) w0 = 262144
	//  6 from  2: (95) exit
	//  7 from  3: (b4) w0 = 0
	//  8 from  3: (95) exit
}

// What a target has no way to do is refused, with the place, the reason, and what to do about it.
func ExampleUnsupportedError() {
	p := cbpf.Program{{Op: cbpf.OpLdAbsW, K: cbpf.AdOff + uint32(cbpf.ExtHaType)}, {Op: cbpf.OpRetA}}
	_, err := translate.Translate(p, translate.Options{Target: translate.Socket})
	var unsupported *translate.UnsupportedError
	fmt.Println(errors.As(err, &unsupported))
	fmt.Println(unsupported.Ext, "on", unsupported.Target)
	// Output:
	// true
	// hatype on socket
}

// Whether a kernel will take a program can be known without asking one.
func ExampleForetell() {
	p, err := cbpf.Parse([]byte("4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := translate.Translate(p, translate.Options{Target: translate.Socket})
	if err != nil {
		fmt.Println(err)
		return
	}
	report := translate.Foretell(p, r, ebpf.Loader{Kernel: ebpf.Version{Major: 4, Minor: 19}})
	fmt.Println(report.Demands.Longest, "instructions on the longest path, bytes", report.Reads.First, "to", report.Reads.Last)
	fmt.Println(report.Loads(), report.Refusals)
	// Output:
	// 7 instructions on the longest path, bytes 12 to 13
	// false insn 4: the kernel is too old: comparisons of 32 bits: Linux 5.1, this is 4.19
}
