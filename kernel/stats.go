package kernel

import (
	"regexp"
	"strings"
	"time"
)

// Stats are what it took the verifier to judge a program.
type Stats struct {
	Processed   int           // instructions followed, over all paths; the limit is a million
	MaxPerInsn  int           // most states that it remembers at one instruction
	TotalStates int           // states remembered in all
	PeakStates  int           // of which at one time
	StackDepth  int           // bytes of stack
	Time        time.Duration // in the verifier
}

// The lines of the verifier's log that tell them (print_verification_stats in kernel/bpf/verifier.c, Linux 6.18).
var (
	logProcessed = regexp.MustCompile(
		`^processed (\d+) insns \(limit \d+\) max_states_per_insn (\d+) total_states (\d+) peak_states (\d+)`)
	logStack = regexp.MustCompile(`^stack depth (\d+)`)
	logTime  = regexp.MustCompile(`^verification time (\d+) usec`)
)

// ParseStats reads them out of a verifier's log. ok is false if it has none, as where the verifier was not reached.
func ParseStats(log string) (s Stats, ok bool) {
	for line := range strings.Lines(log) {
		if m := logProcessed.FindStringSubmatch(line); m != nil {
			s.Processed, s.MaxPerInsn, s.TotalStates, s.PeakStates = number(m[1]), number(m[2]), number(m[3]), number(m[4])
			ok = true
		} else if m := logStack.FindStringSubmatch(line); m != nil {
			s.StackDepth = number(m[1])
		} else if m := logTime.FindStringSubmatch(line); m != nil {
			s.Time = time.Duration(number(m[1])) * time.Microsecond
		}
	}
	return s, ok
}
