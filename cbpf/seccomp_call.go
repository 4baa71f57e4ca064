package cbpf

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Faults in the description of a system call.
const (
	ReasonUnknownArch     Reason = "unknown architecture"
	ReasonUnknownCall     Reason = "unknown system call"
	ReasonBadCall         Reason = "not a system call"
	ReasonBadCallArgument Reason = "not an argument of a system call"
)

// ParseSyscall reads a system call in the manner of C and strace and returns what a filter sees of it. What stands before a
// colon is the architecture, or x32; arch is that of calls without one. Arguments are numbers in C notation, negative ones
// too, or names of constants joined by |; missing ones are 0, and so is the instruction pointer.
//
//	openat(AT_FDCWD, 0x1000, O_RDONLY|O_CLOEXEC)
//	i386:socketcall(1)
//	x32:read    59(0x7fff0000)    -1()
//
// The error is an *Error with one of ReasonUnknownArch, ReasonUnknownCall, ReasonBadCall and ReasonBadCallArgument.
func ParseSyscall(text string, arch Arch) (SeccompData, error) {
	d := SeccompData{Arch: arch}
	call, prefix := strings.TrimSpace(text), ""
	if before, after, ok := strings.Cut(call, ":"); ok && !strings.Contains(before, "(") {
		prefix, call = strings.TrimSpace(before), strings.TrimSpace(after)
	}
	name, list, open := strings.Cut(call, "(")
	list, closed := strings.CutSuffix(list, ")")
	if open != closed || strings.Contains(name, ")") {
		return SeccompData{}, callError(ReasonBadCall, "%q, the form is name(argument, ...)", text)
	}
	if err := d.setCall(prefix, strings.TrimSpace(name)); err != nil {
		return SeccompData{}, err
	}
	if strings.TrimSpace(list) == "" {
		return d, nil
	}
	args := strings.Split(list, ",")
	if len(args) > len(d.Args) {
		return SeccompData{}, callError(ReasonBadCallArgument, "there are %d, %d are the most", len(args), len(d.Args))
	}
	for i, arg := range args {
		var err error
		if d.Args[i], err = parseFlags(arg); err != nil {
			return SeccompData{}, err
		}
	}
	return d, nil
}

func callError(r Reason, format string, args ...any) error {
	return &Error{Reason: r, PC: -1, Detail: fmt.Sprintf(format, args...)}
}

// setCall sets architecture and number.
func (d *SeccompData) setCall(prefix, name string) error {
	bit, lookup := uint32(0), name
	switch {
	case strings.EqualFold(prefix, "x32"):
		d.Arch, bit, lookup = ArchX86_64, X32Bit, prefixX32+name
	case prefix != "":
		var err error
		if d.Arch, err = ParseArch(prefix); err != nil {
			return err
		}
	}
	if nr, ok := d.Arch.Call(lookup); ok {
		d.Nr = int32(nr)
		return nil
	}
	if nr, err := strconv.ParseInt(name, 0, 64); err == nil && nr >= math.MinInt32 && nr <= max32 {
		d.Nr = int32(uint32(nr) | bit)
		return nil
	}
	return d.unknownCall(name)
}

// unknownCall says that there is no such call, and what may have been meant.
func (d *SeccompData) unknownCall(name string) error {
	if name == "" {
		return callError(ReasonBadCall, "there is no name")
	}
	row := d.Arch.info()
	if row == nil {
		return callError(ReasonUnknownCall, "%q; the calls of architecture %s have no names here, only numbers", name, d.Arch)
	}
	hint := suggest(name, slices.Sorted(maps.Values(row.calls().names)))
	for _, other := range archs {
		if nr, ok := other.arch.Call(name); ok && hint == "" {
			hint = fmt.Sprintf("; it is %d on %s", nr, other.name)
		}
	}
	return callError(ReasonUnknownCall, "%q on %s%s", name, d.Arch, hint)
}

// parseFlags reads numbers and names of constants, joined by |.
func parseFlags(text string) (flags uint64, err error) {
	for _, one := range strings.Split(text, "|") {
		v, err := parseFlag(strings.TrimSpace(one))
		if err != nil {
			return 0, err
		}
		flags |= v
	}
	return flags, nil
}

// parseFlag reads a number or the name of a constant.
func parseFlag(text string) (uint64, error) {
	if v, err := strconv.ParseUint(text, 0, 64); err == nil {
		return v, nil
	}
	if v, err := strconv.ParseInt(text, 0, 64); err == nil {
		return uint64(v), nil
	}
	if v, ok := callConstants[text]; ok {
		return uint64(v), nil
	}
	if strings.HasPrefix(text, `"`) {
		return 0, callError(ReasonBadCallArgument, "%s; a filter sees the address of a string, not the string", text)
	}
	return 0, callError(ReasonBadCallArgument, "%q, there are numbers and some constants%s", text,
		suggest(text, slices.Sorted(maps.Keys(callConstants))))
}
