package kernel

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

func hop(i ebpf.Instruction, off int16) ebpf.Instruction { i.Off = off; return i }

// refusals are programs that the running kernel refuses, with what is said of each.
var refusals = []struct {
	name string
	kind Type
	p    ebpf.Program
	what string // regular expression
}{
	{"too much to follow", SocketFilter, manyPaths(),
		`^following all paths through it took more than 1000001 instructions`},
	{"too long", SocketFilter, repeat(ebpf.Mov.Imm(0, 0), 1_000_000, ebpf.Return()), `^it is longer than this kernel takes`},
	{"too many branches", SocketFilter, openBranches(9000), `8192 branches`},
	{"no check", XDP, ebpf.Program{ebpf.Load(4, 2, 1, 0), ebpf.Load(1, 0, 2, 5), ebpf.Return()}, `^it reads packet bytes without having compared`},
	{"unknown number added to packet", XDP, ebpf.Program{
		ebpf.Load(4, 2, 1, 0), ebpf.Load(4, 3, 1, 12), ebpf.Sub.Reg(3, 2), ebpf.Add.Reg(2, 3), ebpf.Load(1, 0, 2, 0), ebpf.Return(),
	}, `^it computes with a pointer`},
	{"number without bound", SocketFilter, ebpf.Program{
		ebpf.Load(4, 2, 1, 8), ebpf.Lsh.Imm(2, 32), ebpf.Mov.Reg(3, 10), ebpf.Add.Reg(3, 2), ebpf.Load(1, 0, 3, -8), ebpf.Return(),
	}, `^it adds a number without an upper bound|stack`},
	{"32-bit sum", XDP, ebpf.Program{ebpf.Load(4, 2, 1, 0), ebpf.Add.Imm32(2, 4), ebpf.Mov.Imm(0, 0), ebpf.Return()}, `^it computes with a pointer`},
	{"write", CgroupIngress, ebpf.Program{
		ebpf.Load(4, 2, 1, 76), ebpf.Load(4, 3, 1, 80), ebpf.Mov.Reg(4, 2), ebpf.Add.Imm(4, 14), ebpf.Mov.Imm(0, 0),
		hop(ebpf.JGt.Reg(4, 3), 1), ebpf.Store(1, 2, 0, 0), ebpf.Return(),
	}, `^it writes to the packet`},
	{"helper of another type", XDP, ebpf.Program{ebpf.CallHelper(26), ebpf.Return()}, `^programs of this type may not call the helper function skb_load_bytes`},
	{"no such helper", XDP, ebpf.Program{ebpf.CallHelper(2600), ebpf.Return()}, `^this kernel has no helper function of number 2600`},
	{"GPL", XDP, ebpf.Program{ebpf.CallHelper(6), ebpf.Return()}, `only programs under the GPL`},
	{"packet loads", XDP, ebpf.Program{ebpf.Mov.Reg(6, 1), ebpf.LoadAbs(1, 0), ebpf.Return()}, `^it loads packet bytes as only socket filters`},
	{"stack of functions", SocketFilter, ebpf.Program{
		ebpf.Mov.Imm(0, 0), ebpf.Store(8, 10, -512, 0), {Op: ebpf.OpCall, Src: ebpf.CallKindLocal, Imm: 1}, ebpf.Return(),
		ebpf.Mov.Imm(0, 0), ebpf.Store(8, 10, -8, 0), ebpf.Return(),
	}, `need \d+ bytes of stack, of which there are 512`},
	{"below the stack", SocketFilter, ebpf.Program{ebpf.Mov.Imm(0, 0), ebpf.Store(8, 10, -520, 0), ebpf.Return()}, `^it uses the stack outside`},
	{"across the stack", SocketFilter, ebpf.Program{ebpf.Mov.Imm(0, 0), ebpf.Store(8, 10, -12, 0), ebpf.Return()}, `^it uses the stack outside`},
	{"unreachable", SocketFilter, ebpf.Program{ebpf.Mov.Imm(0, 0), ebpf.Return(), ebpf.Return()}, `^no path leads to its instruction 2`},
	{"loop", SocketFilter, ebpf.Program{
		ebpf.Mov.Imm(0, 0), ebpf.Mov.Imm(2, 0), hop(ebpf.JEq.Imm(2, 1), 1), hop(ebpf.Jump(), -2), ebpf.Return(),
	}, `^it jumps back`},
	{"jump outside", SocketFilter, ebpf.Program{ebpf.Mov.Imm(0, 0), hop(ebpf.Jump(), 10), ebpf.Return()}, `^its jump from 1 to 12 leaves`},
	{"jump into a constant", SocketFilter, ebpf.Program{{Op: ebpf.OpLoadWide}, {}, hop(ebpf.Jump(), -2), ebpf.Return()}, `^it jumps into the middle`},
	{"no end", SocketFilter, ebpf.Program{ebpf.Mov.Imm(0, 0)}, `^its last instruction`},
	{"unset", SocketFilter, ebpf.Program{ebpf.Mov.Reg(0, 5), ebpf.Return()}, `^it reads R5, to which nothing`},
	{"number for a pointer", SocketFilter, ebpf.Program{ebpf.Mov.Imm(2, 7), ebpf.Load(1, 0, 2, 0), ebpf.Return()}, `^it takes R2, a (scalar|inv), for a pointer`},
	{"context", SocketFilter, ebpf.Program{ebpf.Load(4, 0, 1, 76), ebpf.Return()}, `^programs of this type may not read 4 bytes at offset 76`},
	{"result", CgroupIngress, ebpf.Program{ebpf.Mov.Imm(0, 7), ebpf.Return()}, `from 0 to 1 are allowed`},
	{"division", SocketFilter, ebpf.Program{ebpf.Mov.Imm(0, 7), ebpf.Div.Imm(0, 0), ebpf.Return()}, `^it divides by the constant 0`},
	{"shift", SocketFilter, ebpf.Program{ebpf.Mov.Imm(0, 7), ebpf.Lsh.Imm32(0, 40), ebpf.Return()}, `shifts by a constant that is too large`},
	{"opcode", SocketFilter, ebpf.Program{{Op: 0x38}, ebpf.Return()}, `that this kernel does not know`},
	{"field", SocketFilter, ebpf.Program{{Op: ebpf.OpExit, Imm: 3}}, `that this kernel does not know`},
	{"frame pointer", SocketFilter, ebpf.Program{ebpf.Mov.Imm(10, 0), ebpf.Return()}, `^it assigns to the frame pointer`},
	{"map", SocketFilter, ebpf.Program{{Op: ebpf.OpLoadWide, Src: ebpf.WideMapFD, Imm: 777}, {}, ebpf.Mov.Imm(0, 0), ebpf.Return()}, `^it refers to a map`},
}

