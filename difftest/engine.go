package difftest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// Engine is one way to find the verdict of a classic program.
type Engine struct {
	Name string
	// Prepare readies the engine for one program and packets of one link type. An error means that this engine cannot
	// judge the program here, and says why.
	Prepare func(p cbpf.Program, link LinkType) (*Runner, error)
}

// Runner is an engine ready for one program. It is for one goroutine.
type Runner struct {
	// Verdict runs the program on a packet. A *CannotError means that the engine cannot take this packet.
	Verdict func(pkt *cbpf.Packet) (uint32, error)
	// Sees returns the packet as the program finds it in this engine: the reference judges that one. nil stands for the
	// packet itself.
	Sees func(pkt *cbpf.Packet) cbpf.Packet
	// Tells returns what the engine can tell of a verdict, where that is less than all of it. nil stands for the verdict itself.
	Tells func(verdict uint32) uint32
	// Close frees what the engine holds. nil stands for nothing.
	Close func() error
}

// CannotError says why an engine cannot run a program or take a packet. It is no disagreement.
type CannotError struct{ Why string }

func (e *CannotError) Error() string { return e.Why }

func cannot(format string, args ...any) error { return &CannotError{Why: fmt.Sprintf(format, args...)} }

// Reference is the name of the engine that the others are held against: the reference interpreter of package cbpf.
const Reference = "classic"

// Engines lists all engines, the reference first.
func Engines() []Engine {
	return []Engine{
		{Reference, prepareClassic},
		{"xnet", prepareXNet},
		{"interp", prepareInterp(translate.Options{})},
		{"interp-O1", prepareInterp(translate.Options{Optimize: 1})},
		{"interp-O2", prepareInterp(translate.Options{Optimize: 2})},
		{"interp-socket", prepareInterp(translate.Options{Target: translate.Socket})},
		{"interp-socket-O2", prepareInterp(translate.Options{Target: translate.Socket, Optimize: 2})},
		{hookEngines[translate.TC].interp, prepareHook(tcHook)},
		{hookEngines[translate.CGroupSKB].interp, prepareHook(cgroupHook)},
		{hookEngines[translate.XDP].interp, prepareHook(xdpHook)},
		{"interp-trace", prepareTrace(func(link LinkType) translate.Options { return traceOptions(link, false) })},
		{"jit", prepareJIT(0)},
		{"jit-O2", prepareJIT(2)},
		{"kernel-classic", prepareKernelClassic},
		{"kernel-ebpf", prepareKernelExtended(translate.Options{})},
		{hookEngines[translate.TC].kernel, prepareKernelHook(tcHook)},
		{hookEngines[translate.CGroupSKB].kernel, prepareKernelHook(cgroupHook)},
		{hookEngines[translate.XDP].kernel, prepareKernelHook(xdpHook)},
	}
}

// EngineNames lists the names of all engines.
func EngineNames() []string {
	var names []string
	for _, e := range Engines() {
		names = append(names, e.Name)
	}
	return names
}

// EnginesByName picks engines out of all, in the order of Engines. The reference is always among them.
func EnginesByName(names []string) ([]Engine, error) {
	wanted := map[string]bool{Reference: true}
	for _, name := range names {
		if !slices.Contains(EngineNames(), name) {
			return nil, fmt.Errorf("unknown engine %q; the engines are %s", name, strings.Join(EngineNames(), ", "))
		}
		wanted[name] = true
	}
	var picked []Engine
	for _, e := range Engines() {
		if wanted[e.Name] {
			picked = append(picked, e)
		}
	}
	return picked, nil
}
