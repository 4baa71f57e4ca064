package kernel

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Available says whether Load and Filter.Run work here: nil, or an *UnavailableError. It tries once and remembers.
func Available() error { return available() }

// ClassicAvailable says the same of AttachClassic and CheckClassic.
func ClassicAvailable() error { return classicAvailable() }

var available = sync.OnceValue(func() error {
	return unavailable("run an extended program", needExtended, tryExtended())
})

var classicAvailable = sync.OnceValue(func() error {
	return unavailable("run a classic program", needClassic, tryClassic())
})

// unavailable makes any error of a trial one that is ErrUnavailable.
func unavailable(op, need string, err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	return &UnavailableError{Op: op, Need: need, Err: err}
}

func tryExtended() error {
	f, err := Load(ebpf.Program{ebpf.Mov.Imm(ebpf.R0, 0), ebpf.Return()}, LoadOptions{})
	if err != nil {
		return err
	}
	defer f.Close()
	verdict, err := f.Run(nil)
	return expect(verdict, err, 0)
}

func tryClassic() error {
	c, err := AttachClassic(cbpf.Program{{Op: cbpf.OpRetK, K: 1}})
	if err != nil {
		return err
	}
	defer c.Close()
	verdict, err := c.Verdict(nil)
	return expect(verdict, err, 1)
}

// expect guards against sandboxes that accept every call and do nothing.
func expect(verdict uint32, err error, want uint32) error {
	if err == nil && verdict != want {
		return fmt.Errorf("the verdict is %d, it must be %d", verdict, want)
	}
	return err
}
