package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// writeWhole lets f write to the file, or to stdout for "" and "-". A regular file appears whole or not at all: what was
// there before stays until f has succeeded.
func writeWhole(cmd *cobra.Command, path string, f func(w io.Writer) error) error {
	if path == "" || path == "-" {
		return buffered(cmd.OutOrStdout(), f)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return overwrite(path, f)
	}
	return replace(path, f)
}

// buffered lets f write to w through a buffer. What f wrote in front of an error goes out too.
func buffered(w io.Writer, f func(w io.Writer) error) error {
	b := bufio.NewWriterSize(w, 1<<16)
	err := f(b)
	if flushErr := b.Flush(); err == nil {
		err = flushErr
	}
	return err
}

// overwrite writes to something that is no regular file, /dev/null or a pipe.
func overwrite(path string, f func(w io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := buffered(file, f); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// replace writes to a new file beside path and renames it when all is written. Links are followed, and the mode of a
// file that was there is kept.
func replace(path string, f func(w io.Writer) error) (err error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	mode, err := replaceable(path)
	if err != nil {
		return err
	}
	hidden := filepath.Join(filepath.Dir(path), fmt.Sprintf(".cbpf2ebpf-%08x", rand.Uint32()))
	defer removeOnSignal(hidden)()
	file, err := os.OpenFile(hidden, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	var failed *fs.PathError
	if errors.As(err, &failed) {
		failed.Path = path // nobody has heard of the other name
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(hidden)
		}
	}()
	if err := buffered(file, f); err != nil {
		return err
	}
	if mode != 0 {
		if err := file.Chmod(mode); err != nil {
			return err
		}
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(hidden, path)
}

// replaceable returns the mode of the file at path, 0 if there is none. A file that may not be written may not be
// replaced either, though the system would allow that.
func replaceable(path string) (os.FileMode, error) {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Mode().Perm(), nil
}

// removeOnSignal removes the file if a signal ends the process before forget is called.
func removeOnSignal(name string) (forget func()) {
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // as nohup has it
			signal.Notify(signals, s)
		}
	}
	go func() {
		s, caught := <-signals
		if !caught {
			return
		}
		os.Remove(name)
		signal.Reset(s)
		if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(s) == nil {
			select {} // the signal ends us
		}
		os.Exit(exitRefused) // where a process cannot signal itself
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}

// isTerminal reports whether a person looks at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
