package difftest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/gopacket/pcapgo"
	"github.com/stretchr/testify/require"
)

// pcapForm is one of the four forms of a pcap file.
type pcapForm struct {
	name  string
	order binary.AppendByteOrder
	magic uint32
}

var pcapForms = []pcapForm{
	{"little, micro", binary.LittleEndian, 0xa1b2c3d4},
	{"little, nano", binary.LittleEndian, 0xa1b23c4d},
	{"big, micro", binary.BigEndian, 0xa1b2c3d4},
	{"big, nano", binary.BigEndian, 0xa1b23c4d},
}

// file puts a file together of packets of the given lengths. Each was 10 bytes longer on the wire than it is captured.
func (f pcapForm) file(snap uint32, lengths ...int) []byte {
	b := f.order.AppendUint32(nil, f.magic)
	b = f.order.AppendUint16(f.order.AppendUint16(b, 2), 4)
	for _, word := range []uint32{0, 0, snap, uint32(LinkEthernet)} {
		b = f.order.AppendUint32(b, word)
	}
	for i, n := range lengths {
		for _, word := range []uint32{uint32(1700000000 + i), uint32(999_900 + i), uint32(n), uint32(n + 10)} {
			b = f.order.AppendUint32(b, word)
		}
		for range n {
			b = append(b, byte(len(b)))
		}
	}
	return b
}

// witness reads a pcap file with gopacket alone. Packets are cut to what the file announces, where gopacket would stop.
func witness(file []byte) (records []Record, err error) {
	r, err := pcapgo.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("file header: %w", err)
	}
	snap := int(r.Snaplen())
	if snap == 0 {
		snap = maxCapture
	}
	r.SetSnaplen(maxCapture)
	for {
		data, info, err := r.ReadPacketData()
		if err != nil {
			return records, err
		}
		link := LinkType(binary.LittleEndian.Uint16(file[20:]))
		if file[0] == 0xa1 {
			link = LinkType(binary.BigEndian.Uint16(file[22:]))
		}
		rec := Record{Time: info.Timestamp, Link: link}
		rec.Data, rec.WireLen = data[:min(len(data), snap)], uint32(info.Length)
		rec.Meta = MetaFor(link, rec.Data)
		records = append(records, rec)
	}
}

// readSized reads a pcap file in batches of some size.
func readSized(r io.Reader, size int) ([]Record, error) {
	t, err := NewTrace(r, "f")
	if err != nil {
		return nil, err
	}
	t.source.(*pcapFile).size = size
	return t.ReadAll()
}

// readers are ways in which a file may trickle in.
var readers = map[string]func(io.Reader) io.Reader{
	"whole":        func(r io.Reader) io.Reader { return r },
	"halves":       iotest.HalfReader,
	"bytes":        iotest.OneByteReader,
	"end with all": iotest.DataErrReader,
	"hesitating":   func(r io.Reader) io.Reader { return &hesitating{r: r} },
}

// hesitating yields nothing every other time.
type hesitating struct {
	r    io.Reader
	turn bool
}

func (h *hesitating) Read(p []byte) (int, error) {
	if h.turn = !h.turn; h.turn {
		return 0, nil
	}
	return h.r.Read(p)
}

// Whatever the form, however it is cut into reads and batches, the packets are those that gopacket reads.
func TestPcapFileAsGopacket(t *testing.T) {
	lengths := map[string][]int{
		"none":          {},
		"one":           {60},
		"empty packets": {0, 0, 0, 0},
		"all lengths":   {0, 1, 2, 3, 59, 60, 61, 15, 16, 17, 0, 1514, 0, 100},
		"longest":       {60, maxCapture, 60, maxCapture - 1},
	}
	for _, form := range pcapForms {
		for name, lens := range lengths {
			for _, snap := range []uint32{0, 40, maxCapture, 1 << 31} {
				file := form.file(snap, lens...)
				want, err := witness(file)
				require.ErrorIs(t, err, io.EOF)
				require.Len(t, want, len(lens))
				for how, wrap := range readers {
					for _, size := range []int{1, 16, 76, 100, batchSize} {
						if name == "longest" && (how == "bytes" || size != 100) {
							continue // takes long
						}
						got, err := readSized(wrap(bytes.NewReader(file)), size)
						require.NoError(t, err)
						require.Equal(t, want, got, "%s, %s, snap %d, %s, batches of %d", form.name, name, snap, how, size)
					}
				}
			}
		}
	}
}

