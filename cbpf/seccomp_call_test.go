package cbpf_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
)

// Numbers from the kernel's tables, by hand.
func TestCalls(t *testing.T) {
	for _, tc := range []struct {
		arch cbpf.Arch
		nr   uint32
		name string
	}{
		{cbpf.ArchX86_64, 0, "read"},
		{cbpf.ArchX86_64, 59, "execve"},
		{cbpf.ArchX86_64, 257, "openat"},
		{cbpf.ArchX86_64, 262, "newfstatat"},
		{cbpf.ArchX86_64, 400, ""},
		{cbpf.ArchX86_64, 424, "pidfd_send_signal"},
		{cbpf.ArchX86_64, 0x40000000, "x32:read"},
		{cbpf.ArchX86_64, 0x40000000 + 520, "x32:execve"},
		{cbpf.ArchX86_64, 0x40000000 + 59, ""},
		{cbpf.ArchX86_64, 520, ""},
		{cbpf.ArchI386, 5, "open"},
		{cbpf.ArchI386, 102, "socketcall"},
		{cbpf.ArchI386, 403, "clock_gettime64"},
		{cbpf.ArchAArch64, 56, "openat"},
		{cbpf.ArchAArch64, 79, "newfstatat"},
		{cbpf.ArchAArch64, 221, "execve"},
		{cbpf.ArchARM, 322, "openat"},
		{cbpf.ArchARM, 983041, "breakpoint"},
		{cbpf.ArchARM, 983045, "set_tls"},
		{cbpf.ArchRISCV64, 259, "riscv_flush_icache"},
		{0, 0, ""},
	} {
		require.Equal(t, tc.name, tc.arch.CallName(tc.nr), "%v %d", tc.arch, tc.nr)
		if tc.name != "" {
			nr, ok := tc.arch.Call(tc.name)
			require.True(t, ok, tc.name)
			require.Equal(t, tc.nr, nr, tc.name)
		}
	}
}

// The generated tables are what the generator writes now.
func TestCallsAreCurrent(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("skipped: no go command to run the generator with")
	}
	name := filepath.Join(t.TempDir(), "zsyscalls")
	out, err := exec.Command("go", "run", "seccomp_gen.go", name).CombinedOutput()
	require.NoError(t, err, "%s", out)
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	got, err := os.ReadFile("zsyscalls.go")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run go generate")
}

// The C headers of this machine, where there are some, are a second witness.
func TestCallsAgreeWithHeaders(t *testing.T) {
	for arch, header := range map[string]string{"x86_64": "unistd_64.h", "x32": "unistd_x32.h", "i386": "unistd_32.h"} {
		f, err := os.Open("/usr/include/x86_64-linux-gnu/asm/" + header)
		if err != nil {
			t.Skipf("skipped: %v", err)
		}
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			words := strings.Fields(strings.NewReplacer("(__X32_SYSCALL_BIT + ", "", ")", "").Replace(s.Text()))
			if len(words) != 3 || words[0] != "#define" || !strings.HasPrefix(words[1], "__NR_") {
				continue
			}
			name := strings.TrimPrefix(words[1], "__NR_")
			nr, err := strconv.Atoi(words[2])
			require.NoError(t, err, s.Text())
			d, err := cbpf.ParseSyscall(arch+":"+name, 0)
			require.NoError(t, err)
			require.EqualValues(t, nr, d.Nr&^cbpf.X32Bit, "%s on %s", name, arch)
		}
	}
}

