package kernel

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// optmemMax reads net.core.optmem_max.
func optmemMax(t *testing.T) int {
	text, err := os.ReadFile("/proc/sys/net/core/optmem_max")
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	return n
}

// measured lists an instruction for each length that one can be converted to.
func measured() []bpf.RawInstruction {
	var list []bpf.RawInstruction
	for _, row := range cbpf.Ops {
		one := ins(row.Code, 0, 0, 1)
		switch row.Form {
		case cbpf.FormRetA, cbpf.FormRetK:
			list = append(list, one)
		case cbpf.FormJump:
			list = append(list, ins(row.Code, 0, 0, 0))
		case cbpf.FormCondK, cbpf.FormCondX:
			for _, k := range []uint32{1, 0x7fffffff, 0x80000000} {
				list = append(list, ins(row.Code, 0, 0, k), ins(row.Code, 1, 0, k), ins(row.Code, 0, 1, k), ins(row.Code, 1, 1, k))
			}
		case cbpf.FormAbs, cbpf.FormInd, cbpf.FormMSH:
			for _, k := range []uint32{0, 1, 32767, 32768, 0x7fffffff, 0x80000000, cbpf.LLOff, cbpf.NetOff} {
				list = append(list, ins(row.Code, 0, 0, k))
			}
		default:
			list = append(list, one)
		}
	}
	for _, ext := range cbpf.Exts {
		list = append(list, ldExt(ext.Ext))
	}
	return list
}

// The memory that is charged grows by as much as SocketMemory says: the program that just fits does, and one with some
// instructions more does not. Kernels differ a little in what they need beside the instructions.
func TestSocketMemoryAgreesWithTheKernel(t *testing.T) {
	requireClassic(t)
	const slack = 8
	limit := optmemMax(t)
	for _, one := range measured() {
		p := cbpf.Program{ins(0x02, 0, 0, 1), ldImm(1), ins(opTax, 0, 0, 0)}
		for range 400 {
			p = append(p, one)
		}
		p = append(p, ins(opTxa, 0, 0, 0)) // where the last jump of the row goes to
		for cbpf.SocketMemory(append(slices.Clone(p), ret(0))) < limit-200-8*slack {
			p = append(p, ins(cbpf.OpLdxMSH, 0, 0, 0))
		}
		for cbpf.SocketMemory(append(slices.Clone(p), ret(0))) < limit-8*slack {
			p = append(p, ins(opTxa, 0, 0, 0))
		}
		name := fmt.Sprintf("%+v, %d instructions", one, len(p))
		require.NoError(t, CheckClassic(append(slices.Clone(p), ret(0))), name)
		for range 2 * slack {
			p = append(p, ins(opTxa, 0, 0, 0))
		}
		require.ErrorIs(t, CheckClassic(append(p, ret(0))), ReasonMemory, name)
	}
}

// A jump that is warned of is refused, and the longest one that is not gets as far as the charge.
func TestFarJumpAgreesWithTheKernel(t *testing.T) {
	requireClassic(t)
	const long = 1820 // times 18 extended instructions
	for extra := range 12 {
		p := cbpf.Program{ins(cbpf.OpJa, 0, 0, uint32(long+extra))}
		p = append(p, times(long, ins(cbpf.OpLdxMSH, 0, 0, 0), nops(extra, ret(0))...)...)
		warned := slices.ContainsFunc(cbpf.Warnings(p), func(w cbpf.Warning) bool { return w.Reason == cbpf.ReasonWarnFarJump })
		require.Equal(t, errors.Is(CheckClassic(p), ReasonRefused), warned, "%d instructions more", extra)
		require.Equal(t, extra > 7, warned)
	}
}
