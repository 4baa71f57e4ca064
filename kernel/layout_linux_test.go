package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

const runningBTF = "/sys/kernel/btf/vmlinux"

// offsetof lists what a C compiler is asked about each member that is no bit field.
var offsetof = map[string]string{
	"Skb.Head": "sk_buff.head", "Skb.Data": "sk_buff.data", "Skb.Tail": "sk_buff.tail", "Skb.End": "sk_buff.end",
	"Skb.Len": "sk_buff.len", "Skb.DataLen": "sk_buff.data_len",
	"Skb.MACHeader": "sk_buff.mac_header", "Skb.NetworkHeader": "sk_buff.network_header", "Skb.TransportHeader": "sk_buff.transport_header",
	"Skb.Protocol": "sk_buff.protocol", "Skb.Mark": "sk_buff.mark", "Skb.QueueMapping": "sk_buff.queue_mapping",
	"Skb.Hash": "sk_buff.hash", "Skb.IIF": "sk_buff.skb_iif",
	"Skb.VlanPresent": "sk_buff.vlan_all", "Skb.VlanTCI": "sk_buff.vlan_tci", "Skb.VlanProto": "sk_buff.vlan_proto",
	"Skb.Dev": "sk_buff.dev", "Skb.DevIfIndex": "net_device.ifindex", "Skb.DevType": "net_device.type",
	"XDP.Data": "xdp_buff.data", "XDP.DataEnd": "xdp_buff.data_end", "XDP.DataMeta": "xdp_buff.data_meta",
	"XDP.DataHardStart": "xdp_buff.data_hard_start", "XDP.Flags": "xdp_buff.flags", "XDP.RxQ": "xdp_buff.rxq",
	"XDP.RxQDev": "xdp_rxq_info.dev", "XDP.RxQIndex": "xdp_rxq_info.queue_index",
	"XDP.DevIfIndex": "net_device.ifindex", "XDP.DevType": "net_device.type",
}

// TestLayoutAgreesWithC has clang lay out the structures that bpftool prints as C, which shares nothing with what reads
// BTF here.
func TestLayoutAgreesWithC(t *testing.T) {
	skb, err := SkbLayout()
	requireKernel(t, err)
	places := layoutByC(t)
	xdp, err := XDPLayout()
	require.NoError(t, err)
	compared := 0
	for prefix, l := range map[string]reflect.Value{"Skb.": reflect.ValueOf(*skb), "XDP.": reflect.ValueOf(*xdp)} {
		for i := range l.NumField() {
			name := prefix + l.Type().Field(i).Name
			if name == "Skb.PktType" {
				continue // a bit field has no offset
			}
			require.Equal(t, places[name], l.Field(i).Interface(), name)
			compared++
		}
	}
	require.Equal(t, len(offsetof), compared)
	// __pkt_type_offset marks the byte; the field stands lowest in it (struct sk_buff of linux/skbuff.h).
	require.Equal(t, places["__pkt_type_offset"].Off, skb.PktType.Off)
	require.EqualValues(t, 3, skb.PktType.Bits)
}

func layoutByC(t *testing.T) map[string]ebpf.Member {
	t.Helper()
	for _, tool := range []string{"bpftool", "clang"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("skipped: %v", err)
		}
	}
	header, err := exec.Command("bpftool", "btf", "dump", "file", runningBTF, "format", "c").Output()
	require.NoError(t, err)
	source := string(header)
	for name, member := range offsetof {
		source += constant(strings.ReplaceAll(name, ".", "_"), member)
	}
	source += constant("__pkt_type_offset", "sk_buff.__pkt_type_offset")
	file := filepath.Join(t.TempDir(), "layout.c")
	require.NoError(t, os.WriteFile(file, []byte(source), 0o666))
	out, err := exec.Command("clang", "-target", "bpf", "-w", "-S", "-emit-llvm", "-o", "-", file).CombinedOutput()
	require.NoError(t, err, string(out))
	places := map[string]ebpf.Member{}
	for _, m := range regexp.MustCompile(`@(\w+?)__(off|size) = .*i64 (\d+)`).FindAllStringSubmatch(string(out), -1) {
		n, err := strconv.ParseInt(m[3], 10, 16)
		require.NoError(t, err)
		name := strings.Replace(m[1], "_", ".", 1)
		if strings.HasPrefix(m[1], "__") {
			name = m[1]
		}
		place := places[name]
		if m[2] == "off" {
			place.Off = int16(n)
		} else {
			place.Size = uint8(n)
		}
		places[name] = place
	}
	return places
}