// Packets in front of a fault are delivered, the place of the fault does not depend on how the file was cut into reads, and
// a trace that has ended stays so.
func TestPcapFileFaults(t *testing.T) {
	for _, form := range pcapForms {
		whole := form.file(0, 60, 0, 100)
		second, third := pcapHeaderSize+76, pcapHeaderSize+76+16
		hostile := func(at int, capLen, wireLen uint32) []byte {
			file := bytes.Clone(whole)
			form.order.AppendUint32(form.order.AppendUint32(file[:at+pcapCapLen], capLen), wireLen)
			return file
		}
		tests := []struct {
			file    []byte
			packets int
			want    string
		}{
			{whole[:second+1], 1, "packet 2: the file ends inside the record header, after 1 of 16 bytes"},
			{whole[:third+15], 2, "packet 3: the file ends inside the record header, after 15 of 16 bytes"},
			{whole[:third+16], 2, "packet 3: the file ends inside the packet, after 0 of 100 bytes"},
			{whole[:len(whole)-1], 2, "packet 3: the file ends inside the packet, after 99 of 100 bytes"},
			{hostile(pcapHeaderSize, 1<<31, 1<<31), 0, "packet 1: captured length 2147483648, 262144 is the most"},
			{hostile(third, maxCapture+1, maxCapture+1), 2, "packet 3: captured length 262145, 262144 is the most"},
			{hostile(third, 1<<32-1, 1<<32-1), 2, "packet 3: captured length 4294967295, 262144 is the most"},
			{hostile(second, 1, 0), 1, "packet 2: captured length 1 is more than the wire length 0"},
			{hostile(third, maxCapture, maxCapture), 2, "packet 3: the file ends inside the packet, after 100 of 262144 bytes"},
		}
		for _, test := range tests {
			for how, wrap := range readers {
				for _, size := range []int{1, 100, batchSize} {
					got, err := readSized(wrap(bytes.NewReader(test.file)), size)
					require.EqualError(t, err, "trace f: "+test.want, "%s, %s, batches of %d", form.name, how, size)
					require.Len(t, got, test.packets)
				}
			}
			trace, err := NewTrace(bytes.NewReader(test.file), "f")
			require.NoError(t, err)
			_, err = trace.ReadAll()
			var b Batch
			require.Equal(t, err, trace.ReadBatch(&b))
			require.Empty(t, b.Descs)
			_, again := trace.Next()
			require.Equal(t, err, again)
		}
	}
}

// A reader that fails is no fault of the file, but has its place; one that yields nothing for ever is given up.
func TestPcapFileReadErrors(t *testing.T) {
	file := pcapForms[0].file(0, 60, 60)
	broken := errors.New("the disk is on fire")
	got, err := readSized(io.MultiReader(bytes.NewReader(file), iotest.ErrReader(broken)), batchSize)
	require.EqualError(t, err, "trace f: packet 3: the disk is on fire")
	require.Len(t, got, 2)
	got, err = readSized(io.MultiReader(bytes.NewReader(file[:len(file)-1]), iotest.ErrReader(broken)), batchSize)
	require.EqualError(t, err, "trace f: packet 2: the disk is on fire")
	require.Len(t, got, 1)
	_, err = readSized(io.MultiReader(bytes.NewReader(file[:20]), iotest.ErrReader(broken)), batchSize)
	require.EqualError(t, err, "trace f: the disk is on fire")
	got, err = readSized(io.MultiReader(bytes.NewReader(file), silent{}), batchSize)
	require.EqualError(t, err, "trace f: packet 3: "+io.ErrNoProgress.Error())
	require.Len(t, got, 2)
}

