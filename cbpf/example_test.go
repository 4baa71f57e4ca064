package cbpf_test

import (
	"errors"
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// From what tcpdump prints to a verdict.
func Example() {
	text := []byte(`
(000) ldh      [12]
(001) jeq      #0x800           jt 2	jf 3
(002) ret      #262144
(003) ret      #0
`)
	p, err := cbpf.Parse(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	frame := make([]byte, 60)
	frame[12], frame[13] = 0x08, 0x00 // IPv4
	fmt.Println(cbpf.Run(p, &cbpf.Packet{Data: frame, WireLen: 60}))
	fmt.Println(cbpf.Run(p, &cbpf.Packet{Data: frame[:13], WireLen: 60})) // the load leaves the packet
	// Output:
	// 262144 <nil>
	// 0 <nil>
}

// The same program in another notation.
func ExamplePrint() {
	p, err := cbpf.ParseAs(cbpf.XTBPF, []byte("4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, notation := range []cbpf.Notation{cbpf.CStruct, cbpf.Listing} {
		text, err := cbpf.Print(p, notation)
		fmt.Print(text)
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// { 0x28, 0, 0, 0x0000000c },
	// { 0x15, 0, 1, 0x00000800 },
	// { 0x6, 0, 0, 0x00040000 },
	// { 0x6, 0, 0, 0x00000000 },
	// (000) ldh      [12]
	// (001) jeq      #0x800           jt 2	jf 3
	// (002) ret      #262144
	// (003) ret      #0
}

// Every reason for which the kernel would refuse a program, each with its place.
func ExampleValidate() {
	err := cbpf.Validate(cbpf.Program{
		{Op: 0x34, K: 0},  // div #0
		{Op: 0x60, K: 16}, // ld M[16]
		{Op: cbpf.OpRetA},
	})
	var all cbpf.Errors
	if errors.As(err, &all) {
		for _, one := range all {
			fmt.Printf("instruction %d: %s\n", one.PC, one.Reason)
		}
	}
	fmt.Println(errors.Is(err, cbpf.ReasonDivisionByZero))
	// Output:
	// instruction 0: division by zero
	// instruction 1: no such word of scratch memory
	// true
}

// The extensions of the Linux kernel read what is known of a packet besides its bytes.
func ExampleRun_extension() {
	p := cbpf.Program{{Op: cbpf.OpLdAbsW, K: cbpf.AdOff + uint32(cbpf.ExtMark)}, {Op: cbpf.OpRetA}}
	fmt.Println(cbpf.Line(0, p[0]))
	fmt.Println(cbpf.Run(p, &cbpf.Packet{Meta: cbpf.Meta{Mark: 42}}))
	// Output:
	// (000) ld       [mark]
	// 42 <nil>
}

// A loop, as tcpdump makes them for protochain, becomes a program that the kernel takes.
func ExampleUnroll() {
	p, err := cbpf.Parse([]byte("(000) ldb [0]\n(001) jeq #0x7 jt 4 jf 2\n(002) add #1\n(003) ja 1\n(004) ret #1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cbpf.Validate(p))
	unrolled, origins, err := cbpf.Unroll(p, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cbpf.Validate(unrolled), origins)
	// Output:
	// (003) jump backwards: to (001); the kernel takes forward ones only; unroll the loop to a depth that is enough: --unroll N
	// <nil> [0 1 2 1 2 1 -1 4]
}
