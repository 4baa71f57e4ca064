package difftest

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

// onKernel is what is foretold of a program, and whether the kernel loaded it.
type onKernel struct {
	*ebpf.Forecast
	loaded bool
	err    error
}

// askBoth foretells and tries. Programs that are sure to be loaded must be.
func askBoth(t *testing.T, name string, p ebpf.Program, abi ebpf.ABI, kind kernel.Type) onKernel {
	forecast := ebpf.Foretell(p, abi, ebpf.Loader{Licence: "GPL"})
	f, err := kernel.Load(p, kernel.LoadOptions{Type: kind, Licence: "GPL"})
	if err == nil {
		require.NoError(t, f.Close())
	}
	var refused *kernel.VerifierError
	var slot *kernel.SlotError
	require.True(t, err == nil || errors.As(err, &refused) || errors.As(err, &slot), "%s: %v", name, err)
	require.True(t, err == nil || !forecast.Loads(), "%s: %v\n%s", name, err, p)
	return onKernel{forecast, err == nil, err}
}

// wrong reports whether it was foretold that the program is refused, and it was not. What is doubted may be either.
func (o onKernel) wrong() bool { return len(o.Refusals) > 0 && o.loaded }

// handWritten are programs of which the checker knows less than the verifier, which are none of ours, or which are wrong.
var handWritten = map[string]string{
	"a store somewhere on the stack":    "call 7\nr0 &= 7\nr2 = r10\nr2 += -16\nr2 += r0\n*(u8 *)(r2 + 0) = 1\nr0 = 0\nexit",
	"a store anywhere":                  "call 7\nr2 = r10\nr2 += -8\nr2 += r0\n*(u8 *)(r2 + 0) = 1\nr0 = 0\nexit",
	"a load from somewhere":             "*(u64 *)(r10 - 16) = 0\n*(u64 *)(r10 - 8) = 0\ncall 7\nr0 &= 7\nr2 = r10\nr2 += -16\nr2 += r0\nr0 = *(u8 *)(r2 + 0)\nexit",
	"the stack as it was":               "r0 = *(u64 *)(r10 - 8)\nexit",
	"a store that is not aligned":       "r2 = 0\n*(u32 *)(r10 - 6) = r2\nr0 = 0\nexit",
	"a pointer compared":                "r0 = 0\nif r1 == r10 goto +0\nexit",
	"a pointer returned":                "r0 = r1\nexit",
	"a pointer sign-extended":           "r1 = (s8)r1\nr0 = 0\nexit",
	"a pointer negated":                 "r1 = -r1\nr0 = 0\nexit",
	"a pointer swapped":                 "r1 = be16 r1\nr0 = 0\nexit",
	"half of a pointer":                 "w1 = w1\nr0 = 0\nexit",
	"the distance of pointers":          "r2 = r10\nr2 -= r1\nr0 = 0\nexit",
	"a pointer as packet offset":        "r6 = r1\nr0 = *(u8 *)skb[r1 + 0]\nexit",
	"a store over part of a pointer":    "*(u64 *)(r10 - 8) = r1\n*(u32 *)(r10 - 8) = 0\nr0 = 0\nexit",
	"a pointer times two":               "r1 *= 2\nr0 = 0\nexit",
	"a pointer shifted":                 "r1 <<= 2\nr0 = 0\nexit",
	"half a sum of a pointer":           "w1 += 1\nr0 = 0\nexit",
	"the context plus any number":       "r6 = r1\ncall 7\nr6 += r0\nr0 = 0\nexit",
	"the stack plus any number":         "call 7\nr2 = r10\nr2 += r0\nr0 = 0\nexit",
	"two pointers in sum":               "r2 = r10\nr2 += r1\nr0 = 0\nexit",
	"a number minus a pointer":          "r2 = 5\nr2 -= r1\nr0 = 0\nexit",
	"part of a pointer loaded":          "*(u64 *)(r10 - 8) = r1\nr0 = *(u32 *)(r10 - 8)\nexit",
	"part of a pointer stored":          "*(u32 *)(r10 - 8) = r1\nr0 = 0\nexit",
	"a part of the context set":         "r2 = 0\n*(u32 *)(r1 + 48) = r2\nr0 = 0\nexit",
	"another part of the context set":   "r2 = 0\n*(u32 *)(r1 + 8) = r2\nr0 = 0\nexit",
	"the context moved":                 "r1 += 4\nr0 = *(u32 *)(r1 + 0)\nexit",
	"a loop":                            "r0 = 0\nl: r0 += 1\nif r0 < 10 goto l\nexit",
	"an atomic sum":                     "r2 = 0\n*(u64 *)(r10 - 8) = r2\nlock *(u64 *)(r10 - 8) += r2\nr0 = 0\nexit",
	"may_goto":                          "r0 = 0\nmay_goto +0\nexit",
	"a function of the program":         "call pc+1\nexit\nr0 = 0\nexit",
	"a function that is not known here": "call 5\nr0 = 0\nexit",
	"a function of other programs":      "r2 = 0\ncall 39\nr0 = 0\nexit",
	"a function that nobody has":        "call 9999\nr0 = 0\nexit",
	"a call for some bytes":             "r6 = r1\ncall 7\nr0 &= 3\nr4 = r0\nr4 += 1\nr3 = r10\nr3 += -8\nr2 = 0\nr1 = r6\ncall 26\nr0 = 0\nexit",
	"a call for too many bytes":         "r4 = 16\nr3 = r10\nr3 += -8\nr2 = 0\ncall 26\nr0 = 0\nexit",
	"a call for no place":               "r4 = 4\nr3 = 0\nr2 = 0\ncall 26\nr0 = 0\nexit",
	"a map that is not there":           "r1 = map[id:1]\nr0 = 0\nexit",
	"division by zero":                  "r0 = 1\nr0 /= 0\nexit",
	"what nothing leads to":             "r0 = 0\ngoto l\nr0 = 1\nl: exit",
	"no end":                            "r0 = 0",
}