type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

// What has come through a pipe is delivered before more comes; pcapng too.
func TestBatchesFromPipe(t *testing.T) {
	pcap := pcapForms[0].file(0, 60, 70)
	ng := []byte(ngSection() + ngIface(1, 0) + ngEnhanced(0, 60, 60, strings.Repeat("a", 60)) + ngEnhanced(0, 72, 72, strings.Repeat("b", 72)))
	for name, pieces := range map[string][][]byte{
		"pcap":   {pcap[:pcapHeaderSize+76], pcap[pcapHeaderSize+76:]},
		"pcapng": {ng[:len(ng)-104], ng[len(ng)-104:]},
	} {
		r, w := io.Pipe()
		proceed := make(chan bool)
		go func() {
			for _, piece := range pieces {
				_, _ = w.Write(piece)
				<-proceed
			}
			w.Close()
		}()
		trace, err := NewTrace(r, name)
		require.NoError(t, err)
		var b Batch
		for i := range pieces {
			require.NoError(t, trace.ReadBatch(&b), name)
			require.Len(t, b.Descs, 1)
			require.Equal(t, i+1, b.First)
			proceed <- true
		}
		require.ErrorIs(t, trace.ReadBatch(&b), io.EOF)
	}
}

// Memory does not grow with the trace, only with its longest packet.
func TestBatchesTakeNoMemory(t *testing.T) {
	file := pcapForms[0].file(0, slices.Repeat([]int{0, 1000, 60}, 1000)...)
	body := file[pcapHeaderSize:]
	endless := make([]io.Reader, 100)
	for i := range endless {
		endless[i] = bytes.NewReader(body)
	}
	trace, err := NewTrace(io.MultiReader(append([]io.Reader{bytes.NewReader(file)}, endless...)...), "f")
	require.NoError(t, err)
	var before, after runtime.MemStats
	var b Batch
	packets := 0
	runtime.ReadMemStats(&before)
	for err = trace.ReadBatch(&b); err == nil; err = trace.ReadBatch(&b) {
		require.Equal(t, packets+1, b.First)
		packets += len(b.Descs)
	}
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, 101*3000, packets)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
}

// A batch ends where the link type changes, and the traces of two kinds have the same packets.
func TestBatchesOfPcapng(t *testing.T) {
	data := strings.Repeat("a", 40)
	file := ngSection() + ngIface(1, 0) + ngIface(101, 0) + ngEnhanced(0, 40, 50, data) + ngEnhanced(0, 40, 40, data) +
		ngEnhanced(1, 40, 40, data) + ngEnhanced(0, 40, 40, data) + ngEnhanced(9, 40, 40, data)
	trace, err := NewTrace(strings.NewReader(file), "f")
	require.NoError(t, err)
	var b Batch
	for i, want := range []struct {
		link           LinkType
		first, packets int
	}{{LinkEthernet, 1, 2}, {LinkRaw, 3, 1}, {LinkEthernet, 4, 1}} {
		require.NoError(t, trace.ReadBatch(&b))
		require.Equal(t, want.link, b.Link, i)
		require.Equal(t, want.first, b.First, i)
		require.Len(t, b.Descs, want.packets, i)
	}
	require.EqualError(t, trace.ReadBatch(&b), "trace f: packet 5: interface 9, the section has 2")
}

// countingWriter counts the writes.
type countingWriter struct {
	bytes.Buffer
	writes int
}

func (c *countingWriter) Write(p []byte) (int, error) {
	c.writes++
	return c.Buffer.Write(p)
}

