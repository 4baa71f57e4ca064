package kernel

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	// "12: (95) exit": an instruction being looked at (print_bpf_insn in kernel/bpf/disasm.c).
	logInsn = regexp.MustCompile(`^(\d+): \([0-9a-f]{2}\) `)
	// "jump out of range from insn 1 to 11": a complaint that names its place.
	logPlace = regexp.MustCompile(`\binsn (\d+)`)
)

// logNoise begins the lines that stand behind the deciding one.
var logNoise = []string{"processed ", "cur state:", "old state:", "verification time ", "stack depth "}

// refusal makes an error out of the verifier's log. The deciding sentence is the last line but for noise; where it names
// no instruction, it is about the one looked at last.
func refusal(lines []string, err error) *VerifierError {
	e := &VerifierError{PC: -1, Log: strings.Join(lines, "\n"), Err: err}
	last := len(lines) - 1
	for last >= 0 && isNoise(lines[last]) {
		last--
	}
	if last < 0 {
		e.Message = err.Error()
		return e
	}
	e.Message = strings.TrimSpace(lines[last])
	if m := logPlace.FindStringSubmatch(e.Message); m != nil {
		e.PC = number(m[1])
		return e
	}
	for ; last >= 0 && e.PC < 0; last-- {
		if m := logInsn.FindStringSubmatch(lines[last]); m != nil {
			e.PC = number(m[1])
		}
	}
	return e
}

func isNoise(line string) bool {
	for _, prefix := range logNoise {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return strings.TrimSpace(line) == ""
}

// number reads decimal digits; what does not fit an int is -1.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}
