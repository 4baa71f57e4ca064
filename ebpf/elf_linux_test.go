package ebpf_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// hooks are the sections of the kinds of programs that loaders tell by their names, and a program for each.
var hooks = []struct {
	section string
	kind    string // as bpftool calls it
	program Program
}{
	{"socket", "socket_filter", Program{Mov.Reg(R6, R1), LoadAbs(1, 0), Return()}},
	{"classifier", "sched_cls", Program{Mov.Reg(R6, R1), LoadAbs(1, 0), Return()}},
	{"tc", "sched_cls", Program{Load(4, R0, R1, SkbLen), Return()}},
	{"cgroup_skb/ingress", "cgroup_skb", Program{Mov.Imm(R0, 1), Return()}},
	{"cgroup_skb/egress", "cgroup_skb", Program{Mov.Imm(R0, 1), Return()}},
	{"xdp", "xdp", Program{Mov.Imm(R0, 2), Return()}},
	{"xdp.frags", "xdp", Program{Mov.Imm(R0, 2), Return()}},
	{"fentry/ip_rcv", "tracing", Program{Load(8, R2, R1, 0), Mov.Imm(R0, 0), Return()}},
	{"kprobe/ip_rcv", "kprobe", Program{Load(8, R2, R1, 112), Mov.Imm(R0, 0), Return()}},
	{"tp_btf/sys_enter", "tracing", Program{Load(8, R2, R1, 0), Mov.Imm(R0, 0), Return()}},
	{"raw_tp/sys_enter", "raw_tracepoint", Program{Mov.Imm(R0, 0), Return()}},
}

// objectFile writes the object of one program into a file.
func objectFile(t *testing.T, section, licence string, p Program) string {
	file := filepath.Join(t.TempDir(), "filter.o")
	data := writeELF(t, host(), licence, Function{Name: "filter", Section: section, Program: p})
	require.NoError(t, os.WriteFile(file, data, 0o666))
	return file
}

// unpatchable reports whether a loader came as far as to the kernel, which lets nobody patch its functions: not every one
// does, and that is known only then.
func unpatchable(section, message string) bool {
	return strings.HasPrefix(section, "fentry/") && strings.Contains(strings.ToLower(message), "operation not permitted")
}

// libbpf, through bpftool, loads an object of each kind as it is, and what the kernel then has is the program.
func TestBpftoolLoadsObjects(t *testing.T) {
	needTools(t, "bpftool", "unshare", "mount")
	needKernel(t)
	for _, h := range hooks {
		file := objectFile(t, h.section, "GPL", h.program)
		// In a mount namespace of its own, so that the pins are gone with it.
		script := `set -e; mkdir "$1"; mount -t bpf bpf "$1"; bpftool prog load "$0" "$1/p" >&2; bpftool -j prog show pinned "$1/p"; echo; bpftool prog dump xlated pinned "$1/p"`
		out, err := exec.Command("unshare", "-m", "sh", "-c", script, file, filepath.Join(t.TempDir(), "bpf")).CombinedOutput()
		if err != nil && unpatchable(h.section, string(out)) {
			continue
		}
		require.NoError(t, err, "%s: %s", h.section, out)
		show, dump, _ := strings.Cut(string(out), "\n")
		var info struct {
			Type, Name  string
			GPL         bool `json:"gpl_compatible"`
			BytesXlated int  `json:"bytes_xlated"`
		}
		require.NoError(t, json.Unmarshal([]byte(show), &info), "%s", out)
		require.Equal(t, h.kind, info.Type, h.section)
		require.Equal(t, "filter", info.Name)
		require.True(t, info.GPL)
		if !strings.Contains(dump, "skb") && h.section != "tc" { // the kernel rewrites what looks at the context
			back, err := Assemble([]byte(dump))
			require.NoError(t, err)
			require.Equal(t, h.program, back, h.section)
		}
	}
}

// cilium/ebpf does the same.
func TestCiliumLoadsObjects(t *testing.T) {
	needKernel(t)
	for _, h := range hooks {
		spec, err := cilium.LoadCollectionSpec(objectFile(t, h.section, "", h.program))
		require.NoError(t, err, h.section)
		require.Len(t, spec.Programs, 1)
		require.Equal(t, h.section, spec.Programs["filter"].SectionName)
		require.Empty(t, spec.Programs["filter"].License)
		coll, err := cilium.NewCollection(spec)
		if err != nil && unpatchable(h.section, err.Error()) {
			continue
		}
		require.NoError(t, err, h.section)
		prog := coll.Programs["filter"]
		require.Equal(t, spec.Programs["filter"].Type, prog.Type())
		if h.kind == "socket_filter" {
			got, err := prog.Run(&cilium.RunOptions{Data: append(make([]byte, 14), 0x5a)})
			require.NoError(t, err)
			require.Equal(t, uint32(0x5a), got)
		}
		coll.Close()
	}
}

