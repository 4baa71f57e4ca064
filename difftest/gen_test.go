package difftest

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// genCases are options of each kind; tests draw from them in turn.
func genCases() []GenOptions {
	var exts []cbpf.Ext
	for _, info := range cbpf.Exts {
		exts = append(exts, info.Ext)
	}
	return []GenOptions{
		{},
		{MaxLen: 8},
		{MaxLen: 600, Windows: true},
		{MaxLen: 64, Windows: true, Exts: exts},
	}
}

func TestGenProgramIsValid(t *testing.T) {
	count := 50_000
	if testing.Short() {
		count = 5_000
	}
	seen := map[uint16]int{}
	cases := genCases()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range count {
		opts := cases[i%len(cases)]
		p := GenProgram(r, opts)
		if err := cbpf.Validate(p); err != nil {
			t.Fatalf("program %d of %+v: %v", i, opts, err)
		}
		for _, ins := range p {
			seen[ins.Op]++
		}
	}
	for _, info := range cbpf.Ops {
		require.Greater(t, seen[info.Code], count/500, "opcode %#02x %s", info.Code, info.Name)
	}
}

func TestGenProgramLong(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	longest := 0
	for range 200 {
		p := GenProgram(r, GenOptions{MaxLen: 1 << 20})
		require.NoError(t, cbpf.Validate(p))
		longest = max(longest, len(p))
	}
	require.Greater(t, longest, 3000)
	require.LessOrEqual(t, longest, cbpf.MaxInsns)
}

func TestGenProgramIsDeterministic(t *testing.T) {
	a, b := rand.New(rand.NewPCG(5, 6)), rand.New(rand.NewPCG(5, 6))
	for range 100 {
		p := GenProgram(a, GenOptions{})
		require.Equal(t, p, GenProgram(b, GenOptions{}))
		require.Equal(t, GenPacket(a, p), GenPacket(b, p))
	}
}

// Most comparisons that are reached go both ways within a few hundred generated packets. Those that do not are mostly
// those that cannot: a byte above 255, the second of two equal values in a list.
func TestGenPacketTakesBothWays(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	edges, taken := 0, 0
	for range 150 {
		p := GenProgram(r, GenOptions{MaxLen: 64})
		packets := make([]cbpf.Packet, 300)
		for i := range packets {
			packets[i] = GenPacket(r, p)
			require.LessOrEqual(t, uint32(len(packets[i].Data)), packets[i].WireLen)
		}
		for pc, ins := range p {
			if form := cbpf.Info(ins.Op).Form; form != cbpf.FormCondK && form != cbpf.FormCondX {
				continue
			}
			probe := probeOf(p, pc)
			if probe == nil {
				continue
			}
			ways := map[uint32]bool{}
			for i := range packets {
				way, err := cbpf.Run(probe, &packets[i])
				require.NoError(t, err)
				ways[way] = true
			}
			if ways[probeTrue] || ways[probeFalse] {
				edges += 2
			}
			if ways[probeTrue] {
				taken++
			}
			if ways[probeFalse] {
				taken++
			}
		}
	}
	t.Logf("%d of %d edges behind comparisons that are reached", taken, edges)
	require.Greater(t, taken*100, edges*75)
}

const probeTrue, probeFalse = 0xfeed0001, 0xfeed0002

// probeOf is p as far as the comparison at pc, and returns which way that goes; whatever comes behind returns 0. It is nil
// where a jump cannot be made that long.
func probeOf(p cbpf.Program, pc int) cbpf.Program {
	probe := append(cbpf.Program{}, p[:pc+1]...)
	probe[pc].Jt, probe[pc].Jf = 0, 1
	for i := range pc {
		past := func(d int) int {
			if i+1+d > pc {
				return pc + 3 - i - 1
			}
			return d
		}
		switch cbpf.Info(p[i].Op).Form {
		case cbpf.FormJump:
			probe[i].K = uint32(past(int(p[i].K)))
		case cbpf.FormCondK, cbpf.FormCondX:
			jt, jf := past(int(p[i].Jt)), past(int(p[i].Jf))
			if jt > 255 || jf > 255 {
				return nil
			}
			probe[i].Jt, probe[i].Jf = uint8(jt), uint8(jf)
		}
	}
	ret := func(k uint32) { probe = append(probe, cbpf.Program{{Op: cbpf.OpRetK, K: k}}...) }
	ret(probeTrue)
	ret(probeFalse)
	ret(0)
	return probe
}

func BenchmarkGenProgram(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		p := GenProgram(r, GenOptions{})
		GenPacket(r, p)
	}
}