// recorded are refusals of other kernels, and of users without privilege.
var recorded = []struct {
	name string
	e    VerifierError
	what string
}{
	{"too many branches", VerifierError{Message: "The sequence of 8193 jumps is too complex."}, `^more than 8193 branches`},
	{"address", VerifierError{Message: "R0 leaks addr as return value"}, `gives an address of the kernel away`},
	{"loop before 5.3", VerifierError{Message: "back-edge from insn 3 to 1"}, `^it jumps back`},
	{"helper before 6.10", VerifierError{Message: "unknown func bpf_xdp_load_bytes#189"}, `helper function xdp_load_bytes`},
	{"result before 6.8", VerifierError{Message: "At program exit the register R0 has value (0x7; 0x0) should have been in (0x0; 0x1)"}, `from 0x0 to 0x1`},
	{"stack before 5.12", VerifierError{Message: "invalid stack off=-520 size=8"}, `^it uses the stack outside`},
	{"packet", VerifierError{Message: "invalid access to packet, off=5 size=1, R2(id=0,off=5,r=0)"}, `^it reads packet bytes`},
	{"bound", VerifierError{Message: "R4 unbounded memory access, make sure to bounds check any such access"}, `without an upper bound`},
}

func repeat(i ebpf.Instruction, n int, last ebpf.Instruction) ebpf.Program {
	p := make(ebpf.Program, n, n+1)
	for j := range p {
		p[j] = i
	}
	return append(p, last)
}

