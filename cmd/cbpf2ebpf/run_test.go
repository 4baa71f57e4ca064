package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
)

// packets are the records of a trace.
func packets(t *testing.T, trace []byte) []difftest.Record {
	tr, err := difftest.NewTrace(bytes.NewReader(trace), "trace")
	require.NoError(t, err)
	records, err := tr.ReadAll()
	require.NoError(t, err)
	return records
}

func TestRun(t *testing.T) {
	ip, mixed := filter("ip.d"), pcap("mixed.pcap")
	trace, program := string(readFile(t, mixed)), string(readFile(t, ip))
	const summary = "146 of 216 packets match\n"
	require.Equal(t, summary, succeed(t, "", "run", ip, "-r", mixed))
	require.Equal(t, summary, succeed(t, program, "run", "-r", mixed))
	require.Equal(t, summary, succeed(t, program, "run", "-", "-r", mixed))
	require.Equal(t, summary, succeed(t, trace, "run", ip, "-r", "-"))
	require.Equal(t, summary, succeed(t, "", "run", ip, "-r", pcap("mixed.pcapng")))
	require.Equal(t, "0 of 0 packets match\n", succeed(t, "", "run", ip, "-r", pcap("empty.pcap")))
	require.Equal(t, "146\n", succeed(t, "", "run", ip, "-r", mixed, "--count"))
	require.Equal(t, "", succeed(t, "", "run", ip, "-r", pcap("empty.pcap"), "--verdicts"))

	verdicts := strings.Fields(succeed(t, "", "run", ip, "-r", mixed, "--verdicts"))
	require.Len(t, verdicts, 216)
	require.Equal(t, 146, strings.Count(strings.Join(verdicts, " "), "262144"))
}

// Verdicts are the same whoever finds them.
func TestRunEngines(t *testing.T) {
	tests := [][]string{{"jit"}, {"jit", "--target", "user"}, {"jit", "-O0"}, {"jit", "-O1"}, {"interp"}, {"interp", "-O0"}, {"interp", "--target", "user"}, {"interp", "--target", "socket"},
		{"classic"}, {"kernel"}, {"kernel", "--target", "socket"}}
	for _, name := range []string{"tcp-port-80.d", "http-get.d", "vlan-or-plain.d"} {
		for _, trace := range []string{"mixed.pcap", "vlan.pcap", "truncated.pcap", "edge.pcap"} {
			want := succeed(t, "", "run", filter(name), "-r", pcap(trace), "--verdicts", "--engine", "classic")
			for _, engine := range tests {
				args := append([]string{"run", filter(name), "-r", pcap(trace), "--verdicts", "--engine"}, engine...)
				r := cli("", args...)
				if engine[0] == "kernel" && (kernel.Available() != nil || trace == "edge.pcap") {
					// Elsewhere there is no such kernel, and no kernel takes the longest packets in a test run.
					require.Equal(t, exitRefused, r.status)
					require.Regexp(t, `^cbpf2ebpf: (\S+: .*needs (Linux|CBPF2EBPF_NO_KERNEL)|\S+: packet \d+: engine kernel-ebpf cannot take it: more than \d+ bytes)`, r.stderr)
					continue
				}
				require.Equal(t, exitDone, r.status, r.stderr)
				require.Equal(t, want, r.stdout, "%q", args)
			}
		}
	}
}

// The extensions of a packet are those of its trace.
func TestRunReadsProperties(t *testing.T) {
	const protocol = "2,40 0 0 4294963200,22 0 0 0"
	for _, engine := range []string{"jit", "interp", "classic"} {
		verdicts := strings.Fields(succeed(t, protocol, "run", "-r", pcap("mixed.pcap"), "--verdicts", "--engine", engine))
		for i, rec := range packets(t, readFile(t, pcap("mixed.pcap"))) {
			require.Equal(t, strconv.Itoa(int(rec.Meta.Protocol)), verdicts[i], "%s, packet %d", engine, i+1)
		}
	}
}

