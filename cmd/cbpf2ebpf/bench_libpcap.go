//go:build libpcap && cgo

package main

/*
#cgo LDFLAGS: -lpcap
#include <stddef.h>
#include <stdint.h>
#include <pcap/pcap.h>

struct desc {
	uint32_t off, cap_len, wire_len;
};

static void judge(const struct bpf_insn *program, const u_char *buf, const struct desc *d, size_t n, uint32_t *verdicts)
{
	for (size_t i = 0; i < n; i++)
		verdicts[i] = bpf_filter(program, buf + d[i].off, d[i].wire_len, d[i].cap_len);
}
*/
import "C"

import (
	"errors"
	"time"
	"unsafe"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// addLibpcap adds the interpreter of libpcap.
func (b *bench) addLibpcap() { b.add("libpcap", b.libpcap) }

// libpcap runs its interpreter in a loop in C, so that a call out of Go costs nothing.
func (b *bench) libpcap() (*contender, error) {
	var insns []C.struct_bpf_insn
	for _, ins := range b.program.Program {
		if form := cbpf.Info(ins.Op).Form; (form == cbpf.FormAbs || form == cbpf.FormMSH) && int32(ins.K) < 0 {
			return nil, errors.New("libpcap knows neither the extensions nor the windows of Linux")
		}
		insns = append(insns, C.struct_bpf_insn{code: C.u_short(ins.Op), jt: C.u_char(ins.Jt), jf: C.u_char(ins.Jf), k: C.bpf_u_int32(ins.K)})
	}
	return &contender{take: func(s *benchSet, at, n int) (time.Duration, error) {
		return laps(s, at, n, func(from, to int) error {
			C.judge(&insns[0], (*C.u_char)(unsafe.SliceData(s.buf)), (*C.struct_desc)(unsafe.Pointer(&s.descs[from])),
				C.size_t(to-from), (*C.uint32_t)(&s.verdicts[from]))
			return nil
		})
	}}, nil
}
