package jit

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
	"github.com/stretchr/testify/require"
)

// classic reads a filter of testdata.
func classic(t testing.TB, name string) cbpf.Program {
	text, err := os.ReadFile("../testdata/filters/" + name)
	require.NoError(t, err)
	p, err := cbpf.Parse(text)
	require.NoError(t, err)
	return p
}

// assembled is a classic program in the notation of the kernel's bpf_asm.
func assembled(t testing.TB, text string) cbpf.Program {
	p, err := cbpf.ParseAs(cbpf.Asm, []byte(text))
	require.NoError(t, err)
	return p
}

// chain compares A with each number. Jumps that would be too long end at islands.
func chain(numbers []uint32, label, found string) (text string) {
	const reach = 200
	for i, k := range numbers {
		next := fmt.Sprintf("%s%d", label, i)
		text += fmt.Sprintf("jeq #%#x, %sisland%d, %s\n%s: ", k, label, i/reach, next, next)
		if i%reach == reach-1 || i == len(numbers)-1 {
			text += fmt.Sprintf("ja %safter%d\n%sisland%d: ja %s\n%safter%d: ", label, i, label, i/reach, found, label, i)
		}
	}
	return text
}

// hostList is the shape in which libpcap compiles a list of hosts: the chain of source addresses, then that of destinations,
// and the same for ARP.
func hostList(t testing.TB, n int) cbpf.Program {
	var hosts []uint32
	for _, h := range listedHosts(n) {
		a := h.As4()
		hosts = append(hosts, binary.BigEndian.Uint32(a[:]))
	}
	text := "ldh [12]\njeq #0x800, ip\nja arp\nip: ld [26]\n" + chain(hosts, "src", "keep") + "ld [30]\n" + chain(hosts, "dst", "keep") +
		"ja drop\narp: jeq #0x806, request\nja drop\nrequest: ld [28]\n"
	if n < 1000 {
		text += chain(hosts, "sender", "keep") + "ld [38]\n" + chain(hosts, "target", "keep")
	}
	return assembled(t, text+"\ndrop: ret #0\nkeep: ret #262144\n")
}

// allowedCalls are 300 system calls.
func allowedCalls() (calls []uint32) {
	for nr := uint32(0); len(calls) < 300; nr++ {
		if nr%7 != 3 && nr%11 != 5 {
			calls = append(calls, nr)
		}
	}
	return calls
}

// callList is a filter of system calls as libseccomp makes them by default: one comparison after the other.
func callList(t testing.TB) cbpf.Program {
	text := "ld [4]\njeq #0xc000003e, known\nja kill\nknown: ld [0]\njlt #0x40000000, native\nja kill\nnative: "
	text += chain(allowedCalls(), "no", "allow")
	return assembled(t, text+"\nkill: ret #0\nallow: ret #0x7fff0000\n")
}

// callTree is the same as a binary tree.
func callTree(t testing.TB) cbpf.Program {
	text := "ld [4]\njeq #0xc000003e, known\nja kill\nknown: ld [0]\n"
	var tree func(calls []uint32)
	tree = func(calls []uint32) {
		if len(calls) <= 2 {
			for _, nr := range calls {
				text += fmt.Sprintf("jne #%d, no%d\nja allow\nno%d: ", nr, nr, nr)
			}
			text += "ja kill\n"
			return
		}
		half := len(calls) / 2
		text += fmt.Sprintf("jlt #%d, less%d\nja from%d\nless%d: ", calls[half], calls[half], calls[half], calls[half])
		tree(calls[:half])
		text += fmt.Sprintf("from%d: ", calls[half])
		tree(calls[half:])
	}
	tree(allowedCalls())
	return assembled(t, text+"kill: ret #0\nallow: ret #0x7fff0000\n")
}

// measured are the programs of the benchmark.
func measured(t testing.TB) (programs []struct {
	name    string
	p       cbpf.Program
	seccomp bool
}) {
	add := func(name string, p cbpf.Program, seccomp bool) {
		programs = append(programs, struct {
			name    string
			p       cbpf.Program
			seccomp bool
		}{name, p, seccomp})
	}
	for _, name := range []string{"all", "ip", "not-arp", "vlan", "tcp-port-80", "portrange", "tcp-syn", "http-get", "ip6-host", "dns"} {
		add(name, classic(t, name+".d"), false)
	}
	for _, n := range []int{40, 80, 1000} {
		add(fmt.Sprintf("hosts-%d", n), hostList(t, n), false)
	}
	add("calls-list", callList(t), true)
	add("calls-tree", callTree(t), true)
	return programs
}

// BenchmarkVector compares both bodies on packets in the same order each time, which branch predictors learn; in many
// orders, which they do not; and on more packets than caches hold.
func BenchmarkVector(b *testing.B) {
	requireJIT(b)
	requireVectors(b)
	type set struct {
		name  string
		buf   []byte
		descs []Desc
	}
	sets := func(seccomp bool) (s []set) {
		buf, descs := newTraffic(1).trace(958)
		if seccomp {
			buf, descs = newTraffic(1).syscalls(4096)
		}
		s = append(s, set{"small", buf, descs}, set{"shuf", buf, shuffled(descs, 64)})
		if !testing.Short() {
			big := newTraffic(2)
			buf, descs = big.trace(200_000)
			if seccomp {
				buf, descs = big.syscalls(1_000_000)
			}
			s = append(s, set{"big", buf, descs})
		}
		return s
	}
	packets, calls := sets(false), sets(true)
	for _, m := range measured(b) {
		r, err := translate.Translate(m.p, translate.Options{NetOff: 14, Optimize: translate.MaxOptimize})
		require.NoError(b, err)
		f := vectored(b, r.Program)
		data := packets
		if m.seccomp {
			data = calls
		}
		for _, s := range data {
			verdicts := make([]uint32, len(s.descs))
			run := func(name string, once func() error) {
				b.Run(m.name+"/"+s.name+"/"+name, func(b *testing.B) {
					for b.Loop() {
						if err := once(); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(s.descs)), "ns/packet")
				})
			}
			run("scalar", func() error { return f.runScalar(s.buf, s.descs, nil, verdicts, 0, len(s.descs)) })
			run("vector", func() error { return f.runVector(f.vectorBody(), s.buf, s.descs, verdicts, 0, len(s.descs)) })
		}
	}
}

// BenchmarkCompileVector makes vector bodies of lists of so many hosts; that grows with the length of the program alone.
func BenchmarkCompileVector(b *testing.B) {
	requireVectors(b)
	for _, n := range []int{16, 64, 256, 999} {
		r, err := translate.Translate(hostList(b, n), translate.Options{NetOff: 14})
		require.NoError(b, err)
		facts, err := ebpf.Check(r.Program, ebpf.User)
		require.NoError(b, err)
		b.Run(fmt.Sprint(len(r.Program)), func(b *testing.B) {
			for b.Loop() {
				g, err := vectorGraph(r.Program, facts, ebpf.User, &wide)
				require.NoError(b, err)
				_, _, err = generateVector(g)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(r.Program)), "ns/insn")
		})
	}
}
