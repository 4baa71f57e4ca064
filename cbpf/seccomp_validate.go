package cbpf

import "golang.org/x/net/bpf"

// Faults of a seccomp filter that is a valid program otherwise: seccomp_check_filter in kernel/seccomp.c (Linux 6.18).
const (
	ReasonSeccompOpcode Reason = "instruction not allowed in a seccomp filter"
	ReasonSeccompOffset Reason = "load outside of struct seccomp_data"
)

// ValidateSeccomp reports whether seccomp(2) accepts a program as a filter: whether Validate does, and it loads nothing
// but whole words of struct seccomp_data and has no remainders (mod). The error is as that of Validate.
func ValidateSeccomp(p Program) error { return validate(p, (*validator).checkSeccomp) }

// checkSeccomp applies the rules that seccomp adds. Opcodes that do not exist are refused already.
func (v *validator) checkSeccomp(pc int, ins bpf.RawInstruction) {
	info := Info(ins.Op)
	switch {
	case info == nil:
	case !seccompAllows(info):
		v.fail(pc, ReasonSeccompOpcode, "%s (0x%02x); loads are of whole words at fixed offsets, and there is no mod",
			info.Name, ins.Op)
	case info.Form == FormAbs && (ins.K%4 != 0 || ins.K >= SeccompLen):
		v.fail(pc, ReasonSeccompOffset, "offset 0x%x, there are the multiples of 4 below %d", ins.K, SeccompLen)
	}
}

// seccompAllows reports whether a filter may have the opcode: all but packet loads other than `ld [k]`, and remainders.
func seccompAllows(info *OpInfo) bool {
	if info.Size != 0 {
		return info.Code == OpLdAbsW
	}
	return info.Fn != Mod
}