func TestParseArch(t *testing.T) {
	for _, arch := range cbpf.Archs() {
		got, err := cbpf.ParseArch(arch.String())
		require.NoError(t, err)
		require.Equal(t, arch, got)
	}
	for text, want := range map[string]cbpf.Arch{"amd64": cbpf.ArchX86_64, "ARM64": cbpf.ArchAArch64, "386": cbpf.ArchI386, "0xc00000f3": cbpf.ArchRISCV64, "0x8": 8} {
		got, err := cbpf.ParseArch(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	_, err := cbpf.ParseArch("x86_65")
	require.ErrorIs(t, err, cbpf.ReasonUnknownArch)
	require.ErrorContains(t, err, "did you mean x86_64?")
	require.Equal(t, "0x00000008", cbpf.Arch(8).String())
}

func TestParseSyscall(t *testing.T) {
	const x64, i386 = cbpf.ArchX86_64, cbpf.ArchI386
	for _, tc := range []struct {
		text string
		want cbpf.SeccompData
	}{
		{"openat(AT_FDCWD, 0x1000, O_RDONLY)", cbpf.SeccompData{Nr: 257, Arch: x64, Args: [6]uint64{0xffffffffffffff9c, 0x1000}}},
		{" OpenAt ( -100,4096,O_RDWR | O_CREAT ) ", cbpf.SeccompData{Nr: 257, Arch: x64, Args: [6]uint64{0xffffffffffffff9c, 4096, 0x42}}},
		{"read", cbpf.SeccompData{Arch: x64}},
		{"read()", cbpf.SeccompData{Arch: x64}},
		{"i386:open(1)", cbpf.SeccompData{Nr: 5, Arch: i386, Args: [6]uint64{1}}},
		{"386 : 5(1,2,3,4,5,0xffffffffffffffff)", cbpf.SeccompData{Nr: 5, Arch: i386, Args: [6]uint64{1, 2, 3, 4, 5, 1<<64 - 1}}},
		{"x32:read(1)", cbpf.SeccompData{Nr: 0x40000000, Arch: x64, Args: [6]uint64{1}}},
		{"x32:execve", cbpf.SeccompData{Nr: 0x40000208, Arch: x64}},
		{"x32:7", cbpf.SeccompData{Nr: 0x40000007, Arch: x64}},
		{"-1(0)", cbpf.SeccompData{Nr: -1, Arch: x64}},
		{"0xffffffff", cbpf.SeccompData{Nr: -1, Arch: x64}},
		{"0xc0de:9(1)", cbpf.SeccompData{Nr: 9, Arch: 0xc0de, Args: [6]uint64{1}}},
		{"socket(AF_INET6, SOCK_DGRAM|SOCK_CLOEXEC)", cbpf.SeccompData{Nr: 41, Arch: x64, Args: [6]uint64{10, 0x80002}}},
	} {
		got, err := cbpf.ParseSyscall(tc.text, x64)
		require.NoError(t, err, tc.text)
		require.Equal(t, tc.want, got, tc.text)
	}
	for _, tc := range []struct {
		text   string
		reason cbpf.Reason
		says   string
	}{
		{"", cbpf.ReasonBadCall, "no name"},
		{"read(", cbpf.ReasonBadCall, "form"},
		{"read)", cbpf.ReasonBadCall, "form"},
		{"opennat(1)", cbpf.ReasonUnknownCall, "did you mean openat?"},
		{"socketcall(1)", cbpf.ReasonUnknownCall, "it is 102 on i386"},
		{"arm64:fork()", cbpf.ReasonUnknownCall, "on aarch64"},
		{"i387:read()", cbpf.ReasonUnknownArch, "did you mean i386?"},
		{"0xc0de:read()", cbpf.ReasonUnknownCall, "only numbers"},
		{"4294967296", cbpf.ReasonUnknownCall, ""},
		{"read(1,2,3,4,5,6,7)", cbpf.ReasonBadCallArgument, "there are 7, 6 are the most"},
		{"read(1,)", cbpf.ReasonBadCallArgument, `""`},
		{"read(x)", cbpf.ReasonBadCallArgument, "numbers and some constants"},
		{"open(O_RDONYL)", cbpf.ReasonBadCallArgument, "did you mean O_RDONLY?"},
		{`open("/etc/passwd")`, cbpf.ReasonBadCallArgument, "address"},
		{"read(0x1ffffffffffffffff)", cbpf.ReasonBadCallArgument, ""},
	} {
		_, err := cbpf.ParseSyscall(tc.text, x64)
		require.ErrorIs(t, err, tc.reason, tc.text)
		require.ErrorContains(t, err, tc.says, tc.text)
	}
}

func FuzzParseSyscall(f *testing.F) {
	f.Add("i386:openat(AT_FDCWD, 0x1000, O_RDONLY|1)")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := cbpf.ParseSyscall(text, cbpf.ArchX86_64)
		if err != nil {
			require.Equal(t, cbpf.SeccompData{}, d)
		}
	})
}
