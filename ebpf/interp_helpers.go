package ebpf

import "math"

// helper is a function of the kernel that programs may call.
type helper struct {
	abis  []ABI                          // who may call it
	run   func(*machine) uint64          // takes its arguments from R1 on and returns its result
	check func(c *checker, pc int) error // checks its arguments; nil where it has none
}

// helpers are the functions that Check allows and Run knows, by number.
var helpers = map[int32]helper{
	HelperPrandomU32:   {[]ABI{User, Socket}, (*machine).prandomU32, nil},
	HelperProcessorID:  {[]ABI{User, Socket}, (*machine).processorID, nil},
	HelperSkbLoadBytes: {[]ABI{Socket}, (*machine).skbLoadBytes, (*checker).loadsToStack},
}

// call executes the call of a helper or of a function of the program.
func (m *machine) call(i *Instruction) {
	if i.Src == CallKindLocal {
		m.callLocal(m.next + int(i.Imm))
		return
	}
	h, ok := helpers[i.Imm]
	if !ok || i.Src != CallKindHelper {
		m.fail(ReasonCall, "function %d of kind %d", i.Imm, i.Src)
		return
	}
	result := h.run(m)
	m.clobber()
	m.put(R0, result)
}

func (m *machine) prandomU32() uint64 {
	if m.pkt.Random == nil {
		return 0
	}
	return uint64(m.pkt.Random())
}

func (m *machine) processorID() uint64 { return uint64(m.pkt.CPU) }

// efault is what helpers return for bytes that are not there.
const efault = ^uint64(14 - 1) // -14

// skbLoadBytes(skb, offset, to, n) copies n bytes of packet to the stack. Where they do not exist it zeroes the stack and
// returns -EFAULT (bpf_skb_load_bytes, net/core/filter.c).
func (m *machine) skbLoadBytes() uint64 {
	skb, offset, to, n := m.get(R1), uint32(m.get(R2)), m.get(R3), m.get(R4)
	switch {
	case m.abi != Socket || skb != skbBase:
		m.fail(ReasonCall, "r1 must be the context of a socket program")
		return 0
	case n == 0 || n > StackSize:
		m.fail(ReasonCall, "%d bytes; 1 to %d fit the stack", n, StackSize)
		return 0
	}
	b := m.writable(to, int(n))
	if offset > math.MaxInt32 || int(offset) > len(m.pkt.Data)-len(b) {
		clear(b)
		return efault
	}
	copy(b, m.pkt.Data[offset:])
	return 0
}
