package cbpf_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// Filters by hand, and what they do to some calls, worked out by hand.
func TestSeccompTable(t *testing.T) {
	const allow, eperm, kill = 0x7fff0000, 0x00050001, 0
	for _, tc := range []struct {
		name  string
		prog  cbpf.Program
		archs []cbpf.Arch
		rows  map[string]string // by architecture (empty: any other) and calls
		count int               // rows; 0: whatever
	}{
		{
			name: "one answer for all",
			prog: filter([4]uint32{0x06, 0, 0, allow}),
			rows: map[string]string{"x86_64 every call": "ALLOW", "every call": "ALLOW"}, count: 2,
		},
		{
			name: "two architectures, one call",
			prog: filter(
				[4]uint32{0x20, 0, 0, 4},
				[4]uint32{0x15, 0, 3, 0xc00000b7}, // aarch64
				[4]uint32{0x20, 0, 0, 0}, [4]uint32{0x15, 0, 4, 56}, [4]uint32{0x06, 0, 0, eperm},
				[4]uint32{0x15, 0, 1, 0x1234}, [4]uint32{0x06, 0, 0, eperm},
				[4]uint32{0x06, 0, 0, kill},
				[4]uint32{0x06, 0, 0, allow}),
			rows: map[string]string{
				"aarch64 openat": "ERRNO(1)", "aarch64 read": "ALLOW", "aarch64 all other numbers": "ALLOW",
				"0x00001234 every call": "ERRNO(1)", "every call": "KILL_THREAD",
			},
		},
		{
			name: "clone without namespaces",
			prog: filter(
				[4]uint32{0x20, 0, 0, 0}, [4]uint32{0x15, 0, 3, 56}, // clone
				[4]uint32{0x20, 0, 0, 16}, [4]uint32{0x45, 0, 1, 0x7e020000}, [4]uint32{0x06, 0, 0, eperm},
				[4]uint32{0x06, 0, 0, allow}),
			rows: map[string]string{
				"x86_64 clone": "ALLOW if args[0] & 0x7e020000 == 0, else ERRNO(1)", "x86_64 read": "ALLOW",
				"x86_64 all other numbers": "ALLOW", "56": "ALLOW if args[0] & 0x7e020000 == 0, else ERRNO(1)",
			},
		},
		{
			name: "64 bits are greater",
			prog: filter(
				[4]uint32{0x20, 0, 0, 28}, [4]uint32{0x25, 3, 0, 1}, [4]uint32{0x15, 0, 3, 1},
				[4]uint32{0x20, 0, 0, 24}, [4]uint32{0x25, 0, 1, 16},
				[4]uint32{0x06, 0, 0, eperm}, [4]uint32{0x06, 0, 0, allow}),
			rows: map[string]string{"every call": "ERRNO(1) if args[1] >= 0x100000011, else ALLOW"},
		},
		{
			name: "three bits, whichever way",
			prog: filter(
				[4]uint32{0x20, 0, 0, 16}, [4]uint32{0x45, 0, 0, 1}, [4]uint32{0x45, 0, 0, 2},
				[4]uint32{0x45, 0, 1, 4}, [4]uint32{0x06, 0, 0, 0x00030007}, [4]uint32{0x06, 0, 0, allow}),
			rows: map[string]string{"every call": "TRAP(7) if args[0] & 0x4 != 0, else ALLOW"},
		},
		{
			name: "a path that does not exist",
			prog: filter(
				[4]uint32{0x20, 0, 0, 16}, [4]uint32{0x54, 0, 0, 3}, [4]uint32{0x15, 0, 3, 2},
				[4]uint32{0x20, 0, 0, 16}, [4]uint32{0x45, 0, 1, 1}, [4]uint32{0x06, 0, 0, kill}, [4]uint32{0x06, 0, 0, allow}),
			rows: map[string]string{"every call": "ALLOW"},
		},
		{
			name: "odd numbers",
			prog: filter(
				[4]uint32{0x20, 0, 0, 0}, [4]uint32{0x45, 0, 1, 1}, [4]uint32{0x06, 0, 0, eperm}, [4]uint32{0x06, 0, 0, allow}),
			rows: map[string]string{
				"x86_64 read": "ALLOW", "x86_64 write": "ERRNO(1)",
				"x86_64 all other numbers": "ERRNO(1) if nr & 1 == 1, else ALLOW",
			},
		},
		{
			name: "x32",
			prog: filter(
				[4]uint32{0x20, 0, 0, 0}, [4]uint32{0x45, 0, 1, 0x40000000}, [4]uint32{0x06, 0, 0, kill}, [4]uint32{0x06, 0, 0, allow}),
			rows: map[string]string{"x86_64 0x40000000..0x7fffffff, 0xc0000000..0xffffffff": "KILL_THREAD", "x86_64 read": "ALLOW"},
		},
		{
			name: "x32 read",
			prog: filter([4]uint32{0x20, 0, 0, 0}, [4]uint32{0x15, 0, 1, 0x40000000}, [4]uint32{0x06, 0, 0, kill}, [4]uint32{0x06, 0, 0, allow}),
			rows: map[string]string{"x86_64 x32:read": "KILL_THREAD", "x86_64 all other numbers": "ALLOW"},
		},
		{
			name: "computed, and division by 0",
			prog: filter([4]uint32{0x20, 0, 0, 16}, [4]uint32{0x07, 0, 0, 0}, [4]uint32{0x00, 0, 0, 100}, [4]uint32{0x3c, 0, 0, 0}, [4]uint32{0x16, 0, 0, 0}),
			rows: map[string]string{"every call": "KILL_THREAD if low32(args[0]) == 0, else ret 100 / low32(args[0])"},
		},
		{
			name: "two arguments compared",
			prog: filter([4]uint32{0x20, 0, 0, 16}, [4]uint32{0x07, 0, 0, 0}, [4]uint32{0x20, 0, 0, 24}, [4]uint32{0x2d, 0, 1, 0}, [4]uint32{0x06, 0, 0, eperm}, [4]uint32{0x06, 0, 0, allow}),
			rows: map[string]string{"every call": "ALLOW if low32(args[1]) > low32(args[0]) == 0, else ERRNO(1)"},
		},
		{
			name:  "another architecture than asked for",
			prog:  filter([4]uint32{0x20, 0, 0, 4}, [4]uint32{0x15, 1, 0, 0xc000003e}, [4]uint32{0x06, 0, 0, kill}, [4]uint32{0x06, 0, 0, allow}),
			archs: []cbpf.Arch{cbpf.ArchI386},
			rows:  map[string]string{"i386 every call": "KILL_THREAD", "every call": "ALLOW if arch == 0xc000003e, else KILL_THREAD"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rows, err := cbpf.SeccompTable(tc.prog, tc.archs)
			require.NoError(t, err)
			got := make(map[string]string)
			for _, row := range rows {
				key := row.Calls()
				if !row.AnyOther {
					key = row.Arch.String() + " " + key
				}
				got[key] = row.Actions()
			}
			for key, want := range tc.rows {
				require.Equal(t, want, got[key], "%s in %v", key, got)
			}
			if tc.count != 0 {
				require.Len(t, rows, tc.count)
			}
			checkTable(t, tc.prog, tc.archs, rand.New(rand.NewPCG(1, 2)), 2000)
		})
	}
}

