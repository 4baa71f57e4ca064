//go:build !(linux && amd64)

package jit

import (
	"errors"
	"runtime"
	"sync/atomic"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// pages is never made on this platform.
type pages struct{ code []byte }

func seal([]byte) (*pages, error) {
	return nil, &UnavailableError{Op: runtime.GOOS + "/" + runtime.GOARCH, Err: errors.ErrUnsupported}
}

func (*pages) free() {}

func (*pages) run(*atomic.Uint64, []byte, []Desc, asking, *ebpf.SkBuff, int, []uint32) (uint64, error) {
	return 0, errors.ErrUnsupported
}

func (*pages) runFramed([]byte, uint32, *ebpf.SkBuff) uint64 { return 0 }

func runSingle(f *Func, pkt *ebpf.Packet) (uint64, error) { return runGeneral(f, pkt) }

func (*pages) runVector([]byte, []Desc, asking, []uint32) int { return 0 }

func madeByAMD() bool { return false }

func (*pages) entry() uintptr { return 0 }
