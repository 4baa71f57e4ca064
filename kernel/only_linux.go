package kernel

import (
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"golang.org/x/sys/unix"
)

// OnlyInterface makes code for LoadOptions.Front of a program for tracing that ends the run, with 0, unless the packet is of
// this interface in the network namespace of the calling thread: functions and tracepoints see those of the whole machine. arg says
// where the context has the packet. The licence must be "GPL".
func OnlyInterface(name string, arg PacketArg) (ebpf.Program, error) {
	iface, err := interfaceOf(Hook{Where: name})
	if err != nil {
		return nil, err
	}
	var space unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &space); err != nil {
		return nil, &UnavailableError{Op: "find out the network namespace", Need: "/proc", Err: err}
	}
	l, err := runningLayouts()
	if err != nil {
		return nil, err
	}
	return l.only(arg, uint32(iface.Index), uint32(space.Ino))
}

// Stack words of that code.
const (
	onlyRead   = -8
	onlyDevice = -16
)

// only compares the index of the device, and the number of its namespace where the kernel has them.
func (l *layouts) only(arg PacketArg, index, space uint32) (ebpf.Program, error) {
	b := &ebpf.Builder{}
	toDevice := []ebpf.Member{l.skb.Dev}
	if arg.XDP {
		toDevice = []ebpf.Member{l.xdp.RxQ, l.xdp.RxQDev}
	}
	out := b.NewLabel()
	b.Emit(ebpf.Mov.Reg(ebpf.R6, ebpf.R1), ebpf.Load(8, ebpf.R3, ebpf.R1, int16(8*arg.Word)))
	followTo(b, toDevice...)
	b.Emit(ebpf.Store(8, ebpf.R10, onlyDevice, ebpf.R3))
	followTo(b, l.skb.DevIfIndex)
	b.Branch(ebpf.JNe.Imm32(ebpf.R3, index), out)
	if l.devNet.Size > 0 && l.netInum.Size > 0 {
		b.Emit(ebpf.Load(8, ebpf.R3, ebpf.R10, onlyDevice))
		followTo(b, l.devNet, l.netInum)
		b.Branch(ebpf.JNe.Imm32(ebpf.R3, space), out)
	}
	end := ebpf.Jump()
	end.Off = 2
	b.Emit(ebpf.Mov.Reg(ebpf.R1, ebpf.R6), end)
	b.Place(out)
	b.Emit(ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return())
	p, _, err := b.Program()
	return p, err
}

// followTo loads a member of the structure that r3 points at into r3, then one of that which this points at, and so on. What cannot
// be read is 0.
func followTo(b *ebpf.Builder, members ...ebpf.Member) {
	for _, m := range members {
		b.Emit(
			ebpf.Add.Imm(ebpf.R3, int32(m.Off)),
			ebpf.Mov.Reg(ebpf.R1, ebpf.R10),
			ebpf.Add.Imm(ebpf.R1, onlyRead),
			ebpf.Mov.Imm(ebpf.R2, int32(m.Size)),
			ebpf.CallHelper(ebpf.HelperProbeReadKernel),
			ebpf.Load(int(m.Size), ebpf.R3, ebpf.R10, onlyRead),
		)
	}
}
