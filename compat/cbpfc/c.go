package cbpfc

import (
	"errors"

	"golang.org/x/net/bpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/translate/csource"
)

// COpts say what function to make of a filter.
type COpts struct {
	// FunctionName is the name of the function, an identifier.
	FunctionName string

	// NoInline lets compilers call the function, which they inline otherwise. It is static in either case.
	NoInline bool
}

// ToC makes a function in C of a filter:
//
//	uint32_t FunctionName(const uint8_t *data, const uint8_t *data_end)
//
// It returns 0 if the packet between the pointers does not match, and otherwise what the filter returns. The source around it
// has to declare uint8_t, uint16_t and uint32_t, and nothing else.
func ToC(filter []bpf.Instruction, opts COpts) (string, error) {
	p, err := assemble(filter)
	if err != nil {
		return "", err
	}
	return ToCRaw(p, opts)
}

// ToCRaw is ToC for instructions as they stand in struct sock_filter. The error holds a cbpf.Errors for a filter that the kernel
// would refuse, and a *csource.Error for one that asks for what two pointers to a packet do not tell.
func ToCRaw(filter []bpf.RawInstruction, opts COpts) (string, error) {
	if opts.FunctionName == "" {
		return "", errors.New("the function has no name: COpts.FunctionName is empty")
	}
	linkage := csource.Inline
	if opts.NoInline {
		linkage = csource.Static
	}
	return csource.Translate(filter, csource.Options{Form: csource.Function, Name: opts.FunctionName, Linkage: linkage})
}
