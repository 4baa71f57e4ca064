package kernel

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnavailable is what every *UnavailableError is, for errors.Is: the kernel cannot be asked here, whatever the program.
var ErrUnavailable = errors.New("the kernel cannot be asked")

// UnavailableError says what is missing. Callers skip, or fall back to another engine.
type UnavailableError struct {
	Op   string // what was tried
	Need string // what it takes
	Err  error  // why it did not work
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("%s: %v (needs %s)", e.Op, e.Err, e.Need)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrUnavailable) true.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// What it takes to ask.
const (
	needClassic = "Linux, with AF_UNIX sockets allowed"
	needSeccomp = "Linux 5.0, for verdicts on x86-64 and outside of other seccomp filters"
)

// TooLongError says that packet data do not fit through this way into the kernel.
type TooLongError struct {
	Len, Limit int // bytes
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("%d bytes of packet data, the limit is %d", e.Len, e.Limit)
}

// TooShortError says that packet data are less than what this way into the kernel takes.
type TooShortError struct {
	Len, Limit int // bytes
}

func (e *TooShortError) Error() string {
	return fmt.Sprintf("%d bytes of packet data, it takes %d", e.Len, e.Limit)
}

// SlotError says that a slot cannot be handed to the kernel unaltered: it sets fields that its opcode does not have, or
// lacks its second half. The kernel was not asked; it refuses such programs.
type SlotError struct {
	PC  int   // slot, from 0; -1 if unknown
	Err error // the loader's complaint; nil where it would have altered the slot without a word
}

func (e *SlotError) Error() string {
	why := "a reserved field is set"
	if e.Err != nil {
		why = e.Err.Error()
	}
	if e.PC < 0 {
		return "the program cannot be loaded unaltered: " + why
	}
	return fmt.Sprintf("insn %d: the slot cannot be loaded unaltered: %s", e.PC, why)
}

func (e *SlotError) Unwrap() error { return e.Err }

// VerifierError says that the kernel refuses an extended program.
type VerifierError struct {
	PC      int    // slot that the verifier complains about, from 0; -1 if it names none
	Message string // the sentence that decided
	Log     string // the whole log; empty if the verifier was not reached
	Err     error  // the errno
}

func (e *VerifierError) Error() string {
	if e.PC < 0 {
		return "the verifier refuses the program: " + e.Message
	}
	return fmt.Sprintf("insn %d: the verifier refuses the program: %s", e.PC, e.Message)
}

func (e *VerifierError) Unwrap() error { return e.Err }

// Reason says why a program was not attached. The constants are the messages.
type Reason string

// The reasons of AttachClassic and CheckClassic. ReasonRefused and ReasonMemory are the kernel's answers; the others are
// limits of AttachClassic.
const (
	ReasonRefused  Reason = "the kernel refuses the program"
	ReasonMemory   Reason = "the converted program needs more memory than net.core.optmem_max allows"
	ReasonVariant  Reason = "the kernel takes the program, but not its variants that tell the verdict"
	ReasonUnstable Reason = "the verdict of a program that reads cpu or rand cannot be told from several runs"
)

// The reasons of Load, Filter.Attach, Filter.Install and PacketArgs.
const (
	ReasonHookType    Reason = "programs of this type do not run at this hook"
	ReasonHookRefused Reason = "the kernel refuses to attach the program there"
	ReasonNoInterface Reason = "there is no such interface in this network namespace"
	ReasonNoMode      Reason = "the interface cannot run XDP programs in its driver"
	ReasonMTU         Reason = "packets as long as its MTU allows do not lie in one piece"
	ReasonBusy        Reason = "another program is attached there, and there is room for one only"
	ReasonNoCgroup    Reason = "that is no directory of a cgroup v2 file system"
	ReasonNoTarget    Reason = "the kernel has no such function or tracepoint"
	ReasonNoPacket    Reason = "none of its arguments points to a packet"
	ReasonPinExists   Reason = "something is pinned there already"
	ReasonPinRefused  Reason = "the bpf file system refuses the pin (it takes no dots in names)"
	ReasonPinPlace    Reason = "only a bpf file system can hold pins"
	ReasonNoPin       Reason = "what is attached there ends with its process"
)

// Error lets a Reason stand as the target of errors.Is.
func (r Reason) Error() string { return string(r) }

// AttachError says that a program was not attached or pinned, and why.
type AttachError struct {
	Reason Reason
	Detail string // the offending thing and the limit; may be empty
	Err    error  // the kernel's answer, or nil
}

func (e *AttachError) Error() string {
	parts := []string{string(e.Reason)}
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Is makes errors.Is(err, reason) true.
func (e *AttachError) Is(target error) bool { return target == e.Reason }

func (e *AttachError) Unwrap() error { return e.Err }
