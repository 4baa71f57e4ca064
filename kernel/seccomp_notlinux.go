//go:build !linux

package kernel

import "github.com/cbpf2ebpf/cbpf2ebpf/cbpf"

// CheckSeccomp returns an *UnavailableError.
func CheckSeccomp(cbpf.Program) error { return notLinux("judge a seccomp filter", needSeccomp) }
