package ebpf_test

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// assembled is the program of a text.
func assembled(t testing.TB, text string) Program {
	p, err := Assemble([]byte(text))
	require.NoError(t, err, "%s", Caret([]byte(text), err))
	return p
}

// twoWays reads a field, calls a function on one way and two on the other, and keeps a word on the stack.
const twoWays = `	r6 = r1
	r7 = *(u32 *)(r6 + 68)
	if w7 == 1 goto rare
	call 7
	*(u32 *)(r10 - 12) = r0
	exit
rare:	call 8
	call 7
	r1 = 4294967296 ll
	w0 = 1
	exit`

func TestDemandsOf(t *testing.T) {
	d, err := DemandsOf(assembled(t, twoWays), Socket)
	require.NoError(t, err)
	require.Equal(t, &Demands{
		Slots: 12, Longest: 8, Paths: 2, Followed: 11, Expected: 11, Aside: 1, Stack: 12, Called: 2,
		Calls: []HelperCalls{{ID: 7, Places: 2, Most: 1}, {ID: 8, Places: 1, Most: 1}},
		Features: []Need{
			{Feature{"comparisons of 32 bits", Version{5, 1}}, 2},
			{Feature{"hash in __sk_buff", Version{4, 3}}, 1},
			{Feature{"bpf_get_prandom_u32", Version{4, 1}}, 3},
			{Feature{"bpf_get_smp_processor_id", Version{4, 1}}, 6},
			{Feature{"socket filters", Version{3, 19}}, -1},
			{Feature{"extended programs", Version{3, 18}}, 0},
		},
		Privilege: "CAP_BPF",
	}, d)
	require.Equal(t, Version{5, 1}, d.Since())

	_, err = DemandsOf(Program{Return()}, Socket)
	require.ErrorIs(t, err, ReasonUnset)
}

// Ways that meet again and again are counted, not followed.
func TestDemandsOfManyPaths(t *testing.T) {
	p := Program{Mov.Imm(R0, 0)}
	for range 100 {
		p = append(p, jump(JEq.Imm(R0, 5), 1), Add.Imm(R0, 1))
	}
	d, err := DemandsOf(append(p, Return()), User)
	require.NoError(t, err)
	require.Equal(t, uint64(math.MaxUint64), d.Paths)
	require.Equal(t, uint64(math.MaxUint64), d.Followed)
	require.Equal(t, 202, d.Longest)
	require.Equal(t, 1+5*2+95+1, d.Expected, "of all comparisons the outcome is known")

	d, err = DemandsOf(append(p[:1+2*10:1+2*10], Return()), User)
	require.NoError(t, err)
	require.EqualValues(t, 1<<10, d.Paths)
	// Of each pair of instructions as many beginnings as there are ways to it: the second one has half of those of the next pair.
	followed := 1 + 1<<10
	for i := range 10 {
		followed += 2 << i
	}
	require.EqualValues(t, followed, d.Followed)
}

