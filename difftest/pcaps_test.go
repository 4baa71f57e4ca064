package difftest

import (
	"bytes"
	"flag"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

var update = flag.Bool("update", false, "rewrite the files in testdata that the tests generate")

const pcapDir = "../testdata/pcaps"

// pcaps are the traces of testdata/pcaps, with the families of crafted packets (up to the slash) they are made of.
var pcaps = []struct {
	name     string
	link     LinkType
	families string
}{
	{"mixed.pcap", LinkEthernet, ""},
	{"mixed.pcapng", LinkEthernet, ""},
	{"nanos.pcap", LinkEthernet, "arp tcp udp"},
	{"vlan.pcap", LinkEthernet, "vlan"},
	{"ipv6.pcap", LinkEthernet, "ip6"},
	{"fragments.pcap", LinkEthernet, "frag"},
	{"http.pcap", LinkEthernet, "http"},
	{"truncated.pcap", LinkEthernet, "cut"},
	{"edge.pcap", LinkEthernet, "8023 ether ip lie icmp odd"},
	{"raw-ip.pcap", LinkRaw, "raw"},
	{"sll.pcap", LinkSLL, "sll"},
	{"null.pcap", LinkNull, "null"},
	{"empty.pcap", LinkEthernet, "-"},
}

// TestPcapsCurrent makes sure that testdata/pcaps holds what this package makes; -update writes it.
func TestPcapsCurrent(t *testing.T) {
	total := 0
	for _, p := range pcaps {
		t.Run(p.name, func(t *testing.T) {
			want := makePcap(t, p.name, p.link, p.families)
			total += len(want)
			path := filepath.Join(pcapDir, p.name)
			if *update {
				require.NoError(t, os.WriteFile(path, want, 0o644))
			}
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got), "%s is not current: go test ./difftest -run TestPcapsCurrent -update", path)
			require.NotEmpty(t, readme(t)["`"+p.name+"`"], "%s is not in the README", p.name)
		})
	}
	require.Less(t, total, 500<<10, "bytes of all traces")
}

// readme is the set of words of testdata/pcaps/README.md.
func readme(t *testing.T) map[string]string {
	data, err := os.ReadFile(filepath.Join(pcapDir, "README.md"))
	require.NoError(t, err)
	words := map[string]string{}
	for _, w := range strings.Fields(string(data)) {
		words[w] = w
	}
	return words
}

// tcpdump, of which we share not a line, reads the same number of packets out of each file, and finds nothing wrong with
// the traffic that is meant to be true.
func TestPcapsReadByTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("tcpdump is not installed")
	}
	for _, p := range pcaps {
		path := filepath.Join(pcapDir, p.name)
		out, err := exec.Command("tcpdump", "-r", path, "--count").Output()
		require.NoError(t, err, "%s", out)
		require.Equal(t, len(readTrace(t, path)), leadingNumber(t, string(out)), p.name)
		if p.families == "" {
			out, err := exec.Command("tcpdump", "-nvr", path).Output()
			require.NoError(t, err)
			require.NotRegexp(t, "incorrect|wrong|bad", string(out))
		}
	}
}

func leadingNumber(t *testing.T, s string) int {
	word, _, _ := strings.Cut(s, " ")
	n, err := strconv.Atoi(word)
	require.NoError(t, err)
	return n
}

// traceStart is the time of the first packet of every trace; the others follow a millisecond and a bit apart.
var traceStart = time.Date(2024, 2, 29, 23, 59, 59, 999_000_123, time.UTC)

func timeOf(packet int) time.Time {
	return traceStart.Add(time.Duration(packet) * 1_000_321 * time.Nanosecond)
}

func makePcap(t *testing.T, name string, link LinkType, families string) []byte {
	records := mixedRecords()
	if families != "" {
		records = craftedRecords(families)
	}
	if strings.HasSuffix(name, ".pcapng") {
		return writePcapng(t, records)
	}
	var b bytes.Buffer
	w, err := NewWriter(&b, link, strings.HasPrefix(name, "nanos"))
	require.NoError(t, err)
	for _, rec := range records {
		require.NoError(t, w.Write(rec, math.MaxUint32))
	}
	return b.Bytes()
}

// craftedRecords are the crafted packets of some families.
func craftedRecords(families string) []Record {
	var records []Record
	for _, p := range Crafted() {
		family, _, _ := strings.Cut(p.Name, "/")
		for _, wanted := range strings.Fields(families) {
			if family == wanted {
				records = append(records, Record{Packet: p.Packet, Time: timeOf(len(records)), Link: p.Link})
			}
		}
	}
	return records
}

