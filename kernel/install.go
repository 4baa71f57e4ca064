package kernel

import "strings"

// Placement says where a program is to go.
type Placement struct {
	// Pin is the file in a bpf file system that keeps the program, and what is attached, when the process ends; empty for
	// neither. Sockets end nevertheless. The directory must exist, the file must not.
	Pin   string
	Hooks []Hook
}

// LinkPin is the file beside Pin that keeps the link to a hook: Pin, with the hook behind it in letters that file systems of
// this kind take.
func (p Placement) LinkPin(h Hook) string {
	return p.Pin + "_" + strings.Map(func(r rune) rune {
		if strings.ContainsRune(":/.", r) {
			return '_'
		}
		return r
	}, h.String())
}