func TestForetell(t *testing.T) {
	simple := Program{Mov.Imm(R0, 0), Return()}
	long := append(slices.Repeat(Program{Mov.Imm(R0, 0)}, 5000), Return())
	probe := assembled(t, "r1 = r10\nr1 += -8\nr2 = 8\nr3 = 0\ncall 113\nr0 = 0\nexit")
	anybody := Loader{Unprivileged: true}
	somewhere := "call 7\nr0 &= 7\nr2 = r10\nr2 += -16\nr2 += r0\n" // on the stack
	tests := append(append(Program{Load(4, R0, R1, 0)}, slices.Repeat(Program{jump(JSet.Imm(R0, 5), 0)}, 9000)...), Return())
	for _, tt := range []struct {
		name     string
		p        Program
		abi      ABI
		by       Loader
		refusals []Reason
		doubts   []Reason
	}{
		{"a socket filter", simple, Socket, Loader{}, nil, nil},
		{"anybody's socket filter", simple, Socket, Loader{Unprivileged: true}, nil, nil},
		{"anybody's XDP", simple, XDP, Loader{Unprivileged: true}, []Reason{ReasonPrivilege}, nil},
		{"user space", simple, User, Loader{}, []Reason{ReasonNoHook}, nil},
		{"an unset register", Program{Return()}, TC, Loader{}, []Reason{ReasonUnset}, nil},
		{"long", long, Socket, Loader{}, nil, nil},
		{"long for anybody", long, Socket, Loader{Unprivileged: true}, []Reason{ReasonTooManySlots}, nil},
		{"long for an old kernel", long, Socket, Loader{Kernel: Version{4, 19}}, []Reason{ReasonTooManySlots, ReasonOldKernel}, nil},
		{"no licence", probe, TC, Loader{}, []Reason{ReasonLicence}, nil},
		{"a licence", probe, TC, Loader{Licence: "Dual MIT/GPL"}, nil, nil},
		{"another licence", probe, TC, Loader{Licence: "Apache-2.0"}, []Reason{ReasonLicence}, nil},
		{"an old kernel", Program{Mov.Imm(R0, 0), jump(JLt.Imm32(R0, 3), 0), Return()}, Socket, Loader{Kernel: Version{4, 20}}, []Reason{ReasonOldKernel}, nil},
		{"a new one", Program{Mov.Imm(R0, 0), jump(JLt.Imm32(R0, 3), 0), Return()}, Socket, Loader{Kernel: Version{5, 1}}, nil, nil},
		{"behind the packet", assembled(t, "r2 = *(u32 *)(r1 + 76)\nr0 = *(u8 *)(r2 + 0)\nexit"), TC, Loader{}, nil, []Reason{ReasonUnproved}},
		{"behind the packet on one path", assembled(t, `	r2 = *(u32 *)(r1 + 76)
			r0 = *(u32 *)(r1 + 8)
			if r0 == 1 goto read
			*(u64 *)(r10 - 8) = 0
			r2 = r10
			r2 += -8
		read:	r0 = *(u8 *)(r2 + 0)
			exit`), TC, Loader{}, nil, []Reason{ReasonUnproved}},
		{"a store somewhere", assembled(t, somewhere+"*(u8 *)(r2 + 0) = 1\nr0 = 0\nexit"), Socket, Loader{}, nil, []Reason{ReasonUnproved}},
		{"a load from somewhere", assembled(t, somewhere+"r0 = *(u8 *)(r2 + 0)\nexit"), Socket, anybody, nil, []Reason{ReasonUnproved}},
		{"a call for somewhere", assembled(t, "r6 = r1\n"+somewhere+"r3 = r2\nr2 = 0\nr1 = r6\nr4 = 1\ncall 26\nr0 = 0\nexit"), Socket, Loader{}, nil, []Reason{ReasonUnproved}},
		{"a call for some bytes", assembled(t, "r6 = r1\ncall 7\nr0 &= 7\nr4 = r0\nr4 += 1\nr3 = r10\nr3 += -8\nr2 = 0\nr1 = r6\ncall 26\nr0 = 0\nexit"), Socket, Loader{}, nil, []Reason{ReasonUnproved}},
		{"a call for no place", assembled(t, "r4 = 8\nr3 = 0\nr2 = 0\ncall 26\nr0 = 0\nexit"), Socket, Loader{}, []Reason{ReasonCall}, nil},
		{"stack as it was", assembled(t, "r0 = *(u64 *)(r10 - 8)\nexit"), Socket, Loader{}, nil, []Reason{ReasonStackUnset}},
		{"anybody's stack as it was", assembled(t, "r0 = *(u64 *)(r10 - 8)\nexit"), Socket, anybody, []Reason{ReasonStackUnset}, nil},
		{"a pointer for a result", assembled(t, "r0 = r1\nexit"), Socket, Loader{}, nil, []Reason{ReasonLeak}},
		{"anybody's pointer for a result", assembled(t, "r0 = r1\nexit"), Socket, anybody, []Reason{ReasonLeak}, nil},
		{"a pointer times two", assembled(t, "r1 *= 2\nr0 = 0\nexit"), Socket, Loader{}, []Reason{ReasonPointer}, nil},
		{"a loop", assembled(t, "r0 = 0\nl: r0 += 1\nif r0 < 10 goto l\nexit"), Socket, Loader{}, nil, []Reason{ReasonBackEdge}},
		{"an atomic sum", assembled(t, "*(u64 *)(r10 - 8) = 0\nr2 = 1\nlock *(u64 *)(r10 - 8) += r2\nr0 = 0\nexit"), Socket, Loader{}, nil, []Reason{ReasonNotHere}},
		{"a map", assembled(t, "r1 = map[id:1]\nr0 = 0\nexit"), Socket, Loader{}, nil, []Reason{ReasonBadOpcode}},
		{"no instruction", Program{{Op: 0xff}, Return()}, Socket, Loader{}, []Reason{ReasonBadOpcode}, nil},
		{"a function of the program", assembled(t, "call pc+1\nexit\nr0 = 0\nexit"), Socket, Loader{}, nil, []Reason{ReasonCall}},
		{"a function that is not known here", assembled(t, "call 5\nr0 = 0\nexit"), Socket, Loader{}, nil, []Reason{ReasonCall}},
		{"a function of other programs", assembled(t, "r2 = 0\ncall 39\nr0 = 0\nexit"), Socket, Loader{}, []Reason{ReasonCall}, nil},
		{"a change of the context", assembled(t, "r2 = 0\n*(u32 *)(r1 + 48) = r2\nr0 = 0\nexit"), Socket, Loader{}, nil, []Reason{ReasonReadOnly}},
		{"a result that may be too much", assembled(t, "call 7\nexit"), CGroupSKB, Loader{}, nil, []Reason{ReasonResult}},
		{"what nothing leads to", assembled(t, "r0 = 0\ngoto l\nr0 = 1\nl: exit"), Socket, Loader{}, []Reason{ReasonUnreachable}, nil},
		{"no end", Program{Mov.Imm(R0, 0)}, Socket, Loader{}, []Reason{ReasonFallsOff}, nil},
		{"no end where no path leads", assembled(t, "r0 = 0\nif r0 == 1 goto l\nexit\nl: r0 = 5"), Socket, Loader{}, []Reason{ReasonFallsOff}, nil},
		{"nothing", nil, Socket, Loader{}, []Reason{ReasonEmpty}, nil},
		{"few paths", questions(10), Socket, Loader{}, nil, nil},
		{"too many paths", questions(20), Socket, Loader{}, nil, []Reason{ReasonTooComplex}},
		{"too many comparisons", tests, Socket, Loader{}, nil, []Reason{ReasonTooComplex}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := Foretell(tt.p, tt.abi, tt.by)
			require.Equal(t, tt.refusals, reasons(f.Refusals))
			require.Equal(t, tt.doubts, reasons(f.Doubts))
			require.Equal(t, len(tt.refusals)+len(tt.doubts) == 0, f.Loads())
		})
	}
}

