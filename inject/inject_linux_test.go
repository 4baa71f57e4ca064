package inject_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/inject"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel/kerneltest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// stubs are the functions of the host that filters go to, one after the other.
var stubs = []struct {
	symbol, program string
	inject.Options
}{
	{"filter_stub", "xdp_prog", inject.Options{Optimize: 2}},
	{"verdict_stub", "tc_prog", inject.Options{Verdict: true}},
	{"probe_stub", "probe_prog", inject.Options{Verdict: true, Optimize: 1, Access: translate.AccessProbe}},
}

// inObject puts filters into all stubs of the host, first into the file and then into the one that comes of it.
func inObject(object []byte, filter cbpf.Program) (_ *cilium.CollectionSpec, err error) {
	for _, stub := range stubs {
		if object, _, err = inject.Object(object, stub.symbol, filter, stub.Options); err != nil {
			return nil, err
		}
	}
	return cilium.LoadCollectionSpecFromReader(bytes.NewReader(object))
}

// inInstructions puts filters into the programs that the loader has made of the host.
func inInstructions(object []byte, filter cbpf.Program) (*cilium.CollectionSpec, error) {
	spec, err := cilium.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	for _, stub := range stubs {
		p := spec.Programs[stub.program]
		if p.Instructions, err = inject.Instructions(p.Instructions, stub.symbol, filter, stub.Options); err != nil {
			return nil, err
		}
	}
	return spec, nil
}

// judge loads the host with a filter in it, and holds what it returns against the reference. It reports whether a stub can
// have the filter.
func judge(t *testing.T, name string, p cbpf.Program, packets []cbpf.Packet, into func() (*cilium.CollectionSpec, error)) bool {
	spec, err := into()
	var lacks *translate.SnippetError
	if errors.As(err, &lacks) {
		return false
	}
	require.NoError(t, err, name)
	delete(spec.Programs, "constant_prog")
	coll, err := cilium.NewCollection(spec)
	require.NoError(t, err, name)
	defer coll.Close()
	matches := [2]uint64{}
	for _, pkt := range packets {
		if len(pkt.Data) < 60 || len(pkt.Data) > 3400 {
			continue
		}
		seen := cbpf.Packet{Data: pkt.Data, WireLen: uint32(len(pkt.Data)), Meta: cbpf.Meta{NoLink: true, NetOff: -1}}
		want, err := cbpf.Run(p, &seen)
		require.NoError(t, err)
		for _, program := range []string{"tc_prog", "probe_prog"} {
			got, err := coll.Programs[program].Run(&cilium.RunOptions{Data: pkt.Data})
			require.NoError(t, err)
			require.Equal(t, want, got, "%s, %s: packet %x", program, name, pkt.Data)
		}
		got, err := coll.Programs["xdp_prog"].Run(&cilium.RunOptions{Data: pkt.Data})
		require.NoError(t, err)
		match := min(want, 1)
		require.Equal(t, match+2, got, "%s: packet %x", name, pkt.Data)
		matches[match] += 3
	}
	for key, want := range matches { // the function behind the stub has counted
		var n uint64
		require.NoError(t, coll.Maps["counters"].Lookup(uint32(key), &n))
		require.Equal(t, want, n, name)
	}
	return true
}

// The filters of the tree, in object files and in loaded programs.
func TestFilters(t *testing.T) {
	kerneltest.Require(t)
	object := compileHost(t)
	files, err := filepath.Glob("../testdata/filters/*.d")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	r := rand.New(rand.NewPCG(2, 2))
	served := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		p, err := cbpf.Parse(text)
		require.NoError(t, err)
		var packets []cbpf.Packet
		for range 20 {
			packets = append(packets, difftest.GenPacket(r, p))
		}
		name := filepath.Base(file)
		fits := judge(t, name, p, packets, func() (*cilium.CollectionSpec, error) { return inObject(object, p) })
		require.Equal(t, fits, judge(t, name, p, packets, func() (*cilium.CollectionSpec, error) { return inInstructions(object, p) }))
		if fits {
			served++
		}
	}
	t.Logf("%d of %d filters", served, len(files))
	require.Greater(t, served, len(files)*3/4)
}

func TestRandomPrograms(t *testing.T) {
	kerneltest.Require(t)
	for _, version := range []string{"-mcpu=v1", "-mcpu=v3"} {
		object := compileHost(t, version)
		for seed := range uint64(25) {
			r := rand.New(rand.NewPCG(seed, 5))
			p := difftest.GenProgram(r, difftest.GenOptions{MaxLen: 60, Exts: []cbpf.Ext{cbpf.ExtXorX}})
			var packets []cbpf.Packet
			for range 8 {
				packets = append(packets, difftest.GenPacket(r, p))
			}
			require.True(t, judge(t, version, p, packets, func() (*cilium.CollectionSpec, error) { return inObject(object, p) }))
			require.True(t, judge(t, version, p, packets, func() (*cilium.CollectionSpec, error) { return inInstructions(object, p) }))
		}
	}
}
