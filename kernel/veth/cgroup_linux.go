package veth

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// cgroup is a cgroup of version 2 below the one that the process is in. No process stays in it: only sockets do.
type cgroup struct {
	dir, home string
}

// moving keeps two goroutines from moving the process about at a time.
var moving sync.Mutex

func newCgroup() (*cgroup, error) {
	home, err := homeCgroup()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(home, "cbpf2ebpf-veth-")
	return &cgroup{dir: dir, home: home}, err
}

// homeCgroup is the directory of the cgroup that the process is in.
func homeCgroup() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[2] != "cgroup2" {
			continue
		}
		for line := range strings.Lines(string(own)) {
			if at, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
				return filepath.Join(fields[1], at), nil
			}
		}
	}
	return "", errors.New("no cgroup v2 file system is mounted")
}

// inside runs a function while the process is in the cgroup.
func (c *cgroup) inside(f func() error) error {
	moving.Lock()
	defer moving.Unlock()
	if err := enter(c.dir); err != nil {
		return err
	}
	return errors.Join(f(), enter(c.home))
}

func enter(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0); err != nil {
		return fmt.Errorf("move to the cgroup %s: %w", dir, err)
	}
	return nil
}

func (c *cgroup) remove() error { return os.Remove(c.dir) }
