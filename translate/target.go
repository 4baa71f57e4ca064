package translate

import (
	"fmt"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Target is the environment that an extended program is made for.
type Target uint8

// The targets.
const (
	// User is plain user space: r1 = data, r2 = captured length, r3 = wire length, r4 = an ebpf.SkBuff.
	User Target = iota
	// Socket is BPF_PROG_TYPE_SOCKET_FILTER: r1 = struct __sk_buff. Needs Linux 5.1.
	Socket
	// Seccomp is for filters of system calls: r1 = struct seccomp_data, in host order. No hook of the kernel takes extended
	// programs for it; they are for user space.
	Seccomp
)

// targets is the table of what there is to know of each target.
var targets = [...]struct {
	name   string
	abi    ebpf.ABI
	valid  func(cbpf.Program) error      // the rules that programs have to obey
	ends   func(k uint32, size int) bool // see paths: loads that no packet can satisfy
	access func(cbpf.Program, paths, Options) access
}{
	User:    {"user", ebpf.User, cbpf.Validate, userEnds, newUser},
	Socket:  {"socket", ebpf.Socket, cbpf.Validate, neverEnds, newSocket},
	Seccomp: {"seccomp", ebpf.Seccomp, cbpf.ValidateSeccomp, neverEnds, newSeccomp},
}

func (t Target) String() string {
	if int(t) >= len(targets) {
		return fmt.Sprintf("target %d", uint8(t))
	}
	return targets[t].name
}

// ABI is how programs of the target are entered.
func (t Target) ABI() ebpf.ABI { return targets[t].abi }

// neverEnds is for targets whose loads find out for themselves.
func neverEnds(uint32, int) bool { return false }

// known reports an error for a number that is no target.
func (t Target) known() error {
	if int(t) >= len(targets) {
		return fmt.Errorf("unknown %s; the targets are %s", t, strings.Join(TargetNames(), ", "))
	}
	return nil
}

// TargetNames lists the names that ParseTarget knows.
func TargetNames() []string {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.name
	}
	return names
}

// ParseTarget returns the target of that name.
func ParseTarget(name string) (Target, error) {
	for i, t := range targets {
		if t.name == name {
			return Target(i), nil
		}
	}
	return 0, fmt.Errorf("unknown target %q; the targets are %s", name, strings.Join(TargetNames(), ", "))
}

// access is how a target gets at the packet and at what is known of it. Its methods emit code; those that load leave the
// value in host order, and go to e.drop where the packet ends before it.
type access interface {
	// entry emits what has to happen first.
	entry(e *emitter)
	// join emits what has to happen where paths meet.
	join(e *emitter)
	// scratchOffset is the place of M[k], counted from the frame pointer.
	scratchOffset(k uint32) int16
	// loadAbs loads size bytes at k into A. k is no extension.
	loadAbs(e *emitter, size int, k uint32)
	// loadInd loads size bytes at X+k into A.
	loadInd(e *emitter, size int, k uint32)
	// loadMSH loads the byte at k into X and leaves A alone.
	loadMSH(e *emitter, k uint32)
	// length loads the wire length.
	length(e *emitter, dst ebpf.Register)
	// field loads a word of the SkBuff.
	field(e *emitter, dst ebpf.Register, off int16)
	// hatype returns the ARPHRD number of the interface; ok is false where that cannot be known.
	hatype() (n uint16, ok bool)
}