// The network header is where the link type of the trace has it, unless --linktype says otherwise.
func TestRunTakesTheLinkTypeOfTheTrace(t *testing.T) {
	const version = "3,48 0 0 4293918720,84 0 0 240,22 0 0 0" // ldb [net+0]; and #0xf0; ret a
	require.Contains(t, succeed(t, version, "run", "-r", pcap("sll.pcap"), "--verdicts"), "64\n96\n")
	require.NotContains(t, succeed(t, version, "run", "-r", pcap("sll.pcap"), "--verdicts", "--linktype", "EN10MB"), "64\n96\n")
}

// What -w writes is what tcpdump writes, byte for byte.
func TestWriteAsTcpdump(t *testing.T) {
	requireTcpdump(t)
	for _, name := range []string{"mixed.pcap", "mixed.pcapng", "vlan.pcap", "ipv6.pcap", "truncated.pcap", "nanos.pcap", "edge.pcap",
		"raw-ip.pcap", "sll.pcap", "null.pcap", "empty.pcap"} {
		for _, expr := range []string{"ip", "tcp port 80", "ip6 and udp", "less 70", ""} {
			out := filepath.Join(t.TempDir(), "out.pcap")
			summary := succeed(t, "", "run", "-e", expr, "-r", pcap(name), "-w", out)
			ours := readFile(t, out)
			precision := "micro"
			if binary.LittleEndian.Uint32(ours) == 0xa1b23c4d {
				precision = "nano"
			}
			theirs, err := exec.Command("tcpdump", "-r", pcap(name), "--time-stamp-precision", precision, "-w", "-", expr).Output()
			require.NoError(t, err)
			require.Equal(t, packets(t, theirs), packets(t, ours), "%s of %s", expr, name)
			require.True(t, bytes.Equal(theirs, ours), "%s of %s: files differ outside the packets", expr, name)

			matched, total := len(packets(t, ours)), len(packets(t, readFile(t, pcap(name))))
			require.Equal(t, fmt.Sprintf("%d of %d packets match\n", matched, total), summary)
			require.Equal(t, string(ours), succeed(t, "", "run", "-e", expr, "-r", pcap(name), "-w", "-"))
		}
	}
}

// derivedTraces are mixed.pcap in other forms: of the other byte order, with nanoseconds, with packets longer than the file
// announces, with checksums behind the packets.
func derivedTraces(t *testing.T) map[string][]byte {
	little := readFile(t, pcap("mixed.pcap"))
	with := func(at int, word uint32) []byte {
		file := bytes.Clone(little)
		binary.LittleEndian.PutUint32(file[at:], word)
		return file
	}
	files := map[string][]byte{
		"nano": with(0, 0xa1b23c4d), "snap 0": with(16, 0), "snap 60": with(16, 60), "snap 1": with(16, 1), "snap 300000": with(16, 300000),
		"snap 1<<31": with(16, 1<<31), "checksums": with(20, 0x24000001),
	}
	for name, file := range maps.Clone(files) {
		files["big-endian, "+name] = bigEndian(file)
	}
	files["pcapng, snap 100"] = pcapngWithSnap(t, 100)
	return files
}

// bigEndian turns a little-endian pcap file into a big-endian one.
func bigEndian(little []byte) []byte {
	file := bytes.Clone(little)
	swap := func(at, size int) { slices.Reverse(file[at : at+size]) }
	for _, at := range []int{0, 8, 12, 16, 20} {
		swap(at, 4)
	}
	swap(4, 2)
	swap(6, 2)
	for at := 24; at < len(file); {
		next := at + 16 + int(binary.LittleEndian.Uint32(little[at+8:]))
		for word := range 4 {
			swap(at+4*word, 4)
		}
		at = next
	}
	return file
}

// pcapngWithSnap is a pcapng file whose interface announces a snapshot length.
func pcapngWithSnap(t *testing.T, snap uint32) []byte {
	var b bytes.Buffer
	iface := pcapgo.NgInterface{LinkType: layers.LinkTypeEthernet, SnapLength: snap}
	w, err := pcapgo.NewNgWriterInterface(&b, iface, pcapgo.DefaultNgWriterOptions)
	require.NoError(t, err)
	for n := range int(snap) {
		info := gopacket.CaptureInfo{Timestamp: time.Unix(1700000000, 5000), CaptureLength: n, Length: n + 3}
		require.NoError(t, w.WritePacket(info, make([]byte, n)))
	}
	require.NoError(t, w.Flush())
	return b.Bytes()
}