// openBranches makes a program with n branches to its end, none of which the verifier has followed when it sees the last.
func openBranches(n int) ebpf.Program {
	p := ebpf.Program{ebpf.Load(4, 2, 1, ebpf.SkbMark), ebpf.Mov.Imm(0, 0)}
	for i := range n {
		p = append(p, hop(ebpf.JEq.Imm(2, int32(i)), int16(n-1-i)))
	}
	return append(p, ebpf.Return())
}

// manyPaths makes a program with 512 paths, on each of which r3 is another number; the verifier has to know it, since it is
// an offset into the stack. More than a million instructions are on all of them together.
func manyPaths() ebpf.Program {
	p := ebpf.Program{ebpf.Load(4, 2, 1, ebpf.SkbMark), ebpf.Mov.Imm(3, -512), ebpf.Mov.Imm(0, 0)}
	for bit := range 9 {
		p = append(p, hop(ebpf.JSet.Imm(2, 1<<bit), 1), ebpf.Add.Imm(3, 1<<bit))
	}
	p = append(p, ebpf.Mov.Reg(4, 10), ebpf.Add.Reg(4, 3), ebpf.Store(1, 4, 0, 0))
	return append(p, repeat(ebpf.Mov.Imm(0, 0), 2000, ebpf.Return())...)
}

// Every row explains a refusal of the running kernel, or one of another kernel.
func TestExplain(t *testing.T) {
	requireExtended(t)
	used := map[string]bool{}
	explain := func(t *testing.T, e *VerifierError, want string) {
		what, todo, ok := e.Explain()
		require.True(t, ok, "%s\n%s", e.Message, e.Log)
		require.Regexp(t, want, what, e.Message)
		require.NotEmpty(t, todo)
		require.NotContains(t, what, "$")
		require.Equal(t, todo, Advice(e))
		i := slices.IndexFunc(explanations, func(x explanation) bool { _, ok := x.of(e); return ok })
		used[explanations[i].what] = true
	}
	for _, test := range refusals {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load(test.p, LoadOptions{Type: test.kind})
			var refused *VerifierError
			require.ErrorAs(t, err, &refused)
			explain(t, refused, test.what)
		})
	}
	for _, test := range recorded {
		t.Run(test.name, func(t *testing.T) { explain(t, &test.e, test.what) })
	}
	for _, x := range explanations {
		require.True(t, used[x.what], "no refusal is explained so: %s", x.what)
	}
}

// What has no row keeps the kernel's words.
func TestExplainUnknown(t *testing.T) {
	_, _, ok := (&VerifierError{Message: "something new", Log: "something new", Err: unix.EINVAL}).Explain()
	require.False(t, ok)
	require.Empty(t, Advice(&VerifierError{Message: "something new"}))
	require.Empty(t, Advice(unix.EIO))
}

// Every reason of attaching has advice, but for the two that are about verdicts of classic programs.
func TestAdvice(t *testing.T) {
	for name, reason := range reasonsOf(t) {
		if reason != ReasonVariant && reason != ReasonUnstable {
			require.NotEmpty(t, Advice(&AttachError{Reason: reason}), name)
		}
	}
	for _, need := range []string{needExtended, needNet, needTrace, needCgroup} {
		require.Contains(t, Advice(&UnavailableError{Need: need, Err: unix.EPERM}), "sudo")
		require.Empty(t, Advice(&UnavailableError{Need: need, Err: unix.ENOSYS}))
	}
}

// reasonsOf reads the constants from the source.
func reasonsOf(t *testing.T) map[string]Reason {
	text, err := os.ReadFile("error.go")
	require.NoError(t, err)
	found := map[string]Reason{}
	for _, m := range regexp.MustCompile(`(?m)^\t(Reason\w+)\s+Reason = "(.*)"$`).FindAllStringSubmatch(string(text), -1) {
		found[m[1]] = Reason(m[2])
	}
	require.Greater(t, len(found), 10)
	return found
}
