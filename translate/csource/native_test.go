package csource_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate/csource"
)

// strict are the warnings under which our C has to compile.
var strict = []string{"-Wall", "-Wextra", "-Wunreachable-code", "-Wconversion", "-Wshadow", "-Werror"}

// compiler skips the test where a compiler is not installed.
func compiler(t testing.TB, name string) {
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("skipped: no compiler: %v", err)
	}
}

// driver is a program that runs filters on packets: for each record on stdin it writes the verdict to stdout. Packets are
// copied to memory of just their size, so that sanitizers see any step beyond.
const driver = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t given_random, given_poff;
static uint32_t give_random(const struct cbpf_packet *pkt) { (void)pkt; return given_random; }
static uint32_t give_poff(const struct cbpf_packet *pkt) { (void)pkt; return given_poff; }

int main(void)
{
	uint32_t r[22];
	while (fread(r, sizeof(r), 1, stdin) == 1) {
		uint32_t caplen = r[1], head = r[3], verdict;
		uint8_t *mem = malloc((size_t)head + caplen);
		struct cbpf_packet pkt = {
			.data = mem + head, .caplen = caplen, .len = r[2], .head = head, .net = (int32_t)r[4], .no_link = r[5] != 0,
			.has_dev = r[6] != 0, .pkt_type = (uint8_t)r[7], .vlan_present = (uint8_t)r[8], .protocol = (uint16_t)r[9],
			.hatype = (uint16_t)r[10], .queue = (uint16_t)r[11], .vlan_tci = (uint16_t)r[12], .vlan_tpid = (uint16_t)r[13],
			.ifindex = r[14], .mark = r[15], .rxhash = r[16], .cpu = r[17], .random = give_random, .poff = give_poff,
		};
		given_random = r[18];
		given_poff = r[19];
		if (fread(mem, 1, (size_t)head + caplen, stdin) != (size_t)head + caplen)
			return 1;
		verdict = run(r[0], &pkt);
		free(mem);
		fwrite(&verdict, sizeof(verdict), 1, stdout);
	}
	return 0;
}
`

// job is a program with the packets to run it on, and the verdicts that it has to give.
type job struct {
	name    string
	program cbpf.Program
	packets []cbpf.Packet
	want    []uint32
}

// random is what ld rand yields in the tests.
const random = 0xc0ffee42

// add appends a packet and the verdict of the reference on it.
func (j *job) add(t testing.TB, pkt cbpf.Packet) {
	pkt.Meta.Random = func() uint32 { return random }
	want, err := cbpf.Run(j.program, &pkt)
	require.NoError(t, err)
	j.packets, j.want = append(j.packets, pkt), append(j.want, want)
}

// record is a packet as the driver reads it.
func record(t testing.TB, program int, pkt *cbpf.Packet) []byte {
	flag := map[bool]uint32{true: 1}
	m := &pkt.Meta
	poff, err := cbpf.Run(cbpf.Program{{Op: cbpf.OpLdAbsW, K: cbpf.AdOff + uint32(cbpf.ExtPayOff)}, {Op: cbpf.OpRetA}}, pkt)
	require.NoError(t, err)
	words := [22]uint32{uint32(program), uint32(len(pkt.Data)), pkt.WireLen, uint32(len(m.Head)), uint32(int32(m.NetOff)), flag[m.NoLink],
		flag[m.HasDev], uint32(m.PktType), flag[m.VlanPresent], uint32(m.Protocol), uint32(m.HaType), uint32(m.Queue),
		uint32(m.VlanTCI), uint32(m.VlanTPID), m.IfIndex, m.Mark, m.RxHash, m.CPU, random, poff}
	b, err := binary.Append(nil, binary.NativeEndian, words)
	require.NoError(t, err)
	return append(append(b, m.Head...), pkt.Data...)
}

// calls are the parameters of the forms for user space, and the arguments for them.
var calls = map[csource.Form]struct{ params, args string }{
	csource.Function: {"const uint8_t *, const uint8_t *", "pkt->data, pkt->data + pkt->caplen"},
	csource.Packet:   {"const struct cbpf_packet *", "pkt"},
	csource.Seccomp:  {"const struct seccomp_data *", "(const void *)pkt->data"},
}

// native compiles the programs into one executable, runs them all, and compares the verdicts.
func native(t *testing.T, cc string, flags []string, opts csource.Options, jobs []job) {
	compiler(t, cc)
	dir := t.TempDir()
	const perFile = 64
	var table, sources strings.Builder
	table.WriteString("#include <stdint.h>\nstruct seccomp_data;\n" + packetStruct(t))
	args := append(append([]string{"-std=gnu11", "-o", "run"}, strict...), flags...)
	for first := 0; first < len(jobs); first += perFile {
		file := fmt.Sprintf("f%d.c", first)
		sources.Reset()
		sources.WriteString("#include <stdint.h>\n")
		for i := first; i < min(len(jobs), first+perFile); i++ {
			opts.Name = fmt.Sprintf("filter%d", i)
			text, err := csource.Translate(jobs[i].program, opts)
			require.NoError(t, err, "%s", jobs[i].name)
			sources.WriteString(text)
			fmt.Fprintf(&table, "uint32_t %s(%s);\n", opts.Name, calls[opts.Form].params)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(sources.String()), 0o666))
		args = append(args, file)
	}
	table.WriteString("static uint32_t run(uint32_t n, const struct cbpf_packet *pkt)\n{\n\tswitch (n) {\n")
	for i := range jobs {
		fmt.Fprintf(&table, "\tcase %d: return filter%d(%s);\n", i, i, calls[opts.Form].args)
	}
	table.WriteString("\t}\n\treturn 0;\n}\n" + driver)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.c"), []byte(table.String()), 0o666))
	compile := exec.Command(cc, append(args, "main.c")...)
	compile.Dir = dir
	out, err := compile.CombinedOutput()
	if strings.Contains(string(out), "libclang_rt") {
		t.Skipf("skipped: the sanitizers are not installed")
	}
	require.NoError(t, err, "%s", out)
	compare(t, filepath.Join(dir, "run"), jobs)
}

// packetStruct is the declaration of struct cbpf_packet, as it stands in our C.
func packetStruct(t *testing.T) string {
	text, err := csource.Translate(cbpf.Program{{Op: cbpf.OpRetK}}, csource.Options{Form: csource.Packet})
	require.NoError(t, err)
	from, to := strings.Index(text, "#ifndef CBPF_PACKET"), strings.Index(text, "#endif")
	return text[from:to] + "#endif\n"
}

// compare feeds the driver and looks at its verdicts.
func compare(t *testing.T, program string, jobs []job) {
	var stdin, stderr bytes.Buffer
	for i := range jobs {
		for k := range jobs[i].packets {
			stdin.Write(record(t, i, &jobs[i].packets[k]))
		}
	}
	run := exec.Command(program)
	run.Stdin, run.Stderr = &stdin, &stderr
	verdicts, err := run.Output()
	require.NoError(t, err, "%s", stderr.String())
	total := 0
	for _, j := range jobs {
		for k, want := range j.want {
			got := binary.NativeEndian.Uint32(verdicts[4*total:])
			if got != want {
				listing, _ := cbpf.Print(j.program, cbpf.Listing)
				t.Fatalf("%s: verdict %d, want %d\n%spacket %x\n%+v", j.name, got, want, listing, j.packets[k].Data, j.packets[k])
			}
			total++
		}
	}
	require.Len(t, verdicts, 4*total)
	t.Logf("%d programs, %d verdicts", len(jobs), total)
}

// corpus is the collection of programs beside the project; tests of it skip where it is absent.
const corpus = "../../../shared/corpus"

// programs are the filters of the tree and of the collection, where that is there.
func programs(t testing.TB) (all []job) {
	files, err := filepath.Glob("../../testdata/filters/*.d")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	more, err := filepath.Glob(corpus + "/programs/*.ddd")
	require.NoError(t, err)
	for _, file := range append(files, more...) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		p, err := cbpf.Parse(text)
		require.NoError(t, err, file)
		all = append(all, job{name: filepath.Base(file), program: p})
	}
	return all
}

// filterJobs are those filters with packets that are hard on them, and the crafted ones.
func filterJobs(t testing.TB) []job {
	jobs := programs(t)
	crafted := difftest.Crafted()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range jobs {
		for range 40 {
			jobs[i].add(t, difftest.GenPacket(r, jobs[i].program))
		}
		for k := i % 5; k < len(crafted); k += 5 {
			data := crafted[k].Data
			jobs[i].add(t, cbpf.Packet{Data: data, WireLen: uint32(len(data)), Meta: difftest.MetaFor(difftest.LinkEthernet, data)})
		}
	}
	return jobs
}

// randomJobs are random valid programs.
func randomJobs(t testing.TB, n int, opts difftest.GenOptions, see func(*cbpf.Packet)) (jobs []job) {
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 9))
		o := opts
		o.Windows = o.Windows && seed%3 == 0
		if seed%2 == 0 {
			o.Exts = nil
		}
		if seed%250 == 249 {
			o.MaxLen = cbpf.MaxInsns
		}
		j := job{name: fmt.Sprintf("seed %d", seed), program: difftest.GenProgram(r, o)}
		for range 20 {
			pkt := difftest.GenPacket(r, j.program)
			see(&pkt)
			j.add(t, pkt)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// asFunction makes of a packet what a Function sees of it, with Windows and NetOff 14.
func asFunction(pkt *cbpf.Packet) {
	pkt.WireLen, pkt.Meta = uint32(len(pkt.Data)), cbpf.Meta{NetOff: 14}
}

// allExts are all extensions.
func allExts() (exts []cbpf.Ext) {
	for _, info := range cbpf.Exts {
		exts = append(exts, info.Ext)
	}
	return exts
}

// inScale shortens a test that is told to be short.
func inScale(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

func TestPacketOnFilters(t *testing.T) {
	native(t, "clang", []string{"-O1"}, csource.Options{Form: csource.Packet}, filterJobs(t))
}

func TestPacketOnRandomPrograms(t *testing.T) {
	opts := difftest.GenOptions{MaxLen: 80, Windows: true, Exts: allExts()}
	native(t, "clang", []string{"-O1"}, csource.Options{Form: csource.Packet}, randomJobs(t, inScale(600), opts, func(*cbpf.Packet) {}))
}

func TestFunctionOnRandomPrograms(t *testing.T) {
	opts := difftest.GenOptions{MaxLen: 80, Windows: true, Exts: []cbpf.Ext{cbpf.ExtXorX}}
	native(t, "clang", []string{"-O2"}, csource.Options{Windows: true, NetOff: 14}, randomJobs(t, inScale(400), opts, asFunction))
}

// Another compiler has other warnings.
func TestWithGCC(t *testing.T) {
	opts := difftest.GenOptions{MaxLen: 80, Windows: true, Exts: allExts()}
	native(t, "gcc", []string{"-O2"}, csource.Options{Form: csource.Packet}, randomJobs(t, inScale(200), opts, func(*cbpf.Packet) {}))
	opts.Exts = []cbpf.Ext{cbpf.ExtXorX}
	native(t, "gcc", []string{"-O2"}, csource.Options{Windows: true, NetOff: 14}, randomJobs(t, inScale(200), opts, asFunction))
}

// Nothing that C leaves undefined happens, and no byte outside of a packet is looked at.
func TestWithSanitizers(t *testing.T) {
	flags := []string{"-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"}
	opts := difftest.GenOptions{MaxLen: 80, Windows: true, Exts: allExts()}
	native(t, "clang", flags, csource.Options{Form: csource.Packet}, randomJobs(t, inScale(100), opts, func(*cbpf.Packet) {}))
	opts.Exts = []cbpf.Ext{cbpf.ExtXorX}
	native(t, "clang", flags, csource.Options{Windows: true, NetOff: 14}, randomJobs(t, inScale(100), opts, asFunction))
}

// Seccomp filters see words in the order of the machine.
func TestSeccomp(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("skipped: system calls are laid out for little-endian machines")
	}
	files, err := filepath.Glob(corpus + "/seccomp/*.bin")
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skipf("skipped: no programs in %s", corpus)
	}
	r := rand.New(rand.NewPCG(1, 4))
	var jobs []job
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		p, err := cbpf.ParseAs(cbpf.Raw, text)
		require.NoError(t, err, file)
		j := job{name: filepath.Base(file), program: p}
		for nr := range int32(450) {
			d := cbpf.SeccompData{Nr: nr, Arch: []cbpf.Arch{cbpf.ArchX86_64, cbpf.ArchX86_64, cbpf.ArchI386}[nr%3], InstructionPointer: r.Uint64()}
			for i := range d.Args {
				d.Args[i] = []uint64{0, 1, r.Uint64N(4096), r.Uint64()}[r.IntN(4)]
			}
			want, err := cbpf.RunSeccomp(p, &d)
			require.NoError(t, err)
			j.packets, j.want = append(j.packets, cbpf.Packet{Data: d.Bytes()}), append(j.want, want)
		}
		jobs = append(jobs, j)
	}
	native(t, "clang", []string{"-O1"}, csource.Options{Form: csource.Seccomp}, jobs)
}