// questions asks n questions of the packet, and keeps the answers in one register: a number of its own on each path.
func questions(n int) Program {
	p := Program{Mov.Reg(R6, R1), Mov.Imm32(R7, 0)}
	for i := range n {
		p = append(p, LoadAbs(1, uint32(i)), jump(JNe.Imm32(R0, 'A'), 1), Or.Imm32(R7, 1<<i))
	}
	return append(p, Mov.Reg(R0, R7), Return())
}

func reasons(all Errors) (list []Reason) {
	for _, e := range all {
		list = append(list, e.Reason)
	}
	return list
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]Version{"5.10": {5, 10}, "v6.1": {6, 1}, "6.18.44-fc-v669": {6, 18}, "4.4.0-210-generic": {4, 4}} {
		v, err := ParseVersion(text)
		require.NoError(t, err)
		require.Equal(t, want, v)
	}
	for _, text := range []string{"", "6", "6.", ".1", "six.one", "70000.1", "-6.1"} {
		_, err := ParseVersion(text)
		require.ErrorIs(t, err, ReasonVersion, text)
	}
	require.True(t, Version{4, 20}.Before(Version{5, 0}))
	require.True(t, Version{5, 9}.Before(Version{5, 10}))
	require.False(t, Version{5, 10}.Before(Version{5, 10}))
	require.Equal(t, "5.10", Version{5, 10}.String())
}

