package inject

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// Report tells what Object has done.
type Report struct {
	Section  string   // where the stub stands
	Was, Is  int      // slots of its body
	LeftOut  []string // sections of DWARF, which would tell of the old body
	Classic  int      // instructions of the filter
	StackUse int      // bytes of its stack
}

// Object puts a filter in the place of a stub in an object file, and returns the file with it. Everything else in the object
// stays as it is, .BTF and .BTF.ext included, but for DWARF, which loaders do not read. The error is one of ebpf for an object
// that cannot be changed so, a *StubError, cbpf.Errors for a filter that the kernel would refuse, or a *translate.SnippetError
// for one that asks for what two pointers to a packet do not tell.
func Object(object []byte, symbol string, filter cbpf.Program, opts Options) ([]byte, *Report, error) {
	o, err := ebpf.ReadELF(object)
	if err != nil {
		return nil, nil, err
	}
	stub, err := o.Function(symbol)
	if err != nil {
		return nil, nil, err
	}
	if err := checkStub(symbol, stub.Program); err != nil {
		return nil, nil, err
	}
	if o.Order.Uint16([]byte{0, 1}) != binary.NativeEndian.Uint16([]byte{0, 1}) {
		opts.Optimize = 0
	}
	if licence := o.Licence(); opts.Access == translate.AccessProbe && !ebpf.GPLCompatible(licence) {
		return nil, nil, &StubError{symbol, fmt.Sprintf("filters that read by probe_read_kernel need a licence compatible with the GPL, and the object has %q", licence)}
	}
	s, err := translate.Snippet(filter, opts.snippet())
	if err != nil {
		return nil, nil, err
	}
	body := slices.Concat(opts.begin(), s.Program, opts.end())
	r := &Report{Section: stub.Section, Was: len(stub.Program), Is: len(body), Classic: len(filter), StackUse: s.Stats.Stack}
	if r.LeftOut, err = o.Replace(symbol, body); err != nil {
		return nil, nil, err
	}
	return o.Bytes(), r, nil
}
