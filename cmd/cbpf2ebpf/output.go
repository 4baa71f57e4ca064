package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"

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

func buffered(w io.Writer, f func(w io.Writer) error) error {
	b := bufio.NewWriterSize(w, 1<<16)
	if err := f(b); err != nil {
		return err
	}
	return b.Flush()
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
	const defaultMode = 0o644
	mode := os.FileMode(defaultMode)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(file.Name())
		}
	}()
	if err := buffered(file, f); err != nil {
		return err
	}
	if err := file.Chmod(mode); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// isTerminal reports whether a person looks at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
