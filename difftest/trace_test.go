package difftest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// le puts numbers together as a little-endian file has them; strings stand for themselves.
func le(parts ...any) string {
	var b bytes.Buffer
	for _, p := range parts {
		if s, ok := p.(string); ok {
			b.WriteString(s)
			continue
		}
		if err := binary.Write(&b, binary.LittleEndian, p); err != nil {
			panic(err)
		}
	}
	return b.String()
}

func u32(n uint32) uint32 { return n }

// pcapFile is a file of Ethernet packets that announces a snapshot length.
func pcapBytes(snap uint32, records ...string) string {
	return le(u32(0xa1b2c3d4), uint16(2), uint16(4), u32(0), u32(0), snap, u32(1)) + strings.Join(records, "")
}

func pcapRecord(capLen, wireLen uint32, data string) string {
	return le(u32(1), u32(2), capLen, wireLen, data)
}

func ngBlock(typ uint32, body string) string {
	n := uint32(len(body) + 12)
	return le(typ, n, body, n)
}

func ngSection(options ...string) string {
	return ngBlock(blockSection, le(u32(0x1a2b3c4d), uint16(1), uint16(0), int64(-1))+strings.Join(options, ""))
}

func ngIface(link uint16, snap uint32, options ...string) string {
	return ngBlock(blockInterface, le(link, uint16(0), snap)+strings.Join(options, ""))
}

func ngOption(code uint16, value string) string {
	return le(code, uint16(len(value)), value, strings.Repeat("\x00", (4-len(value)%4)%4))
}

func ngEnhanced(iface, capLen, wireLen uint32, data string) string {
	return ngBlock(blockEnhanced, le(iface, u32(0), u32(0), capLen, wireLen, data))
}

