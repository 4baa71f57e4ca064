package cbpf

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:generate go run seccomp_gen.go

// Arch is a calling convention for system calls, as a seccomp filter sees it (AUDIT_ARCH_* in linux/audit.h).
type Arch uint32

// The architectures whose system calls have names here.
const (
	ArchX86_64  Arch = 0xc000003e // x32 too, with X32Bit in the number
	ArchI386    Arch = 0x40000003
	ArchAArch64 Arch = 0xc00000b7
	ArchARM     Arch = 0x40000028
	ArchRISCV64 Arch = 0xc00000f3
)

// X32Bit is set in the numbers of the x32 calls of ArchX86_64 (__X32_SYSCALL_BIT in asm/unistd.h).
const X32Bit = 0x40000000

// prefixX32 stands before the names of x32 calls.
const prefixX32 = "x32:"

// archInfo is what there is to know of one architecture.
type archInfo struct {
	arch    Arch
	name    string
	aliases []string     // other names in use, Go's among them
	calls   func() calls // made from the tables when first asked for
}

// calls are the system calls of an architecture that have names.
type calls struct {
	names   map[uint32]string
	numbers []uint32 // ascending
}

// archs lists the architectures, that of x86-64 first.
var archs = [...]archInfo{
	{ArchX86_64, "x86_64", []string{"amd64", "x64"}, sync.OnceValue(x86_64Calls)},
	{ArchI386, "i386", []string{"386", "x86", "i686"}, callTable(callsI386)},
	{ArchAArch64, "aarch64", []string{"arm64"}, callTable(callsAArch64)},
	{ArchARM, "arm", nil, callTable(callsARM, callsARMPrivate)},
	{ArchRISCV64, "riscv64", nil, callTable(callsRISCV64)},
}

// callsARMPrivate are the calls of ARM that are not in its list (arch/arm/include/uapi/asm/unistd.h).
const callsARMPrivate = "983041 breakpoint cacheflush usr26 usr32 set_tls get_tls"

// callsX32 are the x32 calls whose number, without X32Bit, is not that of x86-64
// (arch/x86/entry/syscalls/syscall_64.tbl).
const callsX32 = `512 rt_sigaction rt_sigreturn ioctl readv writev recvfrom sendmsg recvmsg execve ptrace rt_sigpending
	rt_sigtimedwait rt_sigqueueinfo sigaltstack timer_create mq_notify kexec_load waitid set_robust_list get_robust_list
	vmsplice move_pages preadv pwritev rt_tgsigqueueinfo recvmmsg sendmmsg process_vm_readv process_vm_writev setsockopt
	getsockopt io_setup io_submit execveat preadv2 pwritev2`

// callTable reads tables of names. A table is words: a number is that of the next name, a name without one has the number
// after that of the name before.
func callTable(tables ...string) func() calls {
	return sync.OnceValue(func() calls {
		names := make(map[uint32]string, 512)
		for _, table := range tables {
			next := uint64(0)
			for _, word := range strings.Fields(table) {
				if nr, err := strconv.ParseUint(word, 10, 32); err == nil {
					next = nr
					continue
				}
				names[uint32(next)] = word
				next++
			}
		}
		return callsOf(names)
	})
}

func callsOf(names map[uint32]string) calls { return calls{names, slices.Sorted(maps.Keys(names))} }

// x86_64Calls returns the calls of x86-64, and those of x32: the same with X32Bit, but where x32 has its own.
func x86_64Calls() calls {
	names, own := callTable(callsX86_64)().names, callTable(callsX32)().names
	both := maps.Clone(names)
	ownNames := make(map[string]bool, len(own))
	for nr, name := range own {
		both[nr|X32Bit] = prefixX32 + name
		ownNames[name] = true
	}
	for nr, name := range names {
		if !ownNames[name] {
			both[nr|X32Bit] = prefixX32 + name
		}
	}
	return callsOf(both)
}

// Archs returns the architectures whose system calls have names here.
func Archs() []Arch {
	list := make([]Arch, len(archs))
	for i := range archs {
		list[i] = archs[i].arch
	}
	return list
}

// info returns the row of an architecture, or nil.
func (a Arch) info() *archInfo {
	i := slices.IndexFunc(archs[:], func(row archInfo) bool { return row.arch == a })
	if i < 0 {
		return nil
	}
	return &archs[i]
}

// String returns the name that ParseArch reads; for an architecture without one, its number.
func (a Arch) String() string {
	if row := a.info(); row != nil {
		return row.name
	}
	return fmt.Sprintf("0x%08x", uint32(a))
}

// ParseArch reads the name of an architecture, one of Go's names for it, or a number in C notation.
func ParseArch(text string) (Arch, error) {
	lower := strings.ToLower(text)
	var names []string
	for _, row := range archs {
		if lower == row.name || slices.Contains(row.aliases, lower) {
			return row.arch, nil
		}
		names = append(names, row.name)
	}
	if nr, err := strconv.ParseUint(lower, 0, 32); err == nil {
		return Arch(nr), nil
	}
	detail := fmt.Sprintf("%q, there are %s, and numbers%s", text, strings.Join(names, ", "), suggest(text, names))
	return 0, &Error{Reason: ReasonUnknownArch, PC: -1, Detail: detail}
}

// CallName returns the name of the system call with a number, or "" where none is known. The x32 calls of ArchX86_64 have
// the prefix "x32:". The tables are those of golang.org/x/sys, whatever kernel is running.
func (a Arch) CallName(nr uint32) string {
	if row := a.info(); row != nil {
		return row.calls().names[nr]
	}
	return ""
}

// Call returns the number of the system call with a name that CallName knows. Case does not matter.
func (a Arch) Call(name string) (nr uint32, ok bool) {
	row := a.info()
	if row == nil {
		return 0, false
	}
	lower := strings.ToLower(name)
	for nr, known := range row.calls().names {
		if known == lower {
			return nr, true
		}
	}
	return 0, false
}
