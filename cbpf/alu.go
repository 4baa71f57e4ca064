package cbpf

// evaluate returns a op b in 32 bits. The right operand of Div and Mod is not 0. Shifts take the low five bits of b, as
// the kernel's conversion to extended BPF makes them (bpf_convert_filter, and BPF_ALU in kernel/bpf/core.c, Linux 6.18).
// It serves the reference interpreter alone: translators and compilers have their own, so that agreement is evidence.
func evaluate(op uint16, a, b uint32) uint32 {
	switch op {
	case Add:
		return a + b
	case Sub:
		return a - b
	case Mul:
		return a * b
	case Div:
		return a / b
	case Mod:
		return a % b
	case Or:
		return a | b
	case And:
		return a & b
	case Xor:
		return a ^ b
	case Lsh:
		return a << (b & 31)
	case Rsh:
		return a >> (b & 31)
	}
	return -a // Neg, the last of the eleven
}

// compare reports whether a stands in the given relation to b; both are unsigned.
func compare(relation uint16, a, b uint32) bool {
	switch relation {
	case Eq:
		return a == b
	case Gt:
		return a > b
	case Ge:
		return a >= b
	}
	return a&b != 0 // Set, the last of the four
}