func TestTraceFaults(t *testing.T) {
	const data = "0123456789abcdef"
	good := pcapRecord(16, 60, data)
	eth := ngSection() + ngIface(1, 0)
	tests := []struct {
		name    string
		file    string
		packets int // in front of the fault
		want    string
	}{
		{"empty", "", 0, "trace f: the file is empty, not even a header"},
		{"one byte", "\xd4", 0, "trace f: the file ends after 1 bytes, inside its header"},
		{"other magic", "MZ\x90\x00 and so on", 0, "trace f: neither pcap nor pcapng: the first bytes are 4d5a9000"},
		{"gzip", "\x1f\x8b\x08\x00" + data, 0, "trace f: neither pcap nor pcapng: the first bytes are 1f8b0800"},
		{"short file header", pcapBytes(0)[:20], 0, "trace f: the file ends inside the file header, after 20 of 24 bytes"},
		{"version", strings.Replace(pcapBytes(0), "\x02\x00\x04", "\x02\x00\x03", 1), 0, "trace f: version 2.3 of pcap, 2.4 is the only one"},
		{"link type", pcapBytes(0)[:20] + le(u32(0x00010001)), 0, "trace f: link type 65537, 65535 is the most"},
		{"short record header", pcapBytes(0, good, good[:15]), 1,
			"trace f: packet 2: the file ends inside the record header, after 15 of 16 bytes"},
		{"short packet", pcapBytes(0, good, good, good[:20]), 2,
			"trace f: packet 3: the file ends inside the packet, after 4 of 16 bytes"},
		{"huge caplen", pcapBytes(0, good, pcapRecord(math.MaxUint32, math.MaxUint32, data)), 1,
			"trace f: packet 2: captured length 4294967295, 262144 is the most"},
		{"caplen over wirelen", pcapBytes(0, pcapRecord(16, 15, data)), 0,
			"trace f: packet 1: captured length 16 is more than the wire length 15"},

		{"short section", ngSection()[:10], 0, "trace f: the file ends inside the section header, after 2 of 4 bytes"},
		{"byte order", strings.Replace(ngSection(), "\x4d\x3c\x2b\x1a", data[:4], 1), 0,
			"trace f: section header: byte order mark 30313233, 1a2b3c4d is the only one"},
		{"no interface", ngSection(), 0, "trace f: no interface block in the file"},
		{"packet in front of interface", ngSection() + ngEnhanced(0, 16, 16, data), 0,
			"trace f: packet 1: interface 0, the section has 0"},
		{"simple packet without interface", ngSection() + ngBlock(blockSimple, le(u32(16), data)), 0,
			"trace f: packet 1: interface 0, the section has 0"},
		{"interface far away", ngSection() + strings.Repeat(ngSection(ngOption(1, strings.Repeat("x", 60000))), 20), 0,
			"trace f: no interface block in the first 1048576 bytes"},
		{"interface number", eth + ngEnhanced(7, 16, 16, data), 0, "trace f: packet 1: interface 7, the section has 1"},
		{"block length 3", eth + le(u32(9), u32(3)), 0, "trace f: block length 3: no multiple of 4, or below 12"},
		{"block length huge", eth + le(u32(blockEnhanced), u32(0xfffffff0), data), 0,
			"trace f: packet 1: block length 4294967280, 1048576 is the most"},
		{"block too short", eth + ngBlock(blockEnhanced, data), 0, "trace f: packet 1: block length 28, 32 is the least for type 6"},
		{"short unknown block", eth + ngBlock(99, data)[:12], 0, "trace f: the file ends inside a block of type 99, after 12 of 28 bytes"},
		{"short block", eth + ngEnhanced(0, 16, 16, data)[:44], 0, "trace f: packet 1: the file ends inside the block, after 36 of 40 bytes"},
		{"two lengths", eth + le(u32(blockSimple), u32(32), u32(16), data, u32(28)), 0,
			"trace f: packet 1: block length 32 in front, 28 behind"},
		{"no room", eth + ngEnhanced(0, 17, 17, data), 0, "trace f: packet 1: captured length 17, its block has room for 16"},
		{"no room, simple", eth + ngBlock(blockSimple, le(u32(4000000000), data)), 0,
			"trace f: packet 1: captured length 4000000000, its block has room for 16"},
		{"huge caplen, pcapng", eth + ngEnhanced(0, math.MaxUint32, math.MaxUint32, data), 0,
			"trace f: packet 1: captured length 4294967295, 262144 is the most"},
		{"option too long", ngSection() + ngIface(1, 0, le(uint16(2), uint16(9), "abcd")), 0,
			"trace f: option 2 of 9 bytes, 4 are left"},
		{"resolution 0", ngSection() + ngIface(1, 0, ngOption(9, "\x40")), 0, "trace f: time resolution 10^-64, 10^-19 is the finest"},
		{"binary resolution 0", ngSection() + ngIface(1, 0, ngOption(9, "\xc0")), 0, "trace f: time resolution 2^-64, 2^-63 is the finest"},
		{"offset of 4 bytes", ngSection() + ngIface(1, 0, ngOption(14, "abcd")), 0, "trace f: interface option 14 has 4 bytes"},
		{"too many interfaces", ngSection() + strings.Repeat(ngIface(1, 0), maxInterfaces+1), 0,
			"trace f: more than 65536 interfaces in a section"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			records, err := readBytes(test.file)
			require.EqualError(t, err, test.want)
			require.ErrorAs(t, err, new(*TraceError))
			require.Len(t, records, test.packets)
		})
	}
}

func readBytes(file string) ([]Record, error) {
	trace, err := NewTrace(strings.NewReader(file), "f")
	if err != nil {
		return nil, err
	}
	return trace.ReadAll()
}

// What an absurd header announces is neither believed nor allocated: 4 GiB here, left to gopacket.
func TestTraceHostileSnaplen(t *testing.T) {
	for name, file := range map[string]string{
		"pcap":   pcapBytes(math.MaxUint32, pcapRecord(4, 60, "abcd")),
		"zero":   pcapBytes(0, pcapRecord(4, 60, "abcd")),
		"pcapng": ngSection() + ngIface(1, math.MaxUint32) + ngEnhanced(0, 4, 60, "abcd"),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			records, err := readBytes(file)
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
			require.Len(t, records, 1)
			require.Equal(t, "abcd", string(records[0].Data))
			require.Equal(t, uint32(60), records[0].WireLen)
		})
	}
}

