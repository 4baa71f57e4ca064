package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	cilium "github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// Load loads a program. A refusal is a *VerifierError or a *SlotError, which name places in p; a kernel that cannot be asked
// is an *UnavailableError. The Filter holds a file descriptor until it is closed.
func Load(p ebpf.Program, opts LoadOptions) (*Filter, error) {
	if err := switchedOff(); err != nil {
		return nil, err
	}
	if !opts.Type.known() {
		return nil, fmt.Errorf("unknown %s", opts.Type)
	}
	f := &Filter{kind: opts.Type, to: opts.AttachTo}
	whole, front := slices.Concat(opts.Front, p), len(opts.Front)
	if opts.Count {
		value, err := newCounter(opts)
		if err != nil {
			return nil, err
		}
		around, more := counting(p, value.FD(), opts)
		whole, front = slices.Concat(opts.Front, around), front+more
		f.count = value
	}
	prog, err := load(whole, opts)
	if err != nil {
		return nil, errors.Join(within(err, front, len(p)), f.closeCount())
	}
	f.prog = prog
	return f, nil
}

// newCounter makes the map that a program counts in.
func newCounter(opts LoadOptions) (*cilium.Map, error) {
	liftMemlock()
	value := make([]byte, countSize)
	if opts.verdicts() {
		hostOrder.PutUint64(value[countKind:], 1)
	}
	m, err := cilium.NewMap(&cilium.MapSpec{
		Name: opts.Name, Type: cilium.Array, KeySize: 4, ValueSize: countSize, MaxEntries: 1,
		Contents: []cilium.MapKV{{Key: uint32(0), Value: value}},
	})
	if err == nil {
		return m, nil
	}
	const op = "make a map to count in"
	if obstacle := obstacleTo(op, opts.Type, err); obstacle != nil {
		return nil, obstacle
	}
	return nil, fmt.Errorf("%s: %w", op, err)
}

// within moves the place of a fault from a program with front slots before it to the program itself, of n slots. Faults
// outside have no place there.
func within(err error, front, n int) error {
	var refused *VerifierError
	if errors.As(err, &refused) {
		refused.PC -= front
		if refused.PC < 0 || refused.PC >= n {
			refused.PC = -1
		}
	}
	var slot *SlotError
	if errors.As(err, &slot) && slot.PC >= 0 {
		slot.PC = max(slot.PC-front, -1)
	}
	return err
}

// load gives a program to the kernel.
func load(p ebpf.Program, opts LoadOptions) (*cilium.Program, error) {
	insns, err := instructions(p)
	if err != nil {
		return nil, err
	}
	prog, err := loadSpec(spec(insns, opts), opts)
	if err != nil {
		return nil, loadError(opts, err)
	}
	return prog, nil
}

// kind is what the kernel calls a type.
type kind struct {
	program cilium.ProgramType
	attach  cilium.AttachType
	flags   uint32
}

var kinds = [...]kind{
	SocketFilter:  {program: cilium.SocketFilter},
	TC:            {program: cilium.SchedCLS},
	CgroupIngress: {program: cilium.CGroupSKB, attach: cilium.AttachCGroupInetIngress},
	CgroupEgress:  {program: cilium.CGroupSKB, attach: cilium.AttachCGroupInetEgress},
	XDP:           {program: cilium.XDP, attach: cilium.AttachXDP},
	XDPFrags:      {program: cilium.XDP, attach: cilium.AttachXDP, flags: unix.BPF_F_XDP_HAS_FRAGS},
	Fentry:        {program: cilium.Tracing, attach: cilium.AttachTraceFEntry},
	Tracepoint:    {program: cilium.Tracing, attach: cilium.AttachTraceRawTp},
	RawTracepoint: {program: cilium.RawTracepoint},
	Kprobe:        {program: cilium.Kprobe},
}

func spec(insns asm.Instructions, opts LoadOptions) *cilium.ProgramSpec {
	kind := kinds[opts.Type]
	return &cilium.ProgramSpec{
		Name:         opts.Name,
		Type:         kind.program,
		AttachType:   kind.attach,
		AttachTo:     opts.AttachTo,
		Flags:        kind.flags,
		Instructions: insns,
		License:      opts.Licence,
	}
}

// loadSpec gives a program to the kernel. The loader would take statistics alone for a log, which would then not name the
// place of a fault: so a program that is refused is given once more.
func loadSpec(s *cilium.ProgramSpec, opts LoadOptions) (*cilium.Program, error) {
	level := map[LogLevel]cilium.LogLevel{
		LogStats: cilium.LogLevelStats,
		LogAll:   cilium.LogLevelStats | cilium.LogLevelInstruction,
	}[opts.Log]
	breathe()
	liftMemlock()
	prog, err := cilium.NewProgramWithOptions(s, cilium.ProgramOptions{LogLevel: level})
	if err != nil && level == cilium.LogLevelStats {
		return cilium.NewProgramWithOptions(s, cilium.ProgramOptions{LogLevel: level | cilium.LogLevelBranch})
	}
	return prog, err
}

// liftMemlock lifts the limit on locked memory, which kernels before 5.11 charge programs against. Whether it had to, the
// loading will tell: there is no error to report here.
var liftMemlock = sync.OnceFunc(func() { _ = rlimit.RemoveMemlock() })

// instructions converts a program for the loader. The loader clears fields of which it knows no use (off of arithmetic,
// for one), and the kernel would then take what it should have refused: the way back shows it.
func instructions(p ebpf.Program) (asm.Instructions, error) {
	raw := ebpf.Encode(p, hostOrder)
	insns, err := asm.AppendInstructions(nil, bytes.NewReader(raw), hostOrder, "linux")
	if err != nil {
		return nil, &SlotError{PC: -1, Err: err}
	}
	var back bytes.Buffer
	if err := insns.Marshal(&back, hostOrder); err != nil {
		return nil, &SlotError{PC: back.Len() / ebpf.SlotSize, Err: err}
	}
	for i, b := range back.Bytes() {
		if b != raw[i] {
			return nil, &SlotError{PC: i / ebpf.SlotSize}
		}
	}
	return insns, nil
}

// loadError sorts the loader's errors into refusals and obstacles.
func loadError(opts LoadOptions, err error) error {
	var refused *cilium.VerifierError
	if errors.As(err, &refused) && len(refused.Log) > 0 {
		return refusal(refused.Log, refused.Cause)
	}
	if opts.AttachTo != "" && errors.Is(err, cilium.ErrNotSupported) {
		if _, noBTF := SkbLayout(); noBTF == nil { // then it is not types that are missing
			return &AttachError{Reason: ReasonNoTarget, Detail: opts.AttachTo}
		}
	}
	if obstacle := obstacleTo("load a "+opts.Type.String(), opts.Type, err); obstacle != nil {
		return obstacle
	}
	return refusal(nil, err)
}

// obstacleTo returns an *UnavailableError for what any program would meet, nil for other errors.
func obstacleTo(op string, t Type, err error) error {
	for _, known := range []error{unix.EPERM, unix.ENOSYS, cilium.ErrNotSupported} {
		if errors.Is(err, known) {
			return &UnavailableError{Op: op, Need: types[t].need, Err: known}
		}
	}
	return nil
}
