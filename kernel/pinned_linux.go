package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	cilium "github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
)

// ReadPinned tells of the program that a file keeps, where it is attached and what it has counted.
func ReadPinned(file string) (*Pinned, error) {
	prog, err := openPinned(file)
	if err != nil {
		return nil, err
	}
	defer prog.Close()
	info, err := infoOf(prog)
	if err != nil {
		return nil, err
	}
	links, attach, err := linksOf(file, info.ID)
	if err != nil {
		return nil, err
	}
	t, ok := typeOf(prog.Type(), attach)
	if !ok {
		return nil, fmt.Errorf("%s is a program of the type %s, which is none of ours", file, prog.Type())
	}
	p := &Pinned{Info: *info, Type: t, Links: links}
	filters, err := filtersOf(info.ID)
	if err != nil {
		return nil, err
	}
	for _, f := range filters {
		p.Hooks = append(p.Hooks, f.hook)
	}
	p.Counts, err = countsIn(prog)
	return p, err
}

// RemovePinned detaches the program that a file keeps from wherever files beside it or filters of clsact have it attached, and
// takes these files and the file itself away. Network interfaces are those of this network namespace.
func RemovePinned(file string) error {
	p, err := ReadPinned(file)
	if err != nil {
		return err
	}
	filters, err := filtersOf(p.ID)
	if err != nil {
		return err
	}
	var all []error
	for _, f := range filters {
		all = append(all, netlink.FilterDel(f.filter))
	}
	for _, name := range p.Links {
		all = append(all, (&Attachment{pinned: name}).Detach())
	}
	return errors.Join(append(all, os.Remove(file))...)
}

func openPinned(file string) (*cilium.Program, error) {
	if err := switchedOff(); err != nil {
		return nil, err
	}
	prog, err := cilium.LoadPinnedProgram(file, nil)
	if err == nil {
		return prog, nil
	}
	op := "open the pinned program " + file
	if obstacle := obstacleTo(op, SocketFilter, err); obstacle != nil {
		return nil, obstacle
	}
	return nil, fmt.Errorf("%s: %w", op, err)
}

// typeOf is the type of a program that the kernel calls so. Of those that it calls alike it is the one that is attached in that way,
// or the first.
func typeOf(program cilium.ProgramType, attach cilium.AttachType) (t Type, ok bool) {
	i := slices.IndexFunc(kinds[:], func(k kind) bool { return k.program == program && k.attach == attach })
	if i < 0 {
		i = slices.IndexFunc(kinds[:], func(k kind) bool { return k.program == program })
	}
	return Type(max(i, 0)), i >= 0
}

// attachTypeOf is how a link has its program attached, where that tells programs of one type apart.
func attachTypeOf(info *link.Info) cilium.AttachType {
	if tracing := info.Tracing(); tracing != nil {
		return cilium.AttachType(tracing.AttachType)
	}
	if cgroup := info.Cgroup(); cgroup != nil {
		return cilium.AttachType(cgroup.AttachType)
	}
	if info.RawTracepoint() != nil { // of programs with BTF types too
		return cilium.AttachTraceRawTp
	}
	return cilium.AttachNone
}

// linksOf lists the files that Placement.LinkPin names after a pin and that hold links of this program, and tells how these have it
// attached.
func linksOf(file string, id uint32) (names []string, attach cilium.AttachType, err error) {
	dir, base := filepath.Split(file)
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if len(e.Name()) <= len(base) || e.Name()[:len(base)+1] != base+"_" {
			continue
		}
		if info := pinnedLink(name); info != nil && uint32(info.Program) == id {
			names, attach = append(names, name), attachTypeOf(info)
		}
	}
	return names, attach, nil
}

// pinnedLink tells of the link that a file holds; nil if it holds something else.
func pinnedLink(name string) *link.Info {
	l, err := link.LoadPinnedLink(name, nil)
	if err != nil {
		return nil
	}
	defer l.Close()
	info, err := l.Info()
	if err != nil {
		return nil
	}
	return info
}

// foundFilter is a filter of clsact with the program.
type foundFilter struct {
	hook   Hook
	filter *netlink.BpfFilter
}

func filtersOf(id uint32) (found []foundFilter, err error) {
	devices, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	for _, d := range devices {
		for _, way := range []Way{Ingress, Egress} {
			filters, err := netlink.FilterList(d, clsActParents[way])
			if err != nil {
				return nil, fmt.Errorf("list filters of %s: %w", d.Attrs().Name, err)
			}
			for _, one := range filters {
				if f, ok := one.(*netlink.BpfFilter); ok && f.Id == int(id) && f.Name == filterName {
					f.Fd = -1 // it tells which one to delete without
					found = append(found, foundFilter{Hook{Kind: HookTC, Where: d.Attrs().Name, Way: way, Mode: ClsAct}, f})
				}
			}
		}
	}
	return found, nil
}

// countsIn looks among the maps of a program for the one that it counts in.
func countsIn(prog *cilium.Program) (*Counts, error) {
	info, err := prog.Info()
	if err != nil {
		return nil, err
	}
	ids, _ := info.MapIDs()
	for _, id := range ids {
		if c, err := countsOfMap(id); c != nil || err != nil {
			return c, err
		}
	}
	return nil, nil
}

// countsOfMap returns nil for a map that no program of ours counts in.
func countsOfMap(id cilium.MapID) (*Counts, error) {
	m, err := cilium.NewMapFromID(id)
	if err != nil {
		return nil, fmt.Errorf("open a map of the program: %w", err)
	}
	defer m.Close()
	if m.Type() != cilium.Array || m.ValueSize() != countSize || m.MaxEntries() != 1 {
		return nil, nil
	}
	return readCounts(m)
}
