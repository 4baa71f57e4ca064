package cbpf

import "fmt"

// Action is the verdict of a seccomp filter: what to do in the upper sixteen bits, and for some, data in the lower ones
// (SECCOMP_RET_* in linux/seccomp.h).
type Action uint32

// The actions, without data. ActionErrno carries an errno; ActionTrap and ActionTrace a number for who handles them.
const (
	ActionKillProcess Action = 0x80000000
	ActionKillThread  Action = 0x00000000
	ActionTrap        Action = 0x00030000
	ActionErrno       Action = 0x00050000
	ActionUserNotif   Action = 0x7fc00000
	ActionTrace       Action = 0x7ff00000
	ActionLog         Action = 0x7ffc0000
	ActionAllow       Action = 0x7fff0000
)

const (
	actionData = 0xffff // SECCOMP_RET_DATA
	maxErrno   = 4095   // MAX_ERRNO of linux/err.h
)

// actions lists what the kernel knows.
var actions = [...]struct {
	action Action
	name   string
	data   bool // the lower sixteen bits mean something
}{
	{ActionKillProcess, "KILL_PROCESS", false},
	{ActionKillThread, "KILL_THREAD", false},
	{ActionTrap, "TRAP", true},
	{ActionErrno, "ERRNO", true},
	{ActionUserNotif, "USER_NOTIF", false},
	{ActionTrace, "TRACE", true},
	{ActionLog, "LOG", false},
	{ActionAllow, "ALLOW", false},
}

// Effective returns the verdict that means the same and has nothing without meaning: data that no one reads are 0, an
// errno is at most 4095, and an action that the kernel does not know is KILL_PROCESS (__seccomp_filter in
// kernel/seccomp.c, Linux 6.18).
func (a Action) Effective() Action {
	for _, row := range actions {
		switch {
		case row.action != a&^actionData:
		case !row.data:
			return row.action
		case row.action == ActionErrno:
			return row.action | min(a&actionData, maxErrno)
		default:
			return a
		}
	}
	return ActionKillProcess
}

// String returns the name of the effective action and its data, as in "ALLOW", "ERRNO(1)" and "TRACE(7)". One that the
// kernel does not know shows the number too: "KILL_PROCESS(unknown 0x12340000)".
func (a Action) String() string {
	for _, row := range actions {
		switch {
		case row.action != a&^actionData:
		case row.data:
			return fmt.Sprintf("%s(%d)", row.name, a.Effective()&actionData)
		default:
			return row.name
		}
	}
	return fmt.Sprintf("KILL_PROCESS(unknown 0x%08x)", uint32(a))
}
