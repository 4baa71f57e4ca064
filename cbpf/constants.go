package cbpf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// constantsOfC are the names that filters are made of in C: those of linux/bpf_common.h, filter.h, seccomp.h and audit.h,
// of the protocols in linux/if_ether.h and in.h, and of the packet types in linux/if_packet.h. Names whose number depends on the machine are none of them.
var constantsOfC = sync.OnceValue(func() map[string]uint32 {
	index := map[string]uint32{
		"BPF_LD": 0x00, "BPF_LDX": 0x01, "BPF_ST": 0x02, "BPF_STX": 0x03,
		"BPF_ALU": 0x04, "BPF_JMP": 0x05, "BPF_RET": 0x06, "BPF_MISC": 0x07,
		"BPF_W": 0x00, "BPF_H": 0x08, "BPF_B": 0x10,
		"BPF_IMM": 0x00, "BPF_ABS": 0x20, "BPF_IND": 0x40, "BPF_MEM": 0x60, "BPF_LEN": 0x80, "BPF_MSH": 0xa0,
		"BPF_ADD": uint32(Add), "BPF_SUB": uint32(Sub), "BPF_MUL": uint32(Mul), "BPF_DIV": uint32(Div),
		"BPF_OR": uint32(Or), "BPF_AND": uint32(And), "BPF_LSH": uint32(Lsh), "BPF_RSH": uint32(Rsh),
		"BPF_NEG": uint32(Neg), "BPF_MOD": uint32(Mod), "BPF_XOR": uint32(Xor),
		"BPF_JA": 0x00, "BPF_JEQ": uint32(Eq), "BPF_JGT": uint32(Gt), "BPF_JGE": uint32(Ge), "BPF_JSET": uint32(Set),
		"BPF_K": 0x00, "BPF_X": 0x08, "BPF_A": 0x10, "BPF_TAX": 0x00, "BPF_TXA": 0x80,
		"SKF_LL_OFF": LLOff, "SKF_NET_OFF": NetOff, "SKF_AD_OFF": AdOff,

		"ETH_P_ALL": 3, "ETH_P_IP": 0x0800, "ETH_P_ARP": 0x0806, "ETH_P_RARP": 0x8035, "ETH_P_8021Q": 0x8100,
		"ETH_P_IPV6": 0x86dd, "ETH_P_MPLS_UC": 0x8847, "ETH_P_MPLS_MC": 0x8848, "ETH_P_PPP_DISC": 0x8863,
		"ETH_P_PPP_SES": 0x8864, "ETH_P_PAE": 0x888e, "ETH_P_8021AD": 0x88a8, "ETH_P_LLDP": 0x88cc, "ETH_P_1588": 0x88f7,
		"ETHERTYPE_IP": 0x0800, "ETHERTYPE_ARP": 0x0806, "ETHERTYPE_VLAN": 0x8100, "ETHERTYPE_IPV6": 0x86dd,
		"IPPROTO_IP": 0, "IPPROTO_ICMP": 1, "IPPROTO_IGMP": 2, "IPPROTO_TCP": 6, "IPPROTO_UDP": 17, "IPPROTO_IPV6": 41,
		"IPPROTO_GRE": 47, "IPPROTO_ESP": 50, "IPPROTO_AH": 51, "IPPROTO_ICMPV6": 58, "IPPROTO_SCTP": 132,

		"PACKET_HOST": 0, "PACKET_BROADCAST": 1, "PACKET_MULTICAST": 2, "PACKET_OTHERHOST": 3, "PACKET_OUTGOING": 4,

		"SECCOMP_RET_KILL": uint32(ActionKillThread), "SECCOMP_RET_DATA": actionData, "SECCOMP_RET_ACTION": 0x7fff0000,
		"SECCOMP_RET_ACTION_FULL": 0xffff0000, "__X32_SYSCALL_BIT": X32Bit, "X32_SYSCALL_BIT": X32Bit,
		"EPERM": 1, "ENOENT": 2, "EIO": 5, "EBADF": 9, "EAGAIN": 11, "ENOMEM": 12, "EACCES": 13, "EFAULT": 14, "EEXIST": 17,
		"EINVAL": 22, "EMFILE": 24, "ENOTTY": 25, "ERANGE": 34, "ENOSYS": 38,
	}
	for _, info := range Exts {
		index[info.Macro] = uint32(info.Ext)
	}
	for _, row := range actions {
		index["SECCOMP_RET_"+row.name] = uint32(row.action)
	}
	for _, row := range archs {
		index["AUDIT_ARCH_"+strings.ToUpper(row.name)] = uint32(row.arch)
	}
	return index
})

// failConstant records what constants found wrong with a field.
func (p *parser) failConstant(at span, r Reason, field int, text string) {
	f := fields[field]
	switch r {
	case ReasonUnknownConstant:
		p.failAt(at, r, "%s %s%s", f.name, quote(text), adviceOnConstant(text))
	case ReasonDivisionByZero:
		p.failAt(at, r, "%s %s", f.name, quote(text))
	default:
		p.failNumber(at, r, f.name, text, f.limit)
	}
}

// adviceOnConstant says what to do about a name that is not known.
func adviceOnConstant(text string) string {
	if strings.HasPrefix(text, "__NR_") || strings.HasPrefix(text, "SYS_") {
		return "; the numbers of system calls depend on the machine: write the number, or give what `cc -E` prints"
	}
	if hint := suggest(text, slices.Sorted(maps.Keys(constantsOfC()))); hint != "" {
		return hint
	}
	return fmt.Sprintf("; of header files only the names of classic BPF, %s and the like are known: write the number, or give what `cc -E` prints",
		"seccomp, ETH_P_* and IPPROTO_*")
}