// Of programs that others wrote the report says nothing that is not so.
func TestReportIsHonest(t *testing.T) {
	requireKernel(t)
	doubted, taken := 0, 0
	for name, text := range handWritten {
		p, err := ebpf.Assemble([]byte(text))
		require.NoError(t, err, name)
		o := askBoth(t, name, p, ebpf.Socket, kernel.SocketFilter)
		require.False(t, o.wrong(), "%s: foretold was %v", name, o.Refusals)
		if len(o.Doubts) > 0 {
			doubted++
			if o.loaded {
				taken++
			}
		}
	}
	t.Logf("%d programs, of which %d are doubted, and %d of these loaded", len(handWritten), doubted, taken)
	require.Greater(t, taken, doubted/2, "a doubt about what is never loaded is a refusal")

	p, err := ebpf.Assemble([]byte("r2 = *(u32 *)(r1 + 76)\nr3 = *(u32 *)(r1 + 80)\nr4 = r2\nr4 += 1\nr0 = 0\nif r4 > r3 goto l\n*(u8 *)(r2 + 0) = r0\nl: exit"))
	require.NoError(t, err)
	require.Empty(t, askBoth(t, "a change of the packet", p, ebpf.TC, kernel.TC).Refusals)
}

// Translations in which something was changed are mostly wrong in one place. What the report says of them holds too, but for a few
// that are wrong on a path which the verifier knows that no run takes.
func TestReportIsHonestAboutBroken(t *testing.T) {
	requireKernel(t)
	programs := 500
	if testing.Short() {
		programs = 60
	}
	var refused, wrong, doubted, loaded int
	for seed := range uint64(programs) {
		r := rand.New(rand.NewPCG(seed, 14))
		for _, v := range everywhere() {
			p := GenProgram(r, GenOptions{MaxLen: 30})
			x, err := translate.Translate(p, v.opts)
			if err != nil || r.IntN(6) != 0 {
				continue
			}
			o := askBoth(t, v.name, breakOne(r, x.Program), v.opts.Target.ABI(), v.kind)
			switch {
			case o.wrong():
				t.Logf("%s: foretold was %v", v.name, o.Refusals)
				wrong++
			case len(o.Refusals) > 0:
				refused++
			case len(o.Doubts) > 0:
				doubted++
			default:
				loaded++
			}
		}
	}
	t.Logf("%d refused, %d not though foretold, %d doubted, %d loaded", refused, wrong, doubted, loaded)
	require.LessOrEqual(t, wrong, 1+refused/100)
	require.Greater(t, min(refused, doubted, loaded), programs/60)
}

// breakOne changes one field of one instruction.
func breakOne(r *rand.Rand, p ebpf.Program) ebpf.Program {
	p = slices.Clone(p)
	ins := &p[r.IntN(len(p))]
	switch r.IntN(6) {
	case 0:
		ins.Dst = ebpf.Register(r.IntN(11))
	case 1:
		ins.Src = ebpf.Register(r.IntN(11))
	case 2:
		ins.Off += int16(r.IntN(9) - 4)
	case 3:
		ins.Imm += int32(r.IntN(9) - 4)
	case 4:
		ins.Op = p[r.IntN(len(p))].Op
	default:
		*ins = ebpf.Mov.Imm(ebpf.R0, 0)
	}
	return p
}
