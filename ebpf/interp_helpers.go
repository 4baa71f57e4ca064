package ebpf

import "math"

// call executes the call of a helper or of a function of the program.
func (m *machine) call(i *Instruction) {
	if i.Src == CallKindLocal {
		m.callLocal(m.next + int(i.Imm))
		return
	}
	h := helperFor(i.Imm, m.abi)
	if h == nil || i.Src != CallKindHelper {
		m.fail(ReasonCall, "function %d of kind %d from a %s program", i.Imm, i.Src, m.abi)
		return
	}
	if !m.takes(h.args) {
		return
	}
	result := h.run(m)
	m.clobber()
	m.put(R0, result)
}

// takes checks the arguments as far as a function does not judge them itself; it is false with a fault.
func (m *machine) takes(args []argument) bool {
	for i, a := range args {
		r := R1 + Register(i)
		switch v := m.get(r); {
		case a == argContext && v != contextBase:
			m.fail(ReasonCall, "%s must be the context", r)
		case a == argSize && v == 0, (a == argSize || a == argSizeOrZero) && v > StackSize:
			m.fail(ReasonCall, "%d bytes in %s; %d fit the stack", v, r, StackSize)
		}
	}
	return m.err == nil
}

// What helpers return when they fail: the negated numbers of errors in linux/errno.h.
const (
	enomem = ^uint64(12 - 1)
	efault = ^uint64(14 - 1)
	einval = ^uint64(22 - 1)
	erange = ^uint64(34 - 1)
)

func (m *machine) prandomU32() uint64 {
	if m.pkt.Random == nil {
		return 0
	}
	return uint64(m.pkt.Random())
}

func (m *machine) processorID() uint64 { return uint64(m.pkt.CPU) }

// hash is that of the SkBuff. The kernel computes one first where there is none yet, out of a secret; here it stays 0.
func (m *machine) hash() uint64 {
	if m.pkt.Skb == nil {
		return 0
	}
	return uint64(m.pkt.Skb.Hash)
}

// skbLoadBytes(skb, offset, to, n) copies n bytes of packet to the stack, paged ones too (bpf_skb_load_bytes,
// net/core/filter.c, as those that follow).
func (m *machine) skbLoadBytes() uint64 {
	offset, n := uint32(m.get(R2)), int(m.get(R4))
	to := m.writable(m.get(R3), n)
	if offset > math.MaxInt32 || int(offset) > len(m.pkt.Data)-n {
		return zeroed(to, efault)
	}
	copy(to, m.pkt.Data[offset:])
	return 0
}

// zeroed is the end of functions that fill their buffer with zeros when they fail.
func zeroed(b []byte, result uint64) uint64 {
	clear(b)
	return result
}

// The last argument of skb_load_bytes_relative: where offsets count from.
const (
	fromLink    = 0 // BPF_HDR_START_MAC
	fromNetwork = 1 // BPF_HDR_START_NET
)

// skbLoadBytesRelative(skb, offset, to, n, from) copies n bytes from a header on. Paged ones it does not see.
func (m *machine) skbLoadBytesRelative() uint64 {
	offset, n, from := uint32(m.get(R2)), int(m.get(R4)), uint32(m.get(R5))
	to := m.writable(m.get(R3), n)
	at := m.pkt.NetOff
	if from == fromLink {
		at = -len(m.pkt.Head)
	}
	at += int(offset)
	switch {
	case offset > math.MaxUint16, from > fromNetwork, from == fromLink && m.pkt.NoLink:
		return zeroed(to, efault)
	case at < -len(m.pkt.Head) || at > len(m.data)-n:
		return zeroed(to, efault)
	}
	for i := range to {
		to[i] = m.packetByte(at + i)
	}
	return 0
}

// skbPullData(skb, n) makes the first n bytes linear; 0 stands for those that are so already.
func (m *machine) skbPullData() uint64 {
	n := uint64(uint32(m.get(R2)))
	m.movePacket()
	if n > uint64(len(m.pkt.Data)) {
		return enomem
	}
	m.data = m.pkt.Data[:max(len(m.data), int(n))]
	return 0
}

func (m *machine) xdpBuffLen() uint64 { return uint64(len(m.pkt.Data)) }

// xdpLoadBytes(xdp, offset, to, n) copies n bytes of packet to the stack, those of further buffers too. Where they do not
// exist the stack stays as it was.
func (m *machine) xdpLoadBytes() uint64 {
	offset, to, n := uint32(m.get(R2)), m.get(R3), int(m.get(R4))
	m.target(to, n)
	switch {
	case offset > math.MaxUint16:
		return efault
	case int(offset) > len(m.pkt.Data)-n:
		return einval
	}
	copy(m.writable(to, n), m.pkt.Data[offset:])
	return 0
}
