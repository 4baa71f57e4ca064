package difftest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/google/gopacket/pcapgo"
	"github.com/stretchr/testify/require"
)

// BenchmarkFilter runs filters over the packets of mixed.pcap, which all fit into the cache, in every engine that is fast
// enough, one packet a call; and the machine code over all of them in one call.
func BenchmarkFilter(b *testing.B) {
	records := readTrace(b, filepath.Join(pcapDir, "mixed.pcap"))
	engines, err := EnginesByName([]string{"xnet", "interp", "jit"})
	require.NoError(b, err)
	for _, filter := range []string{"ip.d", "tcp-port-80.d", "http-get.d", "hosts-80.d"} {
		p := readFilter(b, filter)
		for _, e := range engines {
			b.Run(filter+"/"+e.Name, func(b *testing.B) {
				r, err := e.Prepare(p, LinkEthernet)
				require.NoError(b, err)
				for b.Loop() {
					for i := range records {
						if _, err := r.Verdict(&records[i].Packet); err != nil {
							b.Fatal(err)
						}
					}
				}
				perPacket(b, len(records))
			})
		}
		for level := range translate.MaxOptimize + 1 {
			b.Run(fmt.Sprintf("%s/jit-batch-O%d", filter, level), func(b *testing.B) { benchmarkBatch(b, p, records, level) })
		}
	}
}

func perPacket(b *testing.B, packets int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*packets), "ns/packet")
}

// batch lays the packets out in one buffer.
func batch(records []Record) (buf []byte, descs []jit.Desc) {
	for _, r := range records {
		descs = append(descs, jit.Desc{Off: uint32(len(buf)), CapLen: uint32(len(r.Data)), WireLen: r.WireLen})
		buf = append(buf, r.Data...)
	}
	return buf, descs
}

func benchmarkBatch(b *testing.B, p cbpf.Program, records []Record, level int) {
	opts := LinkEthernet.Options(translate.User)
	opts.Optimize = level
	r, err := translate.Translate(p, opts)
	require.NoError(b, err)
	f, err := jit.Compile(r.Program)
	require.NoError(b, err)
	defer f.Close()
	buf, descs := batch(records)
	verdicts := make([]uint32, len(descs))
	for b.Loop() {
		if err := f.RunBatch(buf, descs, nil, verdicts); err != nil {
			b.Fatal(err)
		}
	}
	perPacket(b, len(records))
}

// BenchmarkTrace reads a pcap file of 16 MB out of memory: by the batch, by the packet, and with gopacket alone.
func BenchmarkTrace(b *testing.B) {
	whole, err := os.ReadFile(filepath.Join(pcapDir, "mixed.pcap"))
	require.NoError(b, err)
	file := append(whole[:pcapHeaderSize:pcapHeaderSize], bytes.Repeat(whole[pcapHeaderSize:], 16<<20/len(whole))...)
	run := func(name string, read func() (packets int, err error)) {
		b.Run(name, func(b *testing.B) {
			packets := 0
			for b.Loop() {
				n, err := read()
				require.ErrorIs(b, err, io.EOF)
				packets = n
			}
			perPacket(b, packets)
		})
	}
	run("batches", func() (packets int, err error) {
		trace, err := NewTrace(bytes.NewReader(file), "f")
		var batch Batch
		for err == nil {
			err = trace.ReadBatch(&batch)
			packets += len(batch.Descs)
		}
		return packets, err
	})
	run("packets", func() (packets int, err error) {
		trace, err := NewTrace(bytes.NewReader(file), "f")
		for ; err == nil; packets++ {
			_, err = trace.Next()
		}
		return packets - 1, err
	})
	run("gopacket", func() (packets int, err error) {
		r, err := pcapgo.NewReader(bufio.NewReaderSize(bytes.NewReader(file), batchSize))
		for ; err == nil; packets++ {
			_, _, err = r.ZeroCopyReadPacketData()
		}
		return packets - 1, err
	})
}