// Every instruction that there is has a feature, and none that there is not.
func TestEveryInstructionHasAFeature(t *testing.T) {
	for _, i := range samples() {
		if i.Op != 0 {
			require.NotEmpty(t, i.Feature().Name, "%+v", i)
		}
	}
	for _, tt := range []struct {
		text  string
		since Version
	}{
		{"r0 = 1", Version{3, 18}}, {"if r0 s< 1 goto +0", Version{4, 14}}, {"if w0 == 1 goto +0", Version{5, 1}}, {"if w0 < 1 goto +0", Version{5, 1}},
		{"gotol +0", Version{6, 6}}, {"r0 = bswap16 r0", Version{6, 6}}, {"r0 = be16 r0", Version{3, 18}}, {"w0 s/= w1", Version{6, 6}}, {"r0 = (s8)r1", Version{6, 6}},
		{"r0 = *(s8 *)(r1 + 0)", Version{6, 6}}, {"may_goto +0", Version{6, 9}}, {"call pc+0", Version{4, 16}}, {"call kernel-function#1", Version{5, 13}},
		{"lock *(u64 *)(r1 + 0) += r2", Version{3, 18}}, {"lock *(u64 *)(r1 + 0) |= r2", Version{5, 12}}, {"r2 = xchg_64(r1 + 0, r2)", Version{5, 12}},
		{"w0 = load_acquire((u8 *)(r1 + 0))", Version{6, 15}}, {"r0 = *(u8 *)skb[0]", Version{3, 19}}, {"r1 = map[id:1]", Version{3, 18}},
		{"r1 = map[id:1][0]+4", Version{5, 2}}, {"r1 = map[idx:1]", Version{5, 14}}, {"r1 = addr_space_cast(r2, 0, 1)", Version{6, 9}},
	} {
		require.Equal(t, tt.since, assembled(t, tt.text)[0].Feature().Since, tt.text)
	}
}

// A program without a refusal and without a doubt about its accesses has no fault when it runs, and takes no longer than its
// longest path.
func FuzzForetell(f *testing.F) {
	seeds(func(code []byte) { f.Add(code, []byte("some packet bytes"), 7) })
	for _, n := range []int{3, 12} {
		f.Add(Encode(questions(n), binary.LittleEndian), []byte("AAAAABAAAABAA"), 13)
	}
	f.Fuzz(func(t *testing.T, code, data []byte, linear int) {
		p, _ := Decode(code[:len(code)/SlotSize*SlotSize], binary.LittleEndian)
		for _, abi := range everyABI() {
			forecast := Foretell(p, abi, Loader{Licence: "GPL"})
			if d := forecast.Demands; d != nil {
				require.LessOrEqual(t, d.Longest, d.Slots)
				require.LessOrEqual(t, uint64(d.Expected), max(d.Followed, 1), "%s", p)
				require.False(t, d.Since().Before(Version{3, 18}))
			}
			unproved := slices.Contains(reasons(forecast.Doubts), ReasonUnproved)
			if !abi.InKernel() || forecast.Demands == nil || len(forecast.Refusals) > 0 || unproved {
				continue
			}
			_, err := Run(p, abi, fuzzedPacket(data, 0, linear, false))
			require.NoError(t, err, "%s\n%s", abi, p)
		}
	})
}

// Effort counts no further than it is told to, and takes no program that is not sound.
func TestEffort(t *testing.T) {
	p := assembled(t, twoWays)
	d, err := DemandsOf(p, Socket)
	require.NoError(t, err)
	insns, aside, ok := Effort(p, Socket, d.Expected+1)
	require.True(t, ok)
	require.Equal(t, []int{d.Expected, d.Aside}, []int{insns, aside})
	_, _, ok = Effort(p, Socket, d.Expected)
	require.False(t, ok)
	_, _, ok = Effort(p[:len(p)-1], Socket, 1000)
	require.False(t, ok)
}
