package ebpf_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cilium "github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// crowd is source in which all kinds of things stand around the function stub in its section: functions in front and behind,
// calls among them in both directions, a callback, a map, lines of source, accesses that are relocated. With TOGETHER the
// programs are in the same section too.
const crowd = `
#define SEC(n) __attribute__((section(n), used))
#ifdef TOGETHER
#define IN SEC("xdp")
#else
#define IN
#endif
typedef unsigned long long u64;
struct { int (*type)[2]; unsigned *key; u64 *value; int (*max_entries)[4]; } counters SEC(".maps");
static void *(*const lookup)(void *, const void *) = (void *)1;
static long (*const loop)(unsigned, void *, void *, u64) = (void *)181;
struct xdp_md { unsigned data, data_end, data_meta, ingress_ifindex; };
struct task_struct { int pid; } __attribute__((preserve_access_index));

static IN __attribute__((noinline)) int last(int x);
static IN __attribute__((noinline)) long once(u64 i, void *ctx) { *(int *)ctx += 5; return 1; }
static IN __attribute__((noinline)) int first(int x) { return last(x) * 3; }
static IN __attribute__((noinline)) int stub(void *a, void *b, void *c, const unsigned char *data, const unsigned char *data_end)
{
	unsigned key = 1;
	u64 *v = lookup(&counters, &key);
	if (v && a == b && b == c)
		*v += __builtin_preserve_access_index(((struct task_struct *)0)->pid == 0);
	return data != data_end;
}
static IN __attribute__((noinline)) int last(int x)
{
	unsigned key = 0;
	int n = x;
	u64 *v = lookup(&counters, &key);
	if (v)
		__sync_fetch_and_add(v, 1);
	loop(3, once, &n, 0);
	return n + 2;
}
SEC("xdp") int main_prog(struct xdp_md *ctx)
{
	const unsigned char *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	int r = first(1) + last(2);
	if (stub(ctx, ctx, ctx, data, data_end))
		r += 1000;
	return r + first(4);
}
SEC("xdp") int other_prog(struct xdp_md *ctx) { return last(ctx->ingress_ifindex) & 3; }
char _license[] SEC("license") = "GPL";
`

// bodies are new bodies for the stub: as short as can be, longer, and longer than all the rest.
func bodies() []Program {
	short := Program{Mov.Imm32(R0, 1), Return()}
	long := Program{}
	for range 40 {
		long = append(long, Mov.Imm32(R0, 7), Add.Imm32(R0, 1))
	}
	load := Program{
		Mov.Reg(R1, R4), Add.Imm(R1, 14), {Op: JGt.Reg(R1, R5).Op, Dst: R1, Src: R5, Off: 3},
		Load(1, R0, R4, 13), And.Imm32(R0, 1), Return(), Mov.Imm32(R0, 0), Return(),
	}
	return []Program{short, load, append(long, Return())}
}

// replaced gives the stub of an object another body.
func replaced(t testing.TB, object []byte, body Program) []byte {
	o, err := ReadELF(object)
	require.NoError(t, err)
	before := append([]byte(nil), object...)
	dropped, err := o.Replace("stub", body)
	require.NoError(t, err)
	require.Equal(t, before, object, "the bytes that were read have changed")
	require.Contains(t, dropped, ".debug_info")
	return o.Bytes()
}

// linked returns the instructions of the programs of an object, function by function, as the loader of cilium/ebpf links them.
// The text of each has its line of source, which comes out of .BTF.ext.
func linked(t testing.TB, object []byte) map[string][]string {
	spec, err := cilium.LoadCollectionSpecFromReader(bytes.NewReader(object))
	require.NoError(t, err)
	functions := map[string][]string{}
	for name, prog := range spec.Programs {
		function := name
		for _, ins := range prog.Instructions {
			if s := ins.Symbol(); s != "" {
				function = s
			}
			line := ""
			if src := ins.Source(); src != nil {
				line = src.String()
			}
			text := fmt.Sprintf("%s %s ; %s", describe(ins), ins.Reference(), line)
			functions[name+"/"+function] = append(functions[name+"/"+function], text)
		}
	}
	return functions
}

// describe is an instruction without what depends on places.
func describe(ins asm.Instruction) string {
	if ins.IsFunctionReference() {
		ins.Constant = 0
	}
	return fmt.Sprintf("%v %d %d %d %d", ins.OpCode, ins.Dst, ins.Src, ins.Offset, ins.Constant)
}