// What -w writes of such files is what tcpdump writes, to the bit.
func TestWriteAsTcpdumpFromOtherForms(t *testing.T) {
	requireTcpdump(t)
	for name, file := range derivedTraces(t) {
		for _, expr := range []string{"", "tcp port 80", "not ip", "greater 60"} {
			ours := succeed(t, string(file), "run", "-e", expr, "-r", "-", "-w", "-")
			precision := "micro"
			if binary.LittleEndian.Uint32([]byte(ours)) == 0xa1b23c4d {
				precision = "nano"
			}
			tcpdump := exec.Command("tcpdump", "-r", "-", "--time-stamp-precision", precision, "-w", "-", expr)
			tcpdump.Stdin = bytes.NewReader(file)
			theirs, err := tcpdump.Output()
			require.NoError(t, err)
			require.True(t, string(theirs) == ours, "%q of %s: %d bytes, tcpdump %d", expr, name, len(ours), len(theirs))
			for _, engine := range engineNames() {
				if engine != "kernel" {
					require.True(t, succeed(t, string(file), "run", "-e", expr, "-r", "-", "-w", "-", "--engine", engine) == ours, engine)
				}
			}
		}
	}
}

// A verdict below the length of a packet cuts it; its length on the wire stays.
func TestWriteCutsToVerdict(t *testing.T) {
	ours := packets(t, []byte(succeed(t, "1,6 0 0 20", "run", "-r", pcap("mixed.pcap"), "-w", "-")))
	all := packets(t, readFile(t, pcap("mixed.pcap")))
	require.Len(t, ours, len(all))
	for i, rec := range all {
		require.Equal(t, rec.Data[:20], ours[i].Data)
		require.Equal(t, rec.WireLen, ours[i].WireLen)
		require.Equal(t, rec.Time, ours[i].Time)
	}
}

func TestWriteOverTheTraceItself(t *testing.T) {
	path := temp(t, "t.pcap", readFile(t, pcap("mixed.pcap")))
	require.Equal(t, "146 of 216 packets match\n", succeed(t, "", "run", filter("ip.d"), "-r", path, "-w", path))
	require.Equal(t, "146 of 146 packets match\n", succeed(t, "", "run", filter("ip.d"), "-r", path, "-w", path))
	// Verdicts and a file go together.
	require.Equal(t, 146, strings.Count(succeed(t, "", "run", filter("ip.d"), "-r", path, "-w", path, "--verdicts"), "\n"))
}

// Packets in front of a fault have their verdicts; the fault has its place; there is no file.
func TestFaultyTraces(t *testing.T) {
	whole := readFile(t, pcap("mixed.pcap"))
	second := 24 + 16 + int(binary.LittleEndian.Uint32(whole[24+8:])) // record header of packet 2
	hostile := func(at int, value uint32) []byte {
		trace := bytes.Clone(whole)
		binary.LittleEndian.PutUint32(trace[at:], value)
		return trace
	}
	tests := []struct {
		name     string
		trace    []byte
		verdicts int
		want     string
	}{
		{"cut in the file header", whole[:10], 0, "the file ends inside the file header, after 10 of 24 bytes"},
		{"cut in a record header", whole[:second+5], 1, "packet 2: the file ends inside the record header, after 5 of 16 bytes"},
		{"cut in a packet", whole[:second+16+7], 1, "packet 2: the file ends inside the packet, after 7 of "},
		{"cut late", whole[:len(whole)-1], 215, "packet 216: the file ends inside the packet"},
		{"captured length", hostile(second+8, 0xffffffff), 1, "packet 2: captured length 4294967295, 262144 is the most"},
		{"captured more than there was", hostile(second+12, 1), 1, "packet 2: captured length "},
		{"pcapng cut", readFile(t, pcap("mixed.pcapng"))[:30000], -1, "the file ends inside the "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := temp(t, "bad.pcap", test.trace)
			r := cli("", "run", filter("all.d"), "-r", path, "--verdicts", "-w", filepath.Join(filepath.Dir(path), "out.pcap"))
			require.Equal(t, exitRefused, r.status)
			require.True(t, strings.HasPrefix(r.stderr, "cbpf2ebpf: trace "+path+": "), r.stderr)
			require.Contains(t, r.stderr, test.want)
			require.Equal(t, []string{"bad.pcap"}, entries(t, filepath.Dir(path)))
			verdicts := strings.Count(r.stdout, "262144\n")
			if test.verdicts >= 0 {
				require.Equal(t, test.verdicts, verdicts)
			} else {
				require.NotZero(t, verdicts)
			}
			// A number of packets would be taken for that of the whole trace.
			require.Empty(t, cli("", "run", filter("all.d"), "-r", path).stdout)
			require.Empty(t, cli("", "run", filter("all.d"), "-r", path, "--count").stdout)
		})
	}
}

