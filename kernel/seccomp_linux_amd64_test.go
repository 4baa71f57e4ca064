package kernel

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

func requireSeccomp(t testing.TB) {
	t.Helper()
	requireKernel(t, SeccompAvailable())
}

// requireSeccompCheck skips a test where seccomp(2) cannot be asked for its opinion.
func requireSeccompCheck(t testing.TB) {
	t.Helper()
	err := CheckSeccomp(cbpf.Program{ret(0)})
	if !errors.Is(err, ErrUnavailable) {
		require.NoError(t, err)
		err = nil
	}
	requireKernel(t, err)
}

// Each opcode with some operands, and random programs: the rules are those of the running kernel.
func TestValidateSeccompAgreesWithTheKernel(t *testing.T) {
	requireSeccompCheck(t)
	load0 := ins(cbpf.OpLdAbsW, 0, 0, 0)
	store0 := ins(0x02, 0, 0, 0)
	for code := range 1 << 9 {
		for _, k := range []uint32{0, 1, 3, 4, 31, 32, 60, 61, 62, 64, 68, 0x7ffffffc, 0x80000000, cbpf.AdOff, cbpf.AdOff + 64, 0xfffffffc} {
			agreeSeccomp(t, cbpf.Program{store0, load0, ins(uint16(code), 0, 0, k), ret(0), ret(0)})
		}
	}
	for _, p := range []cbpf.Program{nil, {ldImm(1)}, nops(cbpf.MaxInsns-1, ret(0)), nops(cbpf.MaxInsns, ret(0)), nops(1<<16, ret(0))} {
		agreeSeccomp(t, p)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	accepted, total := 0, 6000
	for range total {
		if agreeSeccomp(t, randomFilter(rnd, 1+rnd.IntN(60), true)) {
			accepted++
		}
	}
	t.Logf("%d of %d random programs accepted", accepted, total)
	require.Greater(t, accepted, total/5, "too few valid programs to mean anything")
	require.Less(t, accepted, total*4/5, "too few broken programs to mean anything")
}

// agreeSeccomp fails the test unless ValidateSeccomp and the kernel say the same, and returns what they say.
func agreeSeccomp(t *testing.T, p cbpf.Program) bool {
	t.Helper()
	ours, theirs := cbpf.ValidateSeccomp(p), CheckSeccomp(p)
	if theirs != nil {
		require.ErrorIs(t, theirs, ReasonRefused)
	}
	require.Equal(t, ours == nil, theirs == nil, "ValidateSeccomp: %v\nkernel: %v\n%v", ours, theirs, p)
	return ours == nil
}

// randomFilter returns a seccomp filter; one that breaks a rule now and then, if broken.
func randomFilter(rnd *rand.Rand, length int, broken bool) cbpf.Program {
	p := make(cbpf.Program, length)
	for pc := range p {
		p[pc] = randomFilterInsn(rnd, length-1-pc)
		if broken && rnd.IntN(60) == 0 {
			p[pc] = ins(uint16(rnd.IntN(256)), uint8(rnd.IntN(8)), uint8(rnd.IntN(8)), rnd.Uint32N(70))
		}
	}
	for i := range min(3, length) { // words that are loaded from
		p[i] = ins(0x02, 0, 0, uint32(i))
	}
	p[length-1] = []bpf.RawInstruction{ret(rnd.Uint32()), retA}[rnd.IntN(2)]
	return p
}

// randomFilterInsn returns an instruction that has left others behind it.
func randomFilterInsn(rnd *rand.Rand, left int) bpf.RawInstruction {
	skip := func() uint8 { return uint8(rnd.IntN(min(max(left, 1), 10))) }
	k := []uint32{0, 1, 2, 3, 16, 0x40000000, 0x80000000, 0xffffffff, 0xc000003e, rnd.Uint32()}[rnd.IntN(10)]
	switch rnd.IntN(6) {
	case 0, 1:
		return ins(cbpf.OpLdAbsW, 0, 0, 4*rnd.Uint32N(16))
	case 2:
		code := []uint16{0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d}[rnd.IntN(8)]
		return ins(code, skip(), skip(), k)
	case 3:
		return ins([]uint16{0x02, 0x03, 0x60, 0x61}[rnd.IntN(4)], 0, 0, rnd.Uint32N(3))
	case 4:
		return ins([]uint16{0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x44, 0x4c, 0x54, 0x5c, 0xa4, 0xac, 0x6c, 0x7c, 0x3c, 0x84}[rnd.IntN(16)], 0, 0, k)
	}
	return ins([]uint16{0x00, 0x01, 0x07, 0x87, 0x80, 0x81, 0x64, 0x74, 0x34}[rnd.IntN(9)], 0, 0, 1+rnd.Uint32N(31))
}

func TestSeccompVerdict(t *testing.T) {
	requireSeccomp(t)
	load := func(k uint32) cbpf.Program { return cbpf.Program{ins(cbpf.OpLdAbsW, 0, 0, k), retA} }
	d := cbpf.SeccompData{Nr: 0x12345678, Arch: cbpf.ArchX86_64, InstructionPointer: 0x1122334455667788,
		Args: [6]uint64{1<<63 | 2, 3<<32 | 4, 5<<32 | 6, 7<<32 | 8, 9<<32 | 10, 11<<32 | 12}}
	for k, want := range map[uint32]uint32{0: 0x12345678, 4: 0xc000003e, 8: 0x55667788, 12: 0x11223344,
		16: 2, 20: 1 << 31, 24: 4, 28: 3, 32: 6, 36: 5, 40: 8, 44: 7, 48: 10, 52: 9, 56: 12, 60: 11} {
		got, err := SeccompVerdict(load(k), &d)
		require.NoError(t, err)
		require.Equal(t, want, got, "offset %d", k)
	}
	other := d
	other.Arch, other.Nr = cbpf.ArchI386, -1
	verdicts, err := SeccompVerdicts(load(4), []cbpf.SeccompData{d, other, d})
	require.NoError(t, err)
	require.Equal(t, []uint32{0xc000003e, 0x40000003, 0xc000003e}, verdicts)
	verdicts, err = SeccompVerdicts(load(0), []cbpf.SeccompData{d, other})
	require.NoError(t, err)
	require.Equal(t, []uint32{0x12345678, 0xffffffff}, verdicts)
	verdicts, err = SeccompVerdicts(load(0), nil)
	require.NoError(t, err)
	require.Empty(t, verdicts)

	// 100 / nr
	div := cbpf.Program{ins(cbpf.OpLdAbsW, 0, 0, 0), ins(opTax, 0, 0, 0), ldImm(100), ins(opDivX, 0, 0, 0), retA}
	verdicts, err = SeccompVerdicts(div, []cbpf.SeccompData{{Nr: 3}, {Nr: 0}, {Nr: 100}, {}, {Nr: 1}})
	require.NoError(t, err)
	require.Equal(t, []uint32{33, 0, 1, 0, 100}, verdicts)
}

func TestSeccompVerdictLimits(t *testing.T) {
	requireSeccomp(t)
	d := cbpf.SeccompData{Nr: 5, Arch: cbpf.ArchX86_64}
	got, err := SeccompVerdict(nops(cbpf.MaxInsns-1, ret(7)), &d)
	require.NoError(t, err)
	require.EqualValues(t, 7, got)
	got, err = SeccompVerdict(nops(cbpf.MaxInsns-6, ldImm(0xfedcba98), retA), &d)
	require.NoError(t, err)
	require.EqualValues(t, uint32(0xfedcba98), got)
	_, err = SeccompVerdict(nops(cbpf.MaxInsns-4, retA), &d)
	require.ErrorIs(t, err, ReasonVariant)
	_, err = SeccompVerdict(cbpf.Program{ins(cbpf.OpLdAbsH, 0, 0, 0), ret(0)}, &d)
	require.ErrorIs(t, err, ReasonRefused)
}

// The unaltered filter, in a child: what its actions do to a call.
func TestSeccompActions(t *testing.T) {
	requireSeccomp(t)
	getpid := []call{{nr: unix.SYS_GETPID}}
	for _, test := range []struct {
		action cbpf.Action
		killed bool
		value  int64 // 0: not negative
	}{
		{cbpf.ActionAllow, false, 0},
		{cbpf.ActionAllow | 77, false, 0},
		{cbpf.ActionLog, false, 0},
		{cbpf.ActionErrno | 1, false, -1},
		{cbpf.ActionErrno | 4095, false, -4095},
		{cbpf.ActionErrno | 4096, false, -4095},
		{cbpf.ActionErrno | 0xffff, false, -4095},
		{cbpf.ActionTrace | 3, false, -int64(unix.ENOSYS)},
		{cbpf.ActionUserNotif, false, -int64(unix.ENOSYS)},
		{cbpf.ActionTrap | 3, true, 0},
		{cbpf.ActionKillThread, true, 0},
		{cbpf.ActionKillThread | 9, true, 0},
		{cbpf.ActionKillProcess, true, 0},
		{0x00010000, true, 0},
		{0x12345678, true, 0},
		{0x7ffe0000, true, 0},
		{0xffffffff, true, 0},
	} {
		p := cbpf.Program{ret(uint32(test.action))}
		results, err := perform(p, getpid)
		require.NoError(t, err)
		require.Len(t, results, 1)
		require.Equal(t, test.killed, results[0].killed, "%v", test.action)
		if test.value == 0 {
			require.GreaterOrEqual(t, results[0].value, int64(0), "%v", test.action)
		} else {
			require.Equal(t, test.value, results[0].value, "%v", test.action)
		}
		again, err := perform(cbpf.Program{ret(uint32(test.action.Effective()))}, getpid)
		require.NoError(t, err)
		require.Equal(t, results[0].killed, again[0].killed, "%v has another effect than %v", test.action, test.action.Effective())
		verdict, err := SeccompVerdict(p, &cbpf.SeccompData{Nr: unix.SYS_GETPID, Arch: cbpf.ArchX86_64})
		require.NoError(t, err)
		require.EqualValues(t, test.action, verdict)
	}
}

// Random filters on random calls: the interpreter has the verdicts of the kernel.
func TestRunSeccompAgreesWithTheKernel(t *testing.T) {
	requireSeccomp(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	for filters := 0; filters < 150; {
		p := randomFilter(rnd, 4+rnd.IntN(60), false)
		if cbpf.ValidateSeccomp(p) != nil {
			continue
		}
		filters++
		agreeOnVerdicts(t, p, randomCalls(rnd, p, 40, 2))
	}
}

// agreeOnVerdicts fails the test unless the kernel and the interpreter have the same verdicts.
func agreeOnVerdicts(t *testing.T, p cbpf.Program, data []cbpf.SeccompData) {
	t.Helper()
	verdicts, err := SeccompVerdicts(p, data)
	require.NoError(t, err)
	for i := range data {
		want, err := cbpf.RunSeccomp(p, &data[i])
		require.NoError(t, err)
		require.Equal(t, want, verdicts[i], "%+v\n%v", data[i], p)
	}
}

// randomCalls returns calls near the constants of a filter, from so many scenes.
func randomCalls(rnd *rand.Rand, p cbpf.Program, n, scenes int) []cbpf.SeccompData {
	pool := []uint32{0, 1, 0xffffffff, 0x80000000}
	for _, ins := range p {
		pool = append(pool, ins.K, ins.K+1, ins.K-1)
	}
	word := func() uint64 {
		if rnd.IntN(3) == 0 {
			return uint64(rnd.Uint32N(40))
		}
		return uint64(pool[rnd.IntN(len(pool))])
	}
	var data []cbpf.SeccompData
	for i := range scenes {
		d := cbpf.SeccompData{Arch: cbpf.ArchX86_64, InstructionPointer: word()<<32 | word()}
		if i > 0 {
			d.Arch = cbpf.Arch(word())
		}
		for range n / scenes {
			d.Nr = int32(word())
			for k := range d.Args {
				d.Args[k] = word()<<32*(word()&1) | word()
			}
			data = append(data, d)
		}
	}
	return data
}

// The filters that are in use, on every call there is.
func TestSeccompCorpus(t *testing.T) {
	requireSeccomp(t)
	files, err := filepath.Glob(filepath.Join("..", "..", "shared", "corpus", "seccomp", "*.bin"))
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("skipped: there is no corpus of seccomp filters beside the repository")
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".bin"), func(t *testing.T) {
			p := readFilter(t, file)
			require.NoError(t, cbpf.ValidateSeccomp(p))
			require.NoError(t, CheckSeccomp(p))
			data := append(everyCall(cbpf.ArchX86_64, 0), everyCall(cbpf.ArchX86_64, cbpf.X32Bit)...)
			data = append(data, everyCall(cbpf.ArchI386, 0)...)
			data = append(data, everyCall(cbpf.ArchAArch64, 0)...)
			agreeOnVerdicts(t, p, append(data, randomCalls(rnd, p, 2000, 2)...))
		})
	}
}

