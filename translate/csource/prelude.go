package csource

import (
	"strings"
)

// piece is a function of C that statements and other pieces call. Those of the forms for user space are guarded by a macro,
// so that several functions of ours may stand in one file.
type piece struct {
	name  string
	needs []string
	text  string // @kind and @ctx stand for type and name of a hook's context, @helper for its function that loads
}

// preludePieces are all pieces, each behind those that it needs.
var preludePieces = []piece{
	{"CBPF_INLINE", nil, `
#define CBPF_INLINE static inline __attribute__((always_inline, unused))
`},
	{"cbpf_be16", []string{"CBPF_INLINE"}, `
CBPF_INLINE uint16_t cbpf_be16(uint16_t v)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16(v) : v;
}
`},
	{"cbpf_be32", []string{"CBPF_INLINE"}, `
CBPF_INLINE uint32_t cbpf_be32(uint32_t v)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(v) : v;
}
`},
	{"cbpf_u16", []string{"cbpf_be16"}, `
/* The number at p, which is in network order and at any address. */
CBPF_INLINE uint16_t cbpf_u16(const uint8_t *p)
{
#ifdef __bpf__
	typedef uint16_t __attribute__((may_alias)) word; /* a copy would be made byte by byte */
	return cbpf_be16(*(const word *)p);
#else
	uint16_t v;
	__builtin_memcpy(&v, p, sizeof(v));
	return cbpf_be16(v);
#endif
}
`},
	{"cbpf_u32", []string{"cbpf_be32"}, `
/* The number at p, which is in network order and at any address. */
CBPF_INLINE uint32_t cbpf_u32(const uint8_t *p)
{
#ifdef __bpf__
	typedef uint32_t __attribute__((may_alias)) word; /* a copy would be made byte by byte */
	return cbpf_be32(*(const word *)p);
#else
	uint32_t v;
	__builtin_memcpy(&v, p, sizeof(v));
	return cbpf_be32(v);
#endif
}
`},
	{"cbpf_holds", []string{"CBPF_INLINE"}, `
/* Does the packet have n bytes? */
CBPF_INLINE int cbpf_holds(const uint8_t *data, const uint8_t *data_end, uint32_t n)
{
#ifdef __bpf__
	__asm__ volatile(""); /* keeps the compiler from making one comparison of two, which the verifier could not follow */
	return n <= 0xffff && data + n <= data_end;
#else
	return n <= (uint32_t)(data_end - data);
#endif
}
`},
	{"cbpf_at", []string{"CBPF_INLINE"}, `
/* Does the packet have n bytes at off? If so, p points at them. */
CBPF_INLINE int cbpf_at(const uint8_t **p, const uint8_t *data, const uint8_t *data_end, unsigned long long off, uint32_t n)
{
#ifdef __bpf__
	__asm__ volatile(""); /* the verifier has to see both comparisons, and sums of just these variables */
	if (!__builtin_constant_p(off))
		__asm__ volatile("%0 |= 0" : "+r"(off));
	if (off > 0xffff - n)
		return 0;
	*p = data + off;
	if (!__builtin_constant_p(off))
		__asm__ volatile("" : "+r"(*p));
	return *p + n <= data_end;
#else
	if (off + n > (uint32_t)(data_end - data))
		return 0;
	*p = data + off;
	return 1;
#endif
}
`},
	{"cbpf_place", []string{"CBPF_INLINE"}, `
/* Where in a packet k is, which may lie in the LL or NET window of the kernel. Nowhere is where no packet reaches. */
CBPF_INLINE uint32_t cbpf_place(uint32_t k, uint32_t net)
{
	if (k >= 0xfff00000u)
		return k - 0xfff00000u + net;
	if (k >= 0xffe00000u)
		return k - 0xffe00000u;
	return k;
}
`},
	{"cbpf_find", []string{"CBPF_INLINE"}, `
/* Where the n bytes at k are, which may lie in the LL or NET window of the kernel; 0 if the packet does not have them all. */
CBPF_INLINE const uint8_t *cbpf_find(const struct cbpf_packet *pkt, uint32_t k, uint32_t n)
{
	int64_t first = -(int64_t)pkt->head, end = pkt->caplen, off = k;

	if (k >= 0xfff00000u) {
		if (pkt->net < first || pkt->net > end)
			return 0;
		off = pkt->net + (int64_t)(k - 0xfff00000u);
	} else if (k >= 0xffe00000u && !pkt->no_link) {
		off = first + (int64_t)(k - 0xffe00000u);
	} else if (k >= 0x80000000u) {
		return 0;
	}
	return off >= first && off + n <= end ? pkt->data + off : 0;
}
`},
	{"cbpf_attr", []string{"CBPF_INLINE"}, `
/* Where the first netlink attribute of the type in [pos, end) is, 0 if there is none. Their headers are in host order. */
CBPF_INLINE uint32_t cbpf_attr(const struct cbpf_packet *pkt, uint64_t pos, uint64_t end, uint32_t type)
{
	uint16_t header[2]; /* size, type */

	for (; pos + sizeof(header) <= end; pos += (header[0] + 3u) & ~3u) {
		__builtin_memcpy(header, pkt->data + pos, sizeof(header));
		if (header[0] < sizeof(header) || header[0] > end - pos)
			return 0;
		if ((header[1] & 0x3fff) == type)
			return (uint32_t)pos;
	}
	return 0;
}
`},
	{"cbpf_nla", []string{"cbpf_attr"}, `
/* Where the netlink attribute of type x is, from offset a on. */
CBPF_INLINE uint32_t cbpf_nla(const struct cbpf_packet *pkt, uint32_t a, uint32_t x)
{
	return (uint64_t)a + 4 <= pkt->caplen ? cbpf_attr(pkt, a, pkt->caplen, x) : 0;
}
`},
	{"cbpf_nlan", []string{"cbpf_attr"}, `
/* Where the netlink attribute of type x is, inside of that at offset a. */
CBPF_INLINE uint32_t cbpf_nlan(const struct cbpf_packet *pkt, uint32_t a, uint32_t x)
{
	uint16_t size;

	if ((uint64_t)a + 4 > pkt->caplen)
		return 0;
	__builtin_memcpy(&size, pkt->data + a, sizeof(size));
	return size >= 4 && size <= pkt->caplen - a ? cbpf_attr(pkt, a + 4ull, a + (uint64_t)size, x) : 0;
}
`},
	{"cbpf_word", []string{"CBPF_INLINE"}, `
/* The 32 bits at off, in host order. */
CBPF_INLINE uint32_t cbpf_word(const struct seccomp_data *sd, uint32_t off)
{
	uint32_t v;
	__builtin_memcpy(&v, (const uint8_t *)sd + off, sizeof(v));
	return v;
}
`},
	{"cbpf_fetch", []string{"cbpf_be32"}, `
/* The n bytes at off as a number, wherever the kernel has them; negative if the packet does not have them all. */
static __attribute__((noinline)) int64_t cbpf_fetch(@kind *@ctx, uint32_t off, uint32_t n)
{
	long (*load_bytes)(@kind *, uint32_t, void *, uint32_t) = (void *)@helper;
	uint32_t v = 0;

	if (n > sizeof(v) || load_bytes(@ctx, off, &v, n))
		return -1;
	return cbpf_be32(v) >> (32 - 8 * n);
}
`},
	{"cbpf_load", []string{"cbpf_fetch", "cbpf_at", "cbpf_u16", "cbpf_u32"}, `
/* The same, which looks itself whether they are in the first piece of the packet. */
CBPF_INLINE int64_t cbpf_load(@kind *@ctx, const uint8_t *data, const uint8_t *data_end, uint32_t off, uint32_t n)
{
	const uint8_t *p;

	if (!cbpf_at(&p, data, data_end, off, n))
		return cbpf_fetch(@ctx, off, n);
	return n == 1 ? *p : n == 2 ? cbpf_u16(p) : cbpf_u32(p);
}
`},
	{"cbpf_window", []string{"cbpf_be32"}, `
/* The same for an off in the LL or NET window of the kernel, whose functions look no further than 65535 bytes into either. */
static __attribute__((noinline)) int64_t cbpf_window(@kind *@ctx, uint32_t off, uint32_t n)
{
	long (*load_bytes_relative)(@kind *, uint32_t, void *, uint32_t, uint32_t) = (void *)68;
	uint32_t v = 0;

	if (n > sizeof(v) || load_bytes_relative(@ctx, off & 0xfffff, &v, n, off >= 0xfff00000u))
		return -1;
	return cbpf_be32(v) >> (32 - 8 * n);
}
`},
	{"cbpf_load_any", []string{"cbpf_load", "cbpf_window"}, `
/* The same for any off. */
CBPF_INLINE int64_t cbpf_load_any(@kind *@ctx, const uint8_t *data, const uint8_t *data_end, uint32_t off, uint32_t n)
{
	if (off < 0x80000000u)
		return cbpf_load(@ctx, data, data_end, off, n);
	return off < 0xffe00000u ? -1 : cbpf_window(@ctx, off, n);
}
`},
	{"cbpf_fetch_any", []string{"cbpf_fetch", "cbpf_window"}, `
/* The same for any off. */
CBPF_INLINE int64_t cbpf_fetch_any(@kind *@ctx, uint32_t off, uint32_t n)
{
	if (off < 0x80000000u)
		return cbpf_fetch(@ctx, off, n);
	return off < 0xffe00000u ? -1 : cbpf_window(@ctx, off, n);
}
`},
	{"cbpf_random", []string{"CBPF_INLINE"}, `
CBPF_INLINE uint32_t cbpf_random(void)
{
	uint32_t (*get_prandom_u32)(void) = (void *)7;
	return get_prandom_u32();
}
`},
	{"cbpf_cpu", []string{"CBPF_INLINE"}, `
CBPF_INLINE uint32_t cbpf_cpu(void)
{
	uint32_t (*get_smp_processor_id)(void) = (void *)8;
	return get_smp_processor_id();
}
`},
	{"cbpf_length", []string{"CBPF_INLINE"}, `
CBPF_INLINE uint32_t cbpf_length(struct xdp_md *ctx)
{
	uint64_t (*get_buff_len)(struct xdp_md *) = (void *)188;
	return (uint32_t)get_buff_len(ctx);
}
`},
}