// Everything but the function is as it was, for the loader of others.
func TestReplaceKeepsTheRest(t *testing.T) {
	needTools(t, "clang", "llvm-readelf")
	for _, order := range byteOrders {
		for _, flag := range []string{"-mcpu=v1", "-mcpu=v3", "-DTOGETHER"} {
			object := clangObject(t, order, crowd, flag)
			was := linked(t, object)
			for _, body := range bodies() {
				changed := replaced(t, object, body)
				is := linked(t, changed)
				require.Len(t, is, len(was))
				for name, lines := range was {
					if filepath.Base(name) != "stub" {
						require.Equal(t, lines, is[name], name)
						continue
					}
					require.Len(t, is[name], len(body))
					_, line, _ := strings.Cut(lines[0], " ; ")
					require.NotEmpty(t, line)
					require.Contains(t, is[name][0], " ; "+line)
				}
				o, err := ReadELF(changed)
				require.NoError(t, err)
				f, err := o.Function("stub")
				require.NoError(t, err)
				require.Equal(t, body, f.Program)
				require.Empty(t, f.Relocations)
				clean(t, changed)
			}
		}
	}
}

// clean has llvm-readelf look at all of an object, and debug/elf at its symbols.
func clean(t testing.TB, object []byte) {
	file := filepath.Join(t.TempDir(), "changed.o")
	require.NoError(t, os.WriteFile(file, object, 0o666))
	var stderr bytes.Buffer
	readelf := exec.Command("llvm-readelf", "-a", file)
	readelf.Stderr = &stderr
	require.NoError(t, readelf.Run())
	require.Empty(t, stderr.String())
	f, err := elf.NewFile(bytes.NewReader(object))
	require.NoError(t, err)
	symbols, err := f.Symbols()
	require.NoError(t, err)
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC {
			require.LessOrEqual(t, s.Value+s.Size, f.Sections[s.Section].Size, s.Name)
		}
	}
}

// A function may be replaced again, and first by itself: then nothing but DWARF is gone.
func TestReplaceTwice(t *testing.T) {
	needTools(t, "clang")
	object := clangObject(t, binary.LittleEndian, crowd)
	once := replaced(t, object, bodies()[2])
	o, err := ReadELF(once)
	require.NoError(t, err)
	dropped, err := o.Replace("stub", bodies()[0])
	require.NoError(t, err)
	require.Empty(t, dropped)
	require.Equal(t, replaced(t, object, bodies()[0]), o.Bytes())
}

func TestReplaceRefuses(t *testing.T) {
	needTools(t, "clang")
	object := clangObject(t, binary.LittleEndian, crowd)
	o, err := ReadELF(object)
	require.NoError(t, err)
	_, err = o.Replace("stump", bodies()[0])
	require.ErrorIs(t, err, ReasonNotFound)
	require.ErrorContains(t, err, `"stump"; there are `)

	twice := writeELF(t, binary.LittleEndian, "", Function{Name: "ab", Section: "xdp", Program: drop}, Function{Name: "cd", Section: "tc", Program: drop})
	o, err = ReadELF(bytes.Replace(twice, []byte("\x00cd\x00"), []byte("\x00ab\x00"), 1))
	require.NoError(t, err)
	_, err = o.Replace("ab", drop)
	require.ErrorContains(t, err, `there are two of the name "ab", in sections xdp and tc`)

	// A jump and a call into the middle of the function.
	jump := Instruction{Op: OpJump, Off: -4}
	for what, ins := range map[string]Instruction{"a jump": jump, "a call": {Op: OpCall, Src: CallKindLocal, Imm: -4}} {
		p := Program{ins, Mov.Imm(R0, 0), Return()}
		o, err = ReadELF(writeELF(t, binary.LittleEndian, "", Function{Name: "f", Section: "xdp", Program: append(Program{Mov.Imm(R0, 1)}, append(drop, drop...)...)},
			Function{Name: "g", Section: "xdp", Program: p}))
		require.NoError(t, err)
		_, err = o.Replace("f", drop)
		require.ErrorIs(t, err, ReasonKept)
		require.ErrorContains(t, err, what+" aims at byte 16 of section xdp, in the middle of f")
	}
}

// Whatever byte of an object is wrong, nothing panics, and what is written can be read.
func TestReplaceInDamagedObjects(t *testing.T) {
	needTools(t, "clang")
	object := clangObject(t, binary.LittleEndian, crowd)
	r := rand.New(rand.NewPCG(1, 1))
	worked, refused := 0, 0
	for range 20_000 {
		damaged := append([]byte(nil), object...)
		for range 1 + r.IntN(4) {
			damaged[r.IntN(len(damaged))] = byte(r.Uint32())
		}
		o, err := ReadELF(damaged)
		if err != nil {
			refused++
			continue
		}
		if _, err := o.Replace("stub", bodies()[r.IntN(3)]); err != nil {
			refused++
			continue
		}
		worked++
		_, err = ReadELF(o.Bytes())
		require.NoError(t, err)
	}
	t.Logf("%d worked, %d were refused", worked, refused)
	require.Positive(t, worked)
	require.Positive(t, refused)
}
