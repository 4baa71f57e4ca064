package difftest

import (
	"bytes"
	"encoding/json"
	"math"
	"os/exec"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// realModules are the Go modules that hold captured traces. Only the first is a dependency; the other is fetched into the
// module cache.
var realModules = []struct {
	module string // path@version
	files  []realFile
}{
	{"github.com/google/gopacket@v1.1.19", []realFile{
		{"pcap/test_dns.pcap", LinkEthernet, 10},
		{"pcap/test_ethernet.pcap", LinkEthernet, 10},
		{"pcap/test_loopback.pcap", LinkNull, 24},
	}},
	{"github.com/gopacket/gopacket@v1.7.7", []realFile{
		{"layers/testdata/cip.pcap", LinkEthernet, 26068},
		{"layers/testdata/ethernetIP.pcap", LinkEthernet, 100},
		{"layers/testdata/modbus.pcap", LinkEthernet, 102},
		{"layers/testdata/modbus-2.pcap", LinkEthernet, 99},
		{"layers/testdata/linux_sll_oversized_addr.pcapng", LinkSLL, 209},
		{"pcapgo/tests/le/test300.pcapng", LinkEthernet, 32},
		{"pcapgo/tests/le/test301.pcapng", LinkEthernet, 276},
		{"pcapgo/tests/epb.pcapng", LinkEthernet, 1},
	}},
}

// realFile is a trace of a module, and what tcpdump says of it.
type realFile struct {
	path    string // inside the module
	link    LinkType
	packets int
}

// moduleDir returns the folder of a module, which it downloads if need be; "" where it cannot.
var moduleDir = func() func(module string) string {
	var mu sync.Mutex
	dirs := map[string]string{}
	return func(module string) string {
		mu.Lock()
		defer mu.Unlock()
		if dir, ok := dirs[module]; ok {
			return dir
		}
		var answer struct{ Dir string }
		out, err := exec.Command("go", "mod", "download", "-json", module).Output()
		if err != nil || json.Unmarshal(out, &answer) != nil {
			answer.Dir = ""
		}
		dirs[module] = answer.Dir
		return answer.Dir
	}
}()

// realTraces returns the paths of the captured traces that can be had here, and says which cannot.
func realTraces(t testing.TB) []string {
	t.Helper()
	var paths []string
	for _, m := range realModules {
		dir := moduleDir(m.module)
		if dir == "" {
			t.Logf("without the traces of %s: it cannot be downloaded", m.module)
			continue
		}
		for _, f := range m.files {
			paths = append(paths, filepath.Join(dir, f.path))
		}
	}
	return paths
}

// The counts are tcpdump's.
func TestRealTraces(t *testing.T) {
	for _, m := range realModules {
		dir := moduleDir(m.module)
		for _, f := range m.files {
			t.Run(f.path, func(t *testing.T) {
				if dir == "" {
					t.Skipf("%s cannot be downloaded", m.module)
				}
				records := readTrace(t, filepath.Join(dir, f.path))
				require.Len(t, records, f.packets)
				for _, rec := range records {
					require.Equal(t, f.link, rec.Link)
					require.LessOrEqual(t, uint32(len(rec.Data)), rec.WireLen)
				}
			})
		}
	}
}

// Writing a captured trace and reading it back changes no packet.
func TestRealTracesRoundTrip(t *testing.T) {
	for _, path := range realTraces(t) {
		trace, err := OpenTrace(path)
		require.NoError(t, err)
		records, err := trace.ReadAll()
		require.NoError(t, err)
		require.NoError(t, trace.Close())

		var copied bytes.Buffer
		w, err := NewWriter(&copied, trace.Link(), trace.Nanos())
		require.NoError(t, err)
		for i := range records {
			records[i].Interface = 0 // there is one in a pcap file
			require.NoError(t, w.Write(records[i], math.MaxUint32))
		}
		again, err := NewTrace(&copied, path)
		require.NoError(t, err)
		got, err := again.ReadAll()
		require.NoError(t, err)
		require.True(t, reflect.DeepEqual(records, got), path)
	}
}

// gopacket's own test files cover the corners of pcapng: many sections, many interfaces, every kind of block, in either
// byte order. As tcpdump does, we refuse the two without an interface, and stop at a section of an unknown version. tcpdump
// reads 32 packets of each set; the others are in files whose interfaces differ in link type or snapshot length, at the
// second of which it gives up.
func TestPcapngCorners(t *testing.T) {
	dir := moduleDir("github.com/google/gopacket@v1.1.19")
	if dir == "" {
		t.Skip("gopacket cannot be downloaded")
	}
	faults := map[string]string{
		"test002.pcapng": "no interface block in the file",
		"test017.pcapng": "no interface block in the file",
		"test901.pcapng": "Unknown pcapng Version",
	}
	for _, order := range []string{"le", "be"} {
		files, err := filepath.Glob(filepath.Join(dir, "pcapgo/tests", order, "*.pcapng"))
		require.NoError(t, err)
		require.Len(t, files, 26)
		packets := 0
		for _, file := range files {
			records, err := readFile(file)
			if fault := faults[filepath.Base(file)]; fault != "" {
				require.ErrorContains(t, err, fault, file)
			} else {
				require.NoError(t, err, file)
			}
			packets += len(records)
		}
		require.Equal(t, 72, packets, order)
	}
}

func readTrace(t testing.TB, path string) []Record {
	t.Helper()
	records, err := readFile(path)
	require.NoError(t, err)
	return records
}

func readFile(path string) ([]Record, error) {
	trace, err := OpenTrace(path)
	if err != nil {
		return nil, err
	}
	defer trace.Close()
	return trace.ReadAll()
}