// tcpdump 4.99.3 does not match `ether[30] = 0` on such a packet, and its `len` is 40.
func TestTraceCutsToSnaplen(t *testing.T) {
	records, err := readBytes(pcapBytes(20, pcapRecord(40, 40, strings.Repeat("x", 40))))
	require.NoError(t, err)
	require.Len(t, records[0].Data, 20)
	require.Equal(t, uint32(40), records[0].WireLen)
}

func TestTraceManyInterfaces(t *testing.T) {
	file := ngSection() + ngIface(1, 0) + ngIface(276, 0) +
		ngEnhanced(1, 4, 4, "abcd") + ngBlock(99, "some") + ngEnhanced(0, 4, 4, "efgh") +
		ngSection() + ngIface(101, 0) + ngEnhanced(0, 4, 4, "E123") + ngBlock(blockSimple, le(u32(4), "F456"))
	trace, err := NewTrace(strings.NewReader(file), "f")
	require.NoError(t, err)
	require.Equal(t, LinkEthernet, trace.Link())
	require.True(t, trace.Nanos())
	records, err := trace.ReadAll()
	require.NoError(t, err)
	var got []LinkType
	for _, rec := range records {
		got = append(got, rec.Link)
	}
	require.Equal(t, []LinkType{LinkSLL2, LinkEthernet, LinkRaw, LinkRaw}, got)
	require.Equal(t, 1, records[0].Interface)
	require.Equal(t, int64(0), records[3].Time.Unix())
}