func constant(name, member string) string {
	s, m, _ := strings.Cut(member, ".")
	return "const unsigned long " + name + "__off = __builtin_offsetof(struct " + s + ", " + m + ");\n" +
		"const unsigned long " + name + "__size = sizeof(((struct " + s + " *)0)->" + m + ");\n"
}

func TestLayoutsOfFile(t *testing.T) {
	runningSkb, err := SkbLayout()
	requireKernel(t, err)
	skb, xdp, err := LayoutsOf(runningBTF)
	require.NoError(t, err)
	runningXDP, err := XDPLayout()
	require.NoError(t, err)
	require.Equal(t, runningSkb, skb)
	require.Equal(t, runningXDP, xdp)

	_, _, err = LayoutsOf(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	garbage := filepath.Join(t.TempDir(), "garbage")
	require.NoError(t, os.WriteFile(garbage, []byte("no BTF"), 0o666))
	_, _, err = LayoutsOf(garbage)
	require.ErrorContains(t, err, garbage)
}

// TestPacketArgsAgreeWithC compares with what bpftool prints of the types of the kernel's tracepoints.
func TestPacketArgsAgreeWithC(t *testing.T) {
	_, err := SkbLayout()
	requireKernel(t, err)
	if _, err := exec.LookPath("bpftool"); err != nil {
		t.Skipf("skipped: %v", err)
	}
	header, err := exec.Command("bpftool", "btf", "dump", "file", runningBTF, "format", "c").Output()
	require.NoError(t, err)
	found := 0
	for n, m := range regexp.MustCompile(`typedef void \(\*btf_trace_(\w+)\)\(void \*(?:, )?(.*)\);`).FindAllStringSubmatch(string(header), -1) {
		if n%40 != 0 && !strings.Contains(m[2], "struct sk_buff") && !strings.Contains(m[2], "struct xdp_buff") {
			continue // it takes milliseconds to ask
		}
		var want []PacketArg
		for i, param := range strings.Split(m[2], ", ") {
			if param = strings.TrimPrefix(param, "const "); param == "struct sk_buff *" || param == "struct xdp_buff *" {
				want = append(want, PacketArg{Word: i, XDP: param == "struct xdp_buff *"})
			}
		}
		for _, kind := range []HookKind{HookTracepoint, HookRawTracepoint} {
			got, err := PacketArgs(Hook{Kind: kind, Where: m[1]})
			require.Equal(t, want, got, m[0])
			if want == nil {
				require.ErrorIs(t, err, ReasonNoPacket)
			}
		}
		found += len(want)
	}
	require.Greater(t, found, 10)
}

// Arguments of functions, out of net/ipv4/ip_input.c, net/core/dev.c and linux/skbuff.h.
func TestPacketArgsOfFunctions(t *testing.T) {
	_, err := SkbLayout()
	requireKernel(t, err)
	for name, want := range map[string][]PacketArg{
		"ip_rcv":                   {{Word: 0, Name: "skb"}},
		"bpf_prog_run_generic_xdp": {{Word: 0, Name: "skb"}, {Word: 1, Name: "xdp", XDP: true}},
		"ip_output":                {{Word: 2, Name: "skb"}},
	} {
		for _, kind := range []HookKind{HookFentry, HookKprobe} {
			got, err := PacketArgs(Hook{Kind: kind, Where: name})
			require.NoError(t, err)
			require.Equal(t, want, got, name)
		}
	}
	_, err = PacketArgs(Hook{Kind: HookFentry, Where: "no_such_place"})
	require.ErrorIs(t, err, ReasonNoTarget)
	_, err = PacketArgs(Hook{Kind: HookSocket, Where: "lo"})
	require.Error(t, err)
}