// writePcapng puts every third packet on a second interface, of the same link type: tcpdump refuses another.
func writePcapng(t *testing.T, records []Record) []byte {
	var b bytes.Buffer
	options := pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Comment: "made by TestPcapsCurrent"}}
	w, err := pcapgo.NewNgWriterInterface(&b, pcapgo.NgInterface{Name: "eth0", LinkType: layers.LinkTypeEthernet}, options)
	require.NoError(t, err)
	second, err := w.AddInterface(pcapgo.NgInterface{Name: "eth1", LinkType: layers.LinkTypeEthernet})
	require.NoError(t, err)
	for i, rec := range records {
		info := gopacket.CaptureInfo{Timestamp: rec.Time, CaptureLength: len(rec.Data), Length: int(rec.WireLen)}
		if i%3 == 2 {
			info.InterfaceIndex = second
		}
		require.NoError(t, w.WritePacket(info, rec.Data))
	}
	require.NoError(t, w.Flush())
	return b.Bytes()
}

// talk is traffic under construction.
type talk struct {
	records []Record
}

func (k *talk) packet(layers ...layer) {
	data := frame(layers...)
	if len(data) < 60 {
		data = append(data, make([]byte, 60-len(data))...) // as Ethernet pads
	}
	k.records = append(k.records, Record{
		Packet: cbpf.Packet{Data: data, WireLen: uint32(len(data)), Meta: MetaFor(LinkEthernet, data)},
		Time:   timeOf(len(k.records)),
		Link:   LinkEthernet,
	})
}

// tcp is a whole connection to a port: handshake, what is said in turns (the client begins), and the end.
func (k *talk) tcp(v6 bool, from, port uint16, turns ...string) {
	up := tcp{src: from, dst: port, seq: 1000}
	down := tcp{src: port, dst: from, seq: 900000}
	say := func(us, them *tcp, flags uint8, payload string) {
		h := *us
		h.flags, h.ack = flags, them.seq
		if flags == syn {
			h.ack, h.options = 0, []byte{2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7, 1, 1}
		}
		src, dst, src6, dst6 := client4, server4, client6, server6
		if us == &down {
			src, dst, src6, dst6 = dst, src, dst6, src6
		}
		if v6 {
			k.packet(onIP6, ip6{protoTCP, src6, dst6}, h, text(payload))
		} else {
			k.packet(onIP4, ip4{proto: protoTCP, src: src, dst: dst, frag: dontFragment}, h, text(payload))
		}
		us.seq += uint32(len(payload))
		if flags&(syn|fin) != 0 {
			us.seq++
		}
	}
	say(&up, &down, syn, "")
	say(&down, &up, syn|ack, "")
	say(&up, &down, ack, "")
	for i, turn := range turns {
		us, them := &up, &down
		if i%2 == 1 {
			us, them = them, us
		}
		say(us, them, psh|ack, turn)
		say(them, us, ack, "")
	}
	say(&up, &down, fin|ack, "")
	say(&down, &up, fin|ack, "")
	say(&up, &down, ack, "")
}

// mixedRecords is what a small network carries in a moment.
func mixedRecords() []Record {
	var k talk
	page := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + strings.Repeat("<p>hello</p>", 40)
	for i := uint16(0); i < 6; i++ {
		k.packet(ether{macBroadcast, etherARP}, arp(1))
		k.packet(ether{proto: etherARP}, arp(2))
		k.packet(onIP4, ip4{proto: protoUDP}, udp{5000 + i, 53}, dnsQuery)
		k.packet(onIP4, ip4{proto: protoUDP, src: server4, dst: client4}, udp{53, 5000 + i}, dnsAnswer)
		k.tcp(false, 40000+i, 80, "GET /"+strings.Repeat("x", int(i))+" HTTP/1.1\r\nHost: www.example.com\r\n\r\n", page)
		k.tcp(i%2 == 1, 41000+i, 443, "\x16\x03\x01"+strings.Repeat("h", 300), "\x16\x03\x03"+strings.Repeat("s", 900), "\x17\x03\x03data")
		k.packet(onIP4, ip4{proto: protoICMP}, icmp{typ: 8, rest: 0x10000 + uint32(i)}, padding(56))
		k.packet(onIP4, ip4{proto: protoICMP, src: server4, dst: client4}, icmp{rest: 0x10000 + uint32(i)}, padding(56))
		k.packet(onIP4, ip4{proto: protoUDP, ttl: 255, dst: addr4{224, 0, 0, 251}}, udp{5353, 5353}, dnsQuery)
		k.packet(onIP6, ip6{protoICMPv6, client6, server6}, icmp{typ: 135, v6: true}, blob(server6[:]), blob{1, 1}, blob(macClient[:]))
		k.packet(ether{mac{0x01, 0x80, 0xc2}, 38}, blob{0x42, 0x42, 0x03, 0, 0, 0, 0, 0}, padding(30))
	}
	k.tcp(false, 42000, 22, "SSH-2.0-client\r\n", "SSH-2.0-server\r\n")
	k.tcp(true, 42001, 80, "GET / HTTP/1.1\r\n\r\n", page)
	k.tcp(false, 42002, 8080, "POST /form HTTP/1.1\r\n\r\na=b", page)
	return k.records
}