// What a batch writes at once is what its packets write one by one, copied or not.
func TestWriteBatch(t *testing.T) {
	lengths := []int{60, 0, 61, 1514, 60, 60, 0, 40, 41, 39, 60}
	files := map[string][]byte{
		"pcapng": []byte(ngSection() + ngIface(1, 0) + ngEnhanced(0, 40, 50, strings.Repeat("a", 40)) + ngEnhanced(0, 4, 40, "abcd")),
	}
	for _, form := range pcapForms {
		files[form.name], files[form.name+", cut"] = form.file(0, lengths...), form.file(40, lengths...)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for name, file := range files {
		for range 200 {
			trace, err := NewTrace(bytes.NewReader(file), "f")
			require.NoError(t, err)
			var b Batch
			require.NoError(t, trace.ReadBatch(&b))
			verdicts := make([]uint32, len(b.Descs))
			for i := range verdicts {
				verdicts[i] = []uint32{0, 262144, 1, 40, 60, 1<<32 - 1}[r.IntN(6)]
			}
			for _, nanos := range []bool{false, true} {
				var together, single countingWriter
				w, err := NewWriter(&together, trace.Link(), nanos)
				require.NoError(t, err)
				require.NoError(t, w.WriteBatch(&b, verdicts))
				require.LessOrEqual(t, together.writes, 2)
				s, err := NewWriter(&single, trace.Link(), nanos)
				require.NoError(t, err)
				for i, verdict := range verdicts {
					require.NoError(t, s.Write(b.Record(i), verdict))
				}
				require.True(t, bytes.Equal(single.Bytes(), together.Bytes()), "%s, verdicts %v", name, verdicts)
			}
		}
	}
	var b Batch
	b.Add(Record{Link: LinkRaw})
	w, err := NewWriter(io.Discard, LinkEthernet, false)
	require.NoError(t, err)
	require.EqualError(t, w.WriteBatch(&b, []uint32{1}), "packet of link type RAW, the file is for EN10MB: a pcap file has only one")
}

// A packet that was added is the one that comes back, with all that was known of it.
func TestBatchAdd(t *testing.T) {
	var b Batch
	records := mixedRecords()
	for _, rec := range records {
		rec.Meta.Mark = 7
		b.Add(rec)
	}
	for i, rec := range records {
		rec.Meta.Mark = 7
		require.Equal(t, rec, b.Record(i))
	}
}

// FuzzPcapFile reads what gopacket reads: the same packets, up to a fault. What is no fault for gopacket is listed here.
func FuzzPcapFile(f *testing.F) {
	for _, form := range pcapForms {
		f.Add(form.file(50, 60, 0, 100, 14), uint16(16))
		f.Add(form.file(0, 60, 0, 100, 14)[:90], uint16(200))
	}
	if data, err := os.ReadFile(filepath.Join(pcapDir, "sll.pcap")); err == nil {
		f.Add(data, uint16(1000))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) || bytes.HasPrefix(data, []byte{0x0a, 0x0d, 0x0d, 0x0a}) {
			t.Skip("no pcap file, but gopacket unpacks the one, and there is another reader for the other")
		}
		got, err := readSized(bytes.NewReader(data), int(size))
		want, wantErr := witness(data)
		if !slices.EqualFunc(got, want[:min(len(got), len(want))], equalRecords) {
			t.Fatalf("packets:\n%v\ngopacket:\n%v", got, want)
		}
		var fault *TraceError
		switch {
		case err == nil && wantErr == io.EOF && len(got) == len(want):
		case err == nil || !errors.As(err, &fault):
			t.Fatalf("%d packets and %v, gopacket %d and %v", len(got), err, len(want), wantErr)
		case len(got) == len(want) && wantErr != io.EOF:
		// gopacket takes a file for whole that ends behind a record header.
		case len(got) == len(want) && strings.Contains(fault.What, "the file ends inside the packet, after 0 of"):
		// And it forgets all but the lowest byte of a link type.
		case strings.Contains(fault.What, "link type"):
		default:
			t.Fatalf("%d packets and %v, gopacket %d and %v", len(got), err, len(want), wantErr)
		}
	})
}

// equalRecords compares packets. gopacket multiplies microseconds in 32 bits, so a file that has more than a second of them
// gets other times.
func equalRecords(a, b Record) bool {
	return a.WireLen == b.WireLen && a.Link == b.Link && bytes.Equal(a.Data, b.Data) && a.Time.Sub(b.Time)%(1<<32) == 0
}
