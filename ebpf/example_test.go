package ebpf_test

import (
	"fmt"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// A program that keeps 64 bytes of IPv4 packets and drops all others.
func Example() {
	var b Builder
	drop := b.NewLabel()
	b.Emit(Mov.Imm32(R0, 0))
	b.Branch(JLt.Imm(R2, 14), drop)
	b.Emit(Load(2, R5, R1, 12), ToBE(R5, 16))
	b.Branch(JNe.Imm32(R5, 0x800), drop)
	b.Emit(Mov.Imm32(R0, 64))
	b.Place(drop)
	b.Emit(Return())
	p, _, err := b.Program()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(Print(p, Xlated))

	frame := make([]byte, 60)
	frame[12] = 0x08
	verdict, err := Run(p, User, &Packet{Data: frame, WireLen: 60})
	fmt.Println(verdict, err)
	// Output:
	//    0: (b4) w0 = 0
	//    1: (a5) if r2 < 0xe goto pc+4
	//    2: (69) r5 = *(u16 *)(r1 +12)
	//    3: (dc) r5 = be16 r5
	//    4: (56) if w5 != 0x800 goto pc+1
	//    5: (b4) w0 = 64
	//    6: (95) exit
	// 64 <nil>
}
