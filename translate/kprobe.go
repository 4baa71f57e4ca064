package translate

import "fmt"

// kprobeArgs are the words of struct pt_regs in which functions of the kernel find their arguments, by the name that Go has
// for the machine (arch/x86/include/uapi/asm/ptrace.h and arch/arm64/include/uapi/asm/ptrace.h).
var kprobeArgs = map[string][]int{
	"amd64": {14, 13, 12, 11, 9, 8}, // rdi, rsi, rdx, rcx, r8, r9
	"arm64": {0, 1, 2, 3, 4, 5, 6, 7},
}

// KprobeArg returns the word of the context in which a kprobe at the entry of a function finds the argument of that number, on
// a machine that Go calls arch.
func KprobeArg(arg int, arch string) (word int, err error) {
	words, ok := kprobeArgs[arch]
	switch {
	case !ok:
		return 0, fmt.Errorf("kprobe: where arguments are on %q is not known", arch)
	case arg < 0 || arg >= len(words):
		return 0, fmt.Errorf("kprobe: argument %d is not in a register; %d are", arg, len(words))
	}
	return words[arg], nil
}
