package difftest

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

// vectorEngines judge packets 16 at a time, of plain and of optimised translations.
var vectorEngines = []Engine{{"vector", prepareVector(0)}, {"vector-O2", prepareVector(translate.MaxOptimize)}}

// prepareVector runs the translation for User on vectors.
func prepareVector(optimize int) func(cbpf.Program, LinkType) (*Runner, error) {
	return func(p cbpf.Program, link LinkType) (*Runner, error) {
		opts := link.Options(translate.User)
		opts.Optimize = optimize
		return newCrowd(p, opts)
	}
}

func newCrowd(p cbpf.Program, opts translate.Options) (*Runner, error) {
	x, err := prepareTranslated(p, opts)
	if err != nil {
		return nil, err
	}
	f, err := jit.Compile(x)
	var unavailable *jit.UnavailableError
	if errors.As(err, &unavailable) {
		return nil, cannot("%v", err)
	}
	if err != nil {
		return nil, err
	}
	f.SetVector(jit.VectorAlways)
	var refused *jit.VectorError
	if _, why := f.Vector(); errors.As(why, &refused) {
		return nil, errors.Join(cannot("%s", refused.Reason), f.Close())
	}
	c := &crowd{f: f}
	return &Runner{Verdict: c.verdict, Sees: userView(opts), Close: f.Close}, nil
}

// crowd runs each packet among those that came before it, which must get the verdict that they got then.
type crowd struct {
	f      *jit.Func
	buf    []byte
	descs  []jit.Desc
	before []uint32
	runs   int
}

const (
	crowdSize  = 33 // two groups and one that overlaps
	crowdBytes = 42 // shorter packets are left to the scalar body, and whoever stands among them
)

func (c *crowd) verdict(pkt *cbpf.Packet) (uint32, error) {
	if len(pkt.Data) < crowdBytes {
		return c.alone(pkt)
	}
	if len(c.descs) == crowdSize { // the oldest makes room
		gone := c.descs[0].CapLen
		c.buf, c.descs, c.before = c.buf[gone:], c.descs[1:], c.before[1:]
		for i := range c.descs {
			c.descs[i].Off -= gone
		}
	}
	c.descs = append(c.descs, jit.Desc{Off: uint32(len(c.buf)), CapLen: uint32(len(pkt.Data)), WireLen: pkt.WireLen})
	c.buf = append(c.buf, pkt.Data...)
	c.runs++
	turn := c.runs % len(c.descs) // each packet comes to each lane
	descs := append(append([]jit.Desc(nil), c.descs[turn:]...), c.descs[:turn]...)
	for len(descs) < crowdSize {
		descs = append(descs, descs[0])
	}
	verdicts := make([]uint32, len(descs))
	if err := c.f.RunBatch(c.buf, descs, nil, verdicts); err != nil {
		return 0, err
	}
	verdict := verdicts[len(c.descs)-1-turn]
	c.before = append(c.before, verdict)
	for i := range descs {
		if was := c.before[(i+turn)%len(c.descs)]; i < len(c.descs) && was != verdicts[i] {
			return 0, fmt.Errorf("%d in this crowd, %d in another", verdicts[i], was)
		}
	}
	return verdict, nil
}

// alone runs one packet in all lanes.
func (c *crowd) alone(pkt *cbpf.Packet) (uint32, error) {
	descs, verdicts := make([]jit.Desc, crowdSize), make([]uint32, crowdSize)
	for i := range descs {
		descs[i] = jit.Desc{CapLen: uint32(len(pkt.Data)), WireLen: pkt.WireLen}
	}
	err := c.f.RunBatch(pkt.Data, descs, nil, verdicts)
	for _, v := range verdicts {
		if v != verdicts[0] {
			return 0, fmt.Errorf("verdicts %v for the same packet", verdicts)
		}
	}
	return verdicts[0], err
}

func requireVectors(t testing.TB) {
	r, err := newCrowd(cbpf.Program{{Op: 0x06, K: 1}}, LinkEthernet.Options(translate.User))
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	require.NoError(t, r.Close())
}

// eachWidth runs a test with as many lanes as there are, and with eight.
func eachWidth(t *testing.T, test func(t *testing.T, r *Report)) {
	for _, lanes := range []string{"", "8"} {
		t.Run("lanes"+lanes, func(t *testing.T) {
			t.Setenv(jit.VectorVariable, lanes)
			requireVectors(t)
			var r Report
			test(t, &r)
			requireAgreement(t, &r, "vector", "vector-O2")
		})
	}
}

func TestVectorsAgreeOnTraces(t *testing.T) {
	eachWidth(t, func(t *testing.T, r *Report) {
		for _, trace := range pcaps {
			compareOn(t, r, filters(t), vectorEngines, filepath.Join(pcapDir, trace.name), 1<<20)
		}
		for _, path := range realTraces(t) {
			if _, err := readFile(path); err == nil {
				compareOn(t, r, filters(t), vectorEngines, path, 200)
			}
		}
	})
}

func TestVectorsAgreeOnCorpus(t *testing.T) {
	programs := corpusPrograms(t)
	var crafted []Record
	for _, p := range Crafted() {
		if p.Link == LinkEthernet {
			crafted = append(crafted, Record{Packet: p.Packet, Link: p.Link})
		}
	}
	require.NotEmpty(t, crafted)
	eachWidth(t, func(t *testing.T, r *Report) {
		for _, p := range programs {
			r.compareProgram(p, vectorEngines, "crafted", crafted, 0, nil)
		}
		for _, trace := range pcaps {
			compareOn(t, r, programs, vectorEngines, filepath.Join(pcapDir, trace.name), 100)
		}
	})
}

func TestVectorsAgreeOnRandomPrograms(t *testing.T) {
	every := uint64(11)
	if testing.Short() {
		every = 499
	}
	eachWidth(t, func(t *testing.T, r *Report) {
		for seed := range everyNth(randomPrograms, every) {
			p, records := randomRun(seed, 12)
			r.compareProgram(p, vectorEngines, "random", records, 0, nil)
		}
	})
}
