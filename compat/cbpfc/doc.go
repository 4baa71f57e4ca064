// Package cbpfc has the interface of github.com/cloudflare/cbpfc, so that programs which put filters into XDP and tc programs
// with that package need to change nothing but the import:
//
//	import "github.com/cbpf2ebpf/cbpf2ebpf/compat/cbpfc"
//
// What they rely on holds: which registers are read and which destroyed, where scratch memory lies, that code leaves by
// jumps to the label for results, which the caller defines, how labels are called, that the first instruction may be given
// another symbol, that nothing is called. The code itself is another: guards hold where paths meet, and the first working
// register is never in use over a load, so that programs which replace loads by calls of a helper function, for which they
// have R0 there, lose no value, and addresses to load from are where those programs want them. It is optimised
// as far as translate does: shorter than that of cbpfc by half. There are no scratch words then; the few filters that have more
// numbers to keep than registers put them into the same part of the stack.
//
// x/net/bpf cannot hold every classic program: `ldx #pktlen` becomes `ld #pktlen` in it. [ToEBPFRaw] and [ToCRaw] take the
// instructions as libpcap makes them.
package cbpfc