// LLVM's tools find nothing wrong with an object, of either byte order, and disassemble it to what we print.
func TestLLVMReadsObjects(t *testing.T) {
	needTools(t, "llvm-objdump", "llvm-readelf")
	program := keepAll[:4:4]
	program = append(program, ToBE(R0, 16), Return())
	for _, order := range byteOrders {
		file := filepath.Join(t.TempDir(), "filter.o")
		functions := []Function{{Name: "one", Section: "socket", Program: program}, {Name: "two", Section: "socket", Program: drop}}
		require.NoError(t, os.WriteFile(file, writeELF(t, order, "GPL", functions...), 0o666))
		var stderr bytes.Buffer
		readelf := exec.Command("llvm-readelf", "-a", file)
		readelf.Stderr = &stderr
		require.NoError(t, readelf.Run())
		require.Empty(t, stderr.String())
		listing := command(t, "", "llvm-objdump", "-d", "--mcpu=v3", file)
		require.Contains(t, listing, "<one>:")
		require.Contains(t, listing, "<two>:")
		if order == binary.LittleEndian {
			back, err := Assemble([]byte(listing))
			require.NoError(t, err)
			require.Equal(t, append(append(Program{}, program...), drop...), back)
			continue
		}
		for pc, i := range program { // the bytes are in the order of the file there
			code := Encode(Program{i}, order)
			require.Contains(t, strings.ReplaceAll(listing, " ", ""), hex.EncodeToString(code), "%d", pc)
		}
	}
}

func TestReadELFOfClang(t *testing.T) {
	needTools(t, "clang")
	for _, order := range byteOrders {
		o, err := ReadELF(clangObject(t, order, withMap))
		require.NoError(t, err)
		require.Equal(t, "GPL", o.Licence())
		sections, err := o.Code()
		require.NoError(t, err)
		require.Len(t, sections, 2)
		require.Equal(t, ".text", sections[0].Name)
		require.Equal(t, "xdp", sections[1].Name)
		require.Len(t, sections[0].Functions, 2)
		count, err := o.Function("count")
		require.NoError(t, err)
		require.Len(t, count.Relocations, 2)
		require.Equal(t, "counters", count.Relocations[0].Symbol)
		require.Equal(t, OpLoadWide, sections[0].Program[count.Relocations[0].PC].Op)
		require.Equal(t, OpCall, sections[0].Program[count.Relocations[1].PC].Op)
		require.Equal(t, OpExit, count.Program[len(count.Program)-1].Op)
		second, err := o.Function("second")
		require.NoError(t, err)
		require.Positive(t, second.Start)
		require.Equal(t, second.Start+len(second.Program), len(sections[1].Program))
		text := string(sections[0].AppendText(nil, LLVM))
		require.Contains(t, text, "\ncount:\n")
		require.Contains(t, text, "r1 = 0 ll ; counters\n")
		require.Contains(t, text, "call pc-1 ; local\n")
		require.Contains(t, string(count.Only().AppendText(nil, LLVM)), "count:\n       0:\t")
	}
}

// The kernel takes objects with a function replaced, and runs all of them right: loaded by libbpf, and by cilium/ebpf.
func TestReplacedRuns(t *testing.T) {
	needTools(t, "clang", "bpftool", "unshare", "mount")
	needKernel(t)
	for _, flag := range []string{"-mcpu=v1", "-mcpu=v3", "-DTOGETHER"} {
		object := clangObject(t, host(), crowd, flag)
		for i, body := range bodies() {
			changed := replaced(t, object, body)
			coll, err := cilium.LoadCollectionSpecFromReader(bytes.NewReader(changed))
			require.NoError(t, err)
			for name := range coll.Programs { // it takes all functions of such a section for programs
				if !strings.HasSuffix(name, "_prog") {
					delete(coll.Programs, name)
				}
			}
			loaded, err := cilium.NewCollection(coll)
			require.NoError(t, err, "%s, body %d", flag, i)
			for last, want := range map[byte]uint32{0: 66 + 1000*uint32(1-i%2), 1: 1066} {
				// By hand: last(x) is x+7, first(x) three times that; 24 + 9 + 33, and 1000 for a packet that the stub likes.
				frame := append(make([]byte, 13), last, 0)
				got, err := loaded.Programs["main_prog"].Run(&cilium.RunOptions{Data: frame})
				require.NoError(t, err)
				require.Equal(t, want, got, "%s, body %d, byte %d", flag, i, last)
			}
			got, err := loaded.Programs["other_prog"].Run(&cilium.RunOptions{Data: make([]byte, 14)})
			require.NoError(t, err)
			require.Equal(t, uint32(0), got)
			loaded.Close()
			if flag == "-DTOGETHER" { // libbpf wants no such functions there
				continue
			}
			file := filepath.Join(t.TempDir(), "changed.o")
			require.NoError(t, os.WriteFile(file, changed, 0o666))
			script := `set -e; mkdir "$1"; mount -t bpf bpf "$1"; bpftool prog loadall "$0" "$1/p"; bpftool prog dump xlated pinned "$1/p/main_prog"`
			out, err := exec.Command("unshare", "-m", "sh", "-c", script, file, filepath.Join(t.TempDir(), "bpf")).CombinedOutput()
			require.NoError(t, err, "%s, body %d: %s", flag, i, out)
			require.Contains(t, string(out), "int stub(void * a, void * b, void * c, ", "libbpf has read .BTF.ext, and the kernel too")
		}
	}
}
