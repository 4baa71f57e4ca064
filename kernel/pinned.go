package kernel

// Pinned is a program that a file in a bpf file system keeps.
type Pinned struct {
	Info
	Type   Type     // what its links tell, or the first that fits: the kernel does not tell all of them apart
	Links  []string // files beside it that keep it attached
	Hooks  []Hook   // where filters of clsact, which need no file, have it on interfaces of this network namespace
	Counts *Counts  // nil if it does not count
}