// prelude declares the pieces that the statements mention, and those that they need.
func (w *writer) prelude(h *hook) string {
	for i := len(preludePieces) - 1; i >= 0; i-- {
		if p := &preludePieces[i]; w.used[p.name] {
			w.use(p.needs...)
		}
	}
	var b strings.Builder
	for _, p := range preludePieces {
		switch {
		case !w.used[p.name]:
		case h != nil: // the file stands alone
			b.WriteString(h.replacer().Replace(choose(p.text, true)))
		default:
			text := p.text
			if w.opts.Form != Function {
				text = choose(text, false)
			}
			guard := strings.ToUpper(p.name) + "_"
			b.WriteString("\n#ifndef " + guard + "\n#define " + guard + text + "#endif\n")
		}
	}
	return b.String()
}

// choose leaves of each "#ifdef __bpf__" one side.
func choose(text string, bpf bool) string {
	before, rest, found := strings.Cut(text, "#ifdef __bpf__\n")
	if !found {
		return text
	}
	inBPF, rest, _ := strings.Cut(rest, "#else\n")
	native, after, _ := strings.Cut(rest, "#endif\n")
	if bpf {
		native = inBPF
	}
	return before + native + after
}

// What stands in front of all pieces.

const headPacket = `#include <stdint.h>

#ifndef CBPF_PACKET
#define CBPF_PACKET
/* What a filter runs on. Numbers are in host order; what is not known is 0. */
struct cbpf_packet {
	const uint8_t *data;  /* the captured bytes; head of them more stand in front */
	uint32_t caplen;      /* how many there are from data on, less than 2^31 */
	uint32_t len;         /* length on the wire */
	uint32_t head;        /* how many there are in front of data, from the link-layer header on */
	int32_t net;          /* where the network header is, counted from data */
	uint8_t no_link;      /* there is no link-layer header */
	uint8_t has_dev;      /* the interface is known */
	uint8_t pkt_type;     /* PACKET_HOST and so on */
	uint8_t vlan_present; /* 1: the packet has an offloaded VLAN tag */
	uint16_t protocol;    /* EtherType */
	uint16_t hatype;      /* ARPHRD_* of the interface */
	uint16_t queue;
	uint16_t vlan_tci;
	uint16_t vlan_tpid;
	uint32_t ifindex;
	uint32_t mark;
	uint32_t rxhash;
	uint32_t cpu;
	/* For filters with ld rand and ld poff, which need them: a random number, and the offset of the payload. */
	uint32_t (*random)(const struct cbpf_packet *);
	uint32_t (*poff)(const struct cbpf_packet *);
};
#endif
`