// everyCall returns the calls 0 to 500, each with some patterns of arguments.
func everyCall(arch cbpf.Arch, bit int32) []cbpf.SeccompData {
	var data []cbpf.SeccompData
	for nr := range int32(501) {
		d := cbpf.SeccompData{Nr: nr | bit, Arch: arch}
		for _, args := range [][6]uint64{
			{}, {1, 1, 1, 1, 1, 1}, {2, 2, 3, 0x22}, {0x10000000, 0x5412}, {16, 3, 0}, {1 << 32, 1 << 32, 1 << 32, 1 << 32},
			{1<<64 - 1, 1<<64 - 1, 1<<64 - 1, 1<<64 - 1, 1<<64 - 1, 1<<64 - 1}, {0xffffffff, 4, 7, 0x32, 0xffffffff},
		} {
			d.Args = args
			data = append(data, d)
		}
	}
	return data
}

// readFilter reads a raw program.
func readFilter(t *testing.T, file string) cbpf.Program {
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	var p cbpf.Program
	for row := range slices.Chunk(b, 8) {
		p = append(p, ins(binary.LittleEndian.Uint16(row), row[2], row[3], binary.LittleEndian.Uint32(row[4:])))
	}
	return p
}

func BenchmarkSeccompVerdicts(b *testing.B) {
	requireSeccomp(b)
	data := everyCall(cbpf.ArchX86_64, 0)
	for b.Loop() {
		if _, err := SeccompVerdicts(cbpf.Program{ret(1), ret(2)}, data); err != nil {
			b.Fatal(err)
		}
	}
}