// checkTable holds a table against runs on random data: exactly one outcome holds, and its value is the verdict.
func checkTable(t *testing.T, p cbpf.Program, archs []cbpf.Arch, rnd *rand.Rand, runs int) {
	t.Helper()
	rows, err := cbpf.SeccompTable(p, archs)
	if errors.Is(err, cbpf.ReasonSeccompPaths) {
		return
	}
	require.NoError(t, err)
	index := make(map[cbpf.Arch][]cbpf.SeccompRow)
	for _, row := range rows {
		if !row.AnyOther {
			index[row.Arch] = append(index[row.Arch], row)
		}
	}
	var others []cbpf.SeccompRow
	for _, row := range rows {
		if row.AnyOther {
			others = append(others, row)
		}
	}
	pool := interesting(p)
	for range runs {
		d := randomData(rnd, pool)
		list, ok := index[d.Arch]
		if !ok {
			list = others
		}
		want, err := cbpf.RunSeccomp(p, &d)
		require.NoError(t, err)
		checkRow(t, p, rowOf(t, list, uint32(d.Nr)), &d, want)
	}
}

func checkRow(t *testing.T, p cbpf.Program, row cbpf.SeccompRow, d *cbpf.SeccompData, want uint32) {
	t.Helper()
	holding := 0
	for _, o := range row.Outcomes {
		if !o.When.Holds(d) {
			continue
		}
		holding++
		require.Equal(t, cbpf.Action(want).Effective(), cbpf.Action(o.Value(d)).Effective(), "%+v\n%v\n%v", *d, row, p)
		if !o.Computed {
			require.Equal(t, cbpf.Action(want).String(), o.Action.String(), "%+v\n%v\n%v", *d, row, p)
		}
	}
	require.Equal(t, 1, holding, "%+v, verdict %#x\n%v\n%v", *d, want, row, p)
}