// mixedLinks is a trace of three packets, the last of another link type.
func mixedLinks(t *testing.T) []byte {
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriterInterface(&b, pcapgo.NgInterface{LinkType: layers.LinkTypeEthernet}, pcapgo.DefaultNgWriterOptions)
	require.NoError(t, err)
	second, err := w.AddInterface(pcapgo.NgInterface{LinkType: layers.LinkTypeRaw})
	require.NoError(t, err)
	for _, iface := range []int{0, 0, second} {
		info := gopacket.CaptureInfo{CaptureLength: 40, Length: 40, InterfaceIndex: iface}
		require.NoError(t, w.WritePacket(info, make([]byte, 40)))
	}
	require.NoError(t, w.Flush())
	return b.Bytes()
}

// A filter is for one link type, and tcpdump, too, reads no trace of two.
func TestMixedLinkTypes(t *testing.T) {
	path := temp(t, "mixed.pcapng", mixedLinks(t))
	r := cli("", "run", filter("all.d"), "-r", path, "--verdicts", "-w", path+".out")
	require.Equal(t, exitRefused, r.status)
	require.Equal(t, "262144\n262144\n", r.stdout)
	require.Equal(t, "cbpf2ebpf: trace "+path+": packet 3 has link type RAW, and the trace began with EN10MB: a filter is for one link type\n", r.stderr)
	require.Equal(t, []string{"mixed.pcapng"}, entries(t, filepath.Dir(path)))
	// Engines can be compared on any packet.
	require.Contains(t, succeed(t, "", "diff", filter("all.d"), "-r", path, "--engine", "interp"), "interp     3      3 ")
}

// A long trace goes through in pieces, and all of them arrive.
func TestLongTrace(t *testing.T) {
	header, body := readFile(t, pcap("mixed.pcap"))[:24], readFile(t, pcap("mixed.pcap"))[24:]
	const times = 100
	trace := append(header, bytes.Repeat(body, times)...)
	path := temp(t, "long.pcap", trace)
	require.Equal(t, fmt.Sprintf("%d\n", 146*times), succeed(t, "", "run", filter("ip.d"), "-r", path, "--count"))
	once := succeed(t, "", "run", filter("ip.d"), "-r", pcap("mixed.pcap"), "--verdicts")
	require.Equal(t, strings.Repeat(once, times), succeed(t, "", "run", filter("ip.d"), "-r", path, "--verdicts"))
	require.Equal(t, string(trace), succeed(t, "", "run", filter("all.d"), "-r", path, "-w", "-"))
}

// brokenReader fails in the middle of a trace.
type brokenReader struct{ r io.Reader }

func (b brokenReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

func TestUnreadableStdin(t *testing.T) {
	var stdout, stderr bytes.Buffer
	in := brokenReader{bytes.NewReader(readFile(t, pcap("mixed.pcap")))}
	require.Equal(t, exitRefused, run([]string{"run", filter("ip.d"), "-r", "-", "--count"}, in, &stdout, &stderr))
	require.Equal(t, "cbpf2ebpf: trace stdin: packet 217: i/o timeout\n", stderr.String())
	require.Empty(t, stdout.String())
}
