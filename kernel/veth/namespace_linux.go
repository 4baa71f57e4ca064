package veth

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace of its own, with the one thread that lives in it.
type namespace struct {
	jobs chan func()
	gone chan struct{} // closed when the thread has ended
	file *os.File      // keeps it, and names it to others
}

// newNamespace makes a namespace without IPv6, whose neighbour discovery would send packets of its own.
func newNamespace() (*namespace, error) {
	n := &namespace{jobs: make(chan func()), gone: make(chan struct{})}
	ready := make(chan error)
	go n.live(ready)
	if err := <-ready; err != nil {
		return nil, err
	}
	err := n.do(func() (err error) {
		if n.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		err = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
		if errors.Is(err, os.ErrNotExist) {
			return nil // the kernel has no IPv6
		}
		return err
	})
	if err != nil {
		n.end()
		return nil, err
	}
	return n, nil
}

// live is the thread. It never unlocks, so that it ends with its goroutine: no other one may find itself in this place.
func (n *namespace) live(ready chan<- error) {
	defer close(n.gone)
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		ready <- fmt.Errorf("make a network namespace: %w", err)
		return
	}
	ready <- nil
	for job := range n.jobs {
		job()
	}
}

// do runs a function in the namespace. One that ends its goroutine, as the FailNow of a test does, takes the thread along.
func (n *namespace) do(f func() error) error {
	done := make(chan error, 1)
	select {
	case n.jobs <- func() { done <- f() }:
	case <-n.gone:
		return errGone
	}
	select {
	case err := <-done:
		return err
	case <-n.gone:
		return errGone
	}
}

var errGone = errors.New("a function has ended the thread of the namespace")

// end gives the namespace up. What is in it goes with it.
func (n *namespace) end() {
	close(n.jobs)
	if n.file != nil {
		n.file.Close()
	}
}