// rowOf returns the one row of a list that has a number.
func rowOf(t *testing.T, list []cbpf.SeccompRow, nr uint32) cbpf.SeccompRow {
	t.Helper()
	var found []cbpf.SeccompRow
	for _, row := range list {
		for _, r := range row.Numbers {
			if r.First <= nr && nr <= r.Last {
				found = append(found, row)
			}
		}
	}
	require.Len(t, found, 1, "number %#x", nr)
	return found[0]
}

// interesting returns words near those that a program mentions.
func interesting(p cbpf.Program) []uint32 {
	pool := []uint32{0, 1, 2, 0xffffffff, 0x40000000, 0xc000003e, 0x40000003, 0xc00000b7}
	for _, ins := range p {
		pool = append(pool, ins.K, ins.K+1, ins.K-1)
	}
	slices.Sort(pool)
	return slices.Compact(pool)
}

// randomData returns data whose words are often from a pool, and often 0.
func randomData(rnd *rand.Rand, pool []uint32) cbpf.SeccompData {
	word := func() uint32 {
		switch rnd.IntN(8) {
		case 0:
			return rnd.Uint32()
		case 1, 2:
			return 0
		case 3:
			return rnd.Uint32N(500)
		case 4:
			k := pool[rnd.IntN(len(pool))]
			return k | pool[rnd.IntN(len(pool))]
		}
		return pool[rnd.IntN(len(pool))]
	}
	pair := func() uint64 { return uint64(word())<<32 | uint64(word()) }
	d := cbpf.SeccompData{Nr: int32(word()), Arch: cbpf.ArchX86_64, InstructionPointer: pair()}
	switch rnd.IntN(4) {
	case 0:
		d.Arch = cbpf.Arch(word())
	case 1:
		d.Arch = cbpf.Archs()[rnd.IntN(len(cbpf.Archs()))]
	}
	for i := range d.Args {
		d.Args[i] = pair()
		if rnd.IntN(2) == 0 {
			d.Args[i] &= 0xffffffff
		}
	}
	return d
}

// The filters that are in use.
func TestSeccompTableOfCorpus(t *testing.T) {
	for name, p := range seccompCorpus(t) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, cbpf.ValidateSeccomp(p))
			_, err := cbpf.SeccompTable(p, nil)
			require.NoError(t, err)
			checkTable(t, p, nil, rand.New(rand.NewPCG(1, 2)), 3000)
			checkTable(t, p, []cbpf.Arch{cbpf.ArchARM, cbpf.ArchX86_64}, rand.New(rand.NewPCG(3, 4)), 1000)
		})
	}
}

// seccompCorpus reads the raw programs that lie beside the repository, by name.
func seccompCorpus(t *testing.T) map[string]cbpf.Program {
	files, err := filepath.Glob(filepath.Join("..", "..", "shared", "corpus", "seccomp", "*.bin"))
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("skipped: there is no corpus of seccomp filters beside the repository")
	}
	corpus := make(map[string]cbpf.Program)
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		var p cbpf.Program
		for ; len(b) >= 8; b = b[8:] {
			p = append(p, bpf.RawInstruction{Op: binary.LittleEndian.Uint16(b), Jt: b[2], Jf: b[3], K: binary.LittleEndian.Uint32(b[4:])})
		}
		corpus[strings.TrimSuffix(filepath.Base(file), ".bin")] = p
	}
	return corpus
}

// Random filters: short ones with everything that a filter may have.
func TestSeccompTableOfRandomFilters(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	tables, given := 0, 3000
	for range given {
		p := randomFilter(rnd, 4+rnd.IntN(40))
		if cbpf.ValidateSeccomp(p) != nil {
			continue
		}
		tables++
		checkTable(t, p, nil, rnd, 60)
	}
	require.Greater(t, tables, given/2)
}

