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
	HelperPrandomU32:           {[]ABI{User, Socket}, (*machine).prandomU32, nil},
	HelperProcessorID:          {[]ABI{User, Socket}, (*machine).processorID, nil},
	HelperSkbLoadBytes:         {[]ABI{Socket}, (*machine).skbLoadBytes, (*checker).loadsToStack},
	HelperSkbLoadBytesRelative: {[]ABI{Socket}, (*machine).skbLoadBytesRelative, (*checker).loadsToStackRelative},
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
	offset := uint32(m.get(R2))
	return m.copyPacket(int(offset), offset <= math.MaxInt32)
}

// skbLoadBytesRelative(skb, offset, to, n, start) does the same with an offset of at most 65535 that counts from the
// link-layer header, where start is 0, or from the network header, where it is 1 (bpf_skb_load_bytes_relative).
func (m *machine) skbLoadBytesRelative() uint64 {
	offset := uint32(m.get(R2))
	at, ok := int(offset), offset <= math.MaxUint16
	switch uint32(m.get(R5)) {
	case 0:
		at, ok = at-len(m.pkt.Head), ok && !m.pkt.NoLink
	case 1:
		at += m.pkt.NetOff
	default:
		ok = false
	}
	return m.copyPacket(at, ok)
}

// copyPacket copies bytes from a place that counts from Data[0] to where the arguments of the helper say. No bytes are
// there where ok is false.
func (m *machine) copyPacket(at int, ok bool) uint64 {
	skb, to, n := m.get(R1), m.get(R3), m.get(R4)
	switch {
	case m.abi != Socket || skb != skbBase:
		m.fail(ReasonCall, "r1 must be the context of a socket program")
		return 0
	case n == 0 || n > StackSize:
		m.fail(ReasonCall, "%d bytes; 1 to %d fit the stack", n, StackSize)
		return 0
	}
	b := m.writable(to, int(n))
	if !ok || at < -len(m.pkt.Head) || at > len(m.pkt.Data)-len(b) {
		clear(b)
		return efault
	}
	for i := range b {
		b[i] = m.packetByte(at + i)
	}
	return 0
}
