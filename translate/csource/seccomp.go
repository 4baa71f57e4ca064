package csource

import (
	"fmt"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// seccomp reads struct seccomp_data: aligned words in the order of the host, which are always there. Validation has left
// nothing but such loads.
type seccomp struct{}

func newSeccomp(Options, *hook) source { return seccomp{} }

func (seccomp) param() string { return "const struct seccomp_data *sd" }

func (seccomp) locals() [][2]string { return nil }

func (seccomp) head() string { return headSeccomp }

func (seccomp) fixed(w *writer, _ int, k uint32) (string, error) {
	w.use("sd")
	switch k {
	case 0:
		return "(uint32_t)sd->nr", nil
	case 4:
		return "sd->arch", nil
	}
	w.use("cbpf_word")
	return fmt.Sprintf("cbpf_word(sd, %d)", k), nil
}

func (seccomp) indexed(*writer, int, uint32) string { return "" }

func (seccomp) length(*writer) string { return fmt.Sprint(cbpf.SeccompLen) }

func (seccomp) extension(*writer, cbpf.Ext) (string, bool) { return "", false }

func (seccomp) lacks(cbpf.Ext) (why, instead string) { return "", "" }