const headSeccomp = `#include <stdint.h>

#ifndef CBPF_SECCOMP
#define CBPF_SECCOMP
/* As in linux/seccomp.h; whoever includes that defines CBPF_SECCOMP. */
struct seccomp_data {
	int nr;
	uint32_t arch;
	uint64_t instruction_pointer;
	uint64_t args[6];
};
#endif
`

const headHook = `/* Compile with clang -O2 --target=bpf -c. It needs no header. */

typedef __UINT8_TYPE__ uint8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __UINT64_TYPE__ uint64_t;
typedef __INT64_TYPE__ int64_t;

#define SEC(name) __attribute__((section(name), used))
`

const headXDP = headHook + `
/* As in linux/bpf.h. */
struct xdp_md {
	uint32_t data;
	uint32_t data_end;
	uint32_t data_meta;
	uint32_t ingress_ifindex;
	uint32_t rx_queue_index;
	uint32_t egress_ifindex;
};
`

const headSkBuff = headHook + `
/* The beginning of the structure in linux/bpf.h. */
struct __sk_buff {
	uint32_t len;
	uint32_t pkt_type;
	uint32_t mark;
	uint32_t queue_mapping;
	uint32_t protocol; /* network order */
	uint32_t vlan_present;
	uint32_t vlan_tci;
	uint32_t vlan_proto; /* network order */
	uint32_t priority;
	uint32_t ingress_ifindex;
	uint32_t ifindex;
	uint32_t tc_index;
	uint32_t cb[5];
	uint32_t hash;
	uint32_t tc_classid;
	uint32_t data;
	uint32_t data_end;
};
`
