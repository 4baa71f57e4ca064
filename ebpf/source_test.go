package ebpf_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// needTools skips the test where a program is missing.
func needTools(t *testing.T, names ...string) {
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no witness: %v", err)
		}
	}
}

func TestJSON(t *testing.T) {
	p := Program{Mov.Imm(R0, 1), {Op: OpLoadWide, Dst: R2, Imm: -1}, {Imm: 7}, {Op: 0xff, Dst: 15, Src: 11, Off: -3, Imm: 9}}
	b, err := json.Marshal(p)
	require.NoError(t, err)
	require.Equal(t, `[{"pc":0,"text":"r0 = 1","op":183,"dst":0,"src":0,"off":0,"imm":1},`+
		`{"pc":1,"text":"r2 = 34359738367 ll","op":24,"dst":2,"src":0,"off":0,"imm":-1},`+
		`{"pc":2,"op":0,"dst":0,"src":0,"off":0,"imm":7},`+
		`{"pc":3,"text":".insn 0xffbffdff09000000","op":255,"dst":15,"src":11,"off":-3,"imm":9}]`, string(b))
	var q Program
	require.NoError(t, json.Unmarshal(b, &q))
	require.Equal(t, p, q)

	all := samples()
	b, err = json.Marshal(all)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &q))
	require.Equal(t, all, q)
	require.NoError(t, json.Unmarshal([]byte(`[{"op":149}]`), &q))
	require.Equal(t, Program{Return()}, q)
	for text, reason := range map[string]Reason{
		`{}`:                            ReasonJSON,
		`[{"op":256}]`:                  ReasonJSON,
		`[{"op":1,"dst":16}]`:           ReasonJSON,
		`[{"op":149,"pc":1}]`:           ReasonDisagree,
		`[{"op":149,"text":"goto +1"}]`: ReasonDisagree,
	} {
		require.ErrorIs(t, json.Unmarshal([]byte(text), &q), reason, text)
	}
}

// A C compiler makes the same bytes of the array.
func TestWriteC(t *testing.T) {
	p := append(samples(), Instruction{Op: 0xb7, Imm: -1 << 31}, Instruction{Op: 0xff, Dst: 15})
	var b strings.Builder
	require.NoError(t, WriteC(&b, p[:1], "prog"))
	require.Equal(t, "struct bpf_insn prog[] = {\n"+
		"\t{ .code = 0x04, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0 }, /* 0: w0 += 0 */\n};\n", b.String())
	require.ErrorIs(t, WriteC(&b, p, "1x"), ReasonName)

	needTools(t, "cc")
	dir := t.TempDir()
	b.Reset()
	b.WriteString("#include <stdio.h>\n#include <linux/bpf.h>\n")
	require.NoError(t, WriteC(&b, p, "prog"))
	b.WriteString("int main(void) { return fwrite(prog, sizeof prog, 1, stdout) != 1; }\n")
	source, program := filepath.Join(dir, "prog.c"), filepath.Join(dir, "prog")
	require.NoError(t, os.WriteFile(source, []byte(b.String()), 0o600))
	if out, err := exec.Command("cc", "-Wall", "-Werror", "-o", program, source).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "linux/bpf.h") {
			t.Skipf("no kernel headers: %s", out)
		}
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(program).Output()
	require.NoError(t, err)
	require.Equal(t, Encode(p, binary.NativeEndian), out)
}

// The Go compiler and cilium/ebpf make the same bytes of the variable.
func TestWriteGo(t *testing.T) {
	var p Program
	all := samples()
	for pc := 0; pc < len(all); {
		_, n := all.Line(pc, LLVM)
		if i := all[pc]; !i.SpaceCast() && pc%3 == 0 {
			p = append(p, all[pc:][:n]...)
		}
		pc += n
	}
	var b strings.Builder
	require.ErrorIs(t, WriteGo(&b, p, "a b"), ReasonName)
	require.ErrorIs(t, WriteGo(&b, Program{{Op: 0xff}}, "prog"), ReasonBadOpcode)
	require.ErrorIs(t, WriteGo(&b, Program{{Op: OpLoadWide}}, "prog"), ReasonWideCut)
	require.Empty(t, b.String())

	needTools(t, "go")
	b.WriteString("package main\n\nimport (\n\t\"bytes\"\n\t\"fmt\"\n\n\t\"encoding/binary\"\n\n\t\"github.com/cilium/ebpf/asm\"\n)\n\n")
	require.NoError(t, WriteGo(&b, p, "prog"))
	b.WriteString("\nfunc main() {\n\tvar b bytes.Buffer\n\tif err := prog.Marshal(&b, binary.LittleEndian); err != nil {\n\t\tpanic(err)\n\t}\n" +
		"\tfmt.Printf(\"%x\", b.Bytes())\n}\n")
	// The program lies inside the module so that it is built with the module's own dependencies.
	dir, err := os.MkdirTemp("testdata", "go_")
	if err != nil {
		t.Skipf("nowhere to write: %v", err)
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "main.go")
	require.NoError(t, os.WriteFile(source, []byte(b.String()), 0o600))
	out, err := exec.Command("go", "run", "./"+source).Output()
	require.NoError(t, err, "%s", err)
	require.Equal(t, hex.EncodeToString(Encode(p, binary.LittleEndian)), string(out))
}

func ExampleWriteC() {
	p, err := Assemble([]byte(`
		if r2 < 14 goto drop
		r0 = *(u16 *)(r1 + 12)
		r0 = be16 r0
		exit
	drop:
		r0 = 0
		exit`))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := WriteC(os.Stdout, p, "type"); err != nil {
		fmt.Println(err)
	}
	// Output:
	// struct bpf_insn type[] = {
	// 	{ .code = 0xa5, .dst_reg = 2, .src_reg = 0, .off = 3, .imm = 14 }, /* 0: if r2 < 14 goto +3 */
	// 	{ .code = 0x69, .dst_reg = 0, .src_reg = 1, .off = 12, .imm = 0 }, /* 1: r0 = *(u16 *)(r1 + 12) */
	// 	{ .code = 0xdc, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 16 }, /* 2: r0 = be16 r0 */
	// 	{ .code = 0x95, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0 }, /* 3: exit */
	// 	{ .code = 0xb7, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0 }, /* 4: r0 = 0 */
	// 	{ .code = 0x95, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0 }, /* 5: exit */
	// };
}