// randomFilter returns a program that is mostly a valid seccomp filter.
func randomFilter(rnd *rand.Rand, length int) cbpf.Program {
	ks := []uint32{0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 0x40000000, 0x80000000, 0xffffffff, 0xc000003e, 0x40000003}
	p := make(cbpf.Program, length)
	for pc := range p {
		left := length - 1 - pc
		ins := bpf.RawInstruction{K: ks[rnd.IntN(len(ks))]}
		switch rnd.IntN(10) {
		case 0, 1, 2:
			ins.Op, ins.K = 0x20, 4*rnd.Uint32N(16)
		case 3, 4, 5, 6:
			ins.Op = []uint16{0x15, 0x25, 0x35, 0x45, 0x1d, 0x2d, 0x3d, 0x4d, 0x15, 0x45, 0x15, 0x35}[rnd.IntN(12)]
			if left > 0 {
				ins.Jt, ins.Jf = uint8(rnd.IntN(min(left, 12))), uint8(rnd.IntN(min(left, 12)))
			}
		case 7:
			ins.Op, ins.K = []uint16{0x02, 0x03, 0x60, 0x61}[rnd.IntN(4)], rnd.Uint32N(3)
		case 8:
			ins.Op = seccompOps[rnd.IntN(len(seccompOps))]
			if row := cbpf.Info(ins.Op); row.Fn == cbpf.Lsh || row.Fn == cbpf.Rsh {
				ins.K &= 31
			} else if row.Form == cbpf.FormMem {
				ins.K = 0
			} else if row.Form == cbpf.FormJump {
				ins.K = 0
			} else if row.Fn == cbpf.Div {
				ins.K |= 1
			} else if row.Form == cbpf.FormAbs {
				ins.K &= 0x3c
			}
		case 9:
			ins.Op = []uint16{0x54, 0x54, 0x04, 0x74, 0x07, 0x87, 0x06, 0x16}[rnd.IntN(8)]
			if ins.Op == 0x74 {
				ins.K &= 31
			}
		}
		p[pc] = ins
	}
	for i := range min(3, length) {
		p[i] = bpf.RawInstruction{Op: 0x02, K: uint32(i)}
	}
	p[length-1] = []bpf.RawInstruction{retK, retA}[rnd.IntN(2)]
	return p
}

// A filter that is built to have too many paths ends with an error, and soon.
func TestSeccompTableTooManyPaths(t *testing.T) {
	var p cbpf.Program
	for i := range uint32(16) { // M[i] depends on bit i
		p = append(p, filter(
			[4]uint32{0x20, 0, 0, 16}, [4]uint32{0x45, 0, 2, 1 << i},
			[4]uint32{0x00, 0, 0, 1}, [4]uint32{0x05, 0, 0, 1}, [4]uint32{0x00, 0, 0, 2}, [4]uint32{0x02, 0, 0, i})...)
	}
	for i := range uint32(16) {
		p = append(p, filter([4]uint32{0x61, 0, 0, i}, [4]uint32{0x0c, 0, 0, 0})...)
	}
	p = append(p, retA)
	require.NoError(t, cbpf.ValidateSeccomp(p))
	_, err := cbpf.SeccompTable(p, nil)
	require.ErrorIs(t, err, cbpf.ReasonSeccompPaths)
	_, err = cbpf.SeccompTable(cbpf.Program{{Op: 0x28}, retK}, nil)
	require.ErrorIs(t, err, cbpf.ReasonSeccompOpcode)
}

func FuzzSeccompTable(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint64(1))
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		p := randomFilter(rnd, 5+rnd.IntN(60))
		for i := 0; i+8 <= len(raw); i += 8 {
			p[int(raw[i]+raw[i+1])%(len(p)-1)] = bpf.RawInstruction{Op: uint16(raw[i]), Jt: raw[i+2] % 16, Jf: raw[i+3] % 16, K: binary.LittleEndian.Uint32(raw[i+4:])}
		}
		if cbpf.ValidateSeccomp(p) == nil {
			checkTable(t, p, nil, rnd, 100)
		}
	})
}

func BenchmarkSeccompTable(b *testing.B) {
	p := filter([4]uint32{0x20, 0, 0, 0})
	for i := range uint32(2000) {
		p = append(p, filter([4]uint32{0x15, 0, 1, 3 * i}, [4]uint32{0x06, 0, 0, 0x50000 + i%200})...)
	}
	p = append(p, retK)
	for b.Loop() {
		if _, err := cbpf.SeccompTable(p, nil); err != nil {
			b.Fatal(err)
		}
	}
}