func TestOpenTraceWithoutFile(t *testing.T) {
	_, err := OpenTrace(filepath.Join(t.TempDir(), "none.pcap"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Reading back what was written gives the same packets, at the resolution of the file.
func TestWriterRoundTrip(t *testing.T) {
	when := time.Unix(1700000000, 123456789).UTC()
	rec := Record{Packet: cbpf.Packet{Data: []byte("0123456789"), WireLen: 99}, Time: when, Link: LinkSLL2}
	for _, nanos := range []bool{false, true} {
		var b bytes.Buffer
		w, err := NewWriter(&b, LinkSLL2, nanos)
		require.NoError(t, err)
		require.NoError(t, w.Write(rec, math.MaxUint32))
		require.NoError(t, w.Write(rec, 4))
		require.NoError(t, w.Write(rec, 0))
		require.NoError(t, w.Write(Record{Link: LinkSLL2}, 1))

		trace, err := NewTrace(&b, "f")
		require.NoError(t, err)
		require.Equal(t, nanos, trace.Nanos())
		records, err := trace.ReadAll()
		require.NoError(t, err)
		require.Len(t, records, 3)
		require.Equal(t, "0123456789", string(records[0].Data))
		require.Equal(t, "0123", string(records[1].Data))
		require.Equal(t, uint32(99), records[1].WireLen)
		require.Equal(t, LinkSLL2, records[1].Link)
		require.Equal(t, int64(0), records[2].Time.Unix())
		if nanos {
			require.Equal(t, when, records[0].Time)
		} else {
			require.Equal(t, when.Truncate(time.Microsecond), records[0].Time)
		}
	}
}

func TestWriterMixedLinkTypes(t *testing.T) {
	w, err := NewWriter(io.Discard, LinkEthernet, false)
	require.NoError(t, err)
	err = w.Write(Record{Link: LinkRaw}, 1)
	require.EqualError(t, err, "packet of link type RAW, the file is for EN10MB: a pcap file has only one")
}

func TestMetaFor(t *testing.T) {
	mac := "\x02\x00\x00\x00\x00\x01"
	from := "\x02\x00\x00\x00\x00\x02"
	tests := []struct {
		name string
		link LinkType
		data string
		want cbpf.Meta
	}{
		{"IPv4", LinkEthernet, mac + from + "\x08\x00E", cbpf.Meta{NetOff: 14, HaType: 1, Protocol: 0x800}},
		{"broadcast", LinkEthernet, "\xff\xff\xff\xff\xff\xff" + from + "\x08\x06",
			cbpf.Meta{NetOff: 14, HaType: 1, Protocol: 0x806, PktType: 1}},
		{"multicast", LinkEthernet, "\x01\x00\x5e\x00\x00\x01" + from + "\x86\xdd",
			cbpf.Meta{NetOff: 14, HaType: 1, Protocol: 0x86dd, PktType: 2}},
		{"LLC", LinkEthernet, mac + from + "\x00\x26\x42\x42\x03", cbpf.Meta{NetOff: 14, HaType: 1, Protocol: 4}},
		{"802.3 raw", LinkEthernet, mac + from + "\x00\x26\xff\xff", cbpf.Meta{NetOff: 14, HaType: 1, Protocol: 1}},
		{"length without payload", LinkEthernet, mac + from + "\x00\x26\xff", cbpf.Meta{NetOff: 14, HaType: 1, Protocol: 4}},
		{"13 bytes", LinkEthernet, (mac + from + "\x08"), cbpf.Meta{NetOff: 14, HaType: 1}},
		{"empty", LinkEthernet, "", cbpf.Meta{NetOff: 14, HaType: 1}},
		{"SLL", LinkSLL, "\x00\x04\x03\x04\x00\x06" + mac + "\x00\x00\x08\x00",
			cbpf.Meta{NetOff: 16, HaType: 772, Protocol: 0x800, PktType: 4}},
		{"SLL2", LinkSLL2, "\x86\xdd\x00\x00\x00\x00\x00\x07\x00\x01\x03\x06" + mac + "\x00\x00",
			cbpf.Meta{NetOff: 20, HaType: 1, Protocol: 0x86dd, PktType: 3, IfIndex: 7}},
		{"raw IPv4", LinkRaw, "E", cbpf.Meta{HaType: haNone, Protocol: 0x800}},
		{"raw IPv6", 12, "\x60", cbpf.Meta{HaType: haNone, Protocol: 0x86dd}},
		{"raw nothing", LinkRaw, "", cbpf.Meta{HaType: haNone}},
		{"null", LinkNull, "\x02\x00\x00\x00E", cbpf.Meta{NetOff: 4, HaType: haLoopback, Protocol: 0x800}},
		{"unknown", 147, "abc", cbpf.Meta{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.want.HasDev = true
			if test.want.IfIndex == 0 {
				test.want.IfIndex = 1
			}
			require.Equal(t, test.want, MetaFor(test.link, []byte(test.data)))
		})
	}
}

func TestLinkTypeString(t *testing.T) {
	require.Equal(t, "EN10MB", LinkEthernet.String())
	require.Equal(t, "147", LinkType(147).String())
}

// Whatever a file holds, reading it ends, without a panic, with packets that keep their promises.
func FuzzTrace(f *testing.F) {
	f.Add([]byte(pcapBytes(20, pcapRecord(4, 60, "abcd"))))
	f.Add([]byte(ngSection(ngOption(1, "hello")) + ngIface(1, 96, ngOption(9, "\x09")) + ngEnhanced(0, 4, 60, "abcd")))
	f.Add([]byte(ngSection() + ngIface(276, 0) + ngBlock(blockSimple, le(u32(4), "abcd")) + ngBlock(5, "0123456789ab")))
	files, err := filepath.Glob("../testdata/pcaps/*.pcap*")
	require.NoError(f, err)
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil && len(data) < 8<<10 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		trace, err := NewTrace(bytes.NewReader(data), "f")
		for err == nil {
			var rec Record
			rec, err = trace.Next()
			if err == nil && (len(rec.Data) > int(rec.WireLen) || len(rec.Data) > len(data)) {
				t.Fatalf("%d bytes of a packet of %d bytes, out of a file of %d", len(rec.Data), rec.WireLen, len(data))
			}
		}
		if err != io.EOF && !errors.As(err, new(*TraceError)) {
			t.Fatalf("error without a place: %v", err)
		}
	})
}
