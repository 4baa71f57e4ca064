package ebpf_test

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"
	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// cilium/ebpf, which takes the names from the kernel's header by itself, has the same numbers.
func TestHelperNames(t *testing.T) {
	const last = 211
	for id := range int32(last + 1) {
		name := HelperName(id)
		theirs := strings.TrimPrefix(asm.BuiltinFunc(id).String(), "Fn")
		require.Equal(t, strings.ToLower(theirs), strings.ReplaceAll(strings.TrimPrefix(name, "bpf_"), "_", ""), "%d", id)
		back, ok := HelperNumber(name)
		require.True(t, ok)
		require.Equal(t, id, back)
	}
	require.Equal(t, "unknown", HelperName(last+1))
	require.Equal(t, "unknown", HelperName(-1))
	_, ok := HelperNumber("bpf_no_such_thing")
	require.False(t, ok)
}
