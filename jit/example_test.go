package jit_test

import (
	"encoding/binary"
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
)

// protocol returns the EtherType of a packet; 0 for one that is too short.
func protocol() ebpf.Program {
	var b ebpf.Builder
	short := b.NewLabel()
	b.Emit(ebpf.Mov.Imm32(ebpf.R0, 0))
	b.Branch(ebpf.JLt.Imm(ebpf.R2, 14), short)
	b.Emit(ebpf.Load(2, ebpf.R0, ebpf.R1, 12), ebpf.ToBE(ebpf.R0, 16))
	b.Place(short)
	b.Emit(ebpf.Return())
	p, _, err := b.Program()
	if err != nil {
		panic(err)
	}
	return p
}

// One packet at a time.
func Example() {
	f, err := jit.New(protocol()) // machine code, or interpreted where that cannot be had
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	frame := make([]byte, 60)
	binary.BigEndian.PutUint16(frame[12:], 0x86dd)
	verdict, err := f.Run(&ebpf.Packet{Data: frame, WireLen: 60})
	fmt.Printf("%#x %v\n", verdict, err)
	// Output: 0x86dd <nil>
}

// Many packets in one call, which is where the speed is.
func ExampleFunc_RunBatch() {
	f, err := jit.New(protocol())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()

	var buf []byte
	var descs []jit.Desc
	for _, etherType := range []uint16{0x0800, 0x0806, 0x86dd} {
		frame := make([]byte, 60)
		binary.BigEndian.PutUint16(frame[12:], etherType)
		descs = append(descs, jit.Desc{Off: uint32(len(buf)), CapLen: 60, WireLen: 60})
		buf = append(buf, frame...)
	}
	descs = append(descs, jit.Desc{Off: 0, CapLen: 13, WireLen: 60})

	verdicts := make([]uint32, len(descs))
	err = f.RunBatch(buf, descs, nil, verdicts)
	fmt.Printf("%#x %v\n", verdicts, err)
	// Output: [0x800 0x806 0x86dd 0x0] <nil>
}

// A program that could do harm is not compiled.
func ExampleCompile() {
	_, err := jit.Compile(ebpf.Program{ebpf.Load(1, ebpf.R0, ebpf.R9, 0), ebpf.Return()})
	fmt.Println(err)
	// Output: insn 0: the register is read before it is set: r9
}
