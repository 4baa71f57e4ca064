package kernel

import (
	"bytes"
	"fmt"

	cilium "github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Verify has the verifier judge a program, and keeps nothing of it in the kernel. The log is as long as opts.Log says;
// Stats are always had. Errors are those of Load.
func Verify(p ebpf.Program, opts LoadOptions) (Stats, error) {
	if opts.Log == LogNone {
		opts.Log = LogStats
	}
	f, err := Load(p, opts)
	if err != nil {
		return Stats{}, err
	}
	s, _ := f.Stats()
	return s, f.Close()
}

// Log is what the verifier told of the program; empty unless LoadOptions.Log asked for it.
func (f *Filter) Log() string { return f.prog.VerifierLog }

// Stats are those of the log. ok is false where LoadOptions.Log asked for none.
func (f *Filter) Stats() (s Stats, ok bool) { return ParseStats(f.Log()) }

// Info asks the kernel about the program.
func (f *Filter) Info() (*Info, error) { return infoOf(f.prog) }

func infoOf(prog *cilium.Program) (*Info, error) {
	known, err := prog.Info()
	if err != nil {
		return nil, fmt.Errorf("ask about a program: %w", err)
	}
	info := &Info{Tag: known.Tag, Name: known.Name}
	id, _ := known.ID()
	verified, _ := known.VerifiedInstructions()
	info.ID, info.Verified = uint32(id), int(verified)
	info.Jited, _ = known.JitedInsns()
	insns, err := known.Instructions()
	if err != nil {
		return info, nil // not told
	}
	info.Xlated, err = rewritten(insns)
	return info, err
}

// rewritten converts instructions that the kernel tells. Calls in them have distances to functions of the kernel for numbers, which
// the loader takes for its own: they are put in afterwards.
func rewritten(insns asm.Instructions) (ebpf.Program, error) {
	calls := map[int]int32{}
	for at := insns.Iterate(); at.Next(); {
		if at.Ins.IsBuiltinCall() {
			calls[int(at.Offset)] = int32(at.Ins.Constant)
			at.Ins.Constant = 0
		}
	}
	var raw bytes.Buffer
	if err := insns.Marshal(&raw, hostOrder); err != nil {
		return nil, fmt.Errorf("read back a program: %w", err)
	}
	p, err := ebpf.Decode(raw.Bytes(), hostOrder)
	for pc, imm := range calls {
		if err == nil {
			p[pc].Imm = imm
		}
	}
	return p, err
}
