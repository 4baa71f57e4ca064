package main

import (
	"os"
	"path/filepath"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/spf13/cobra"
)

// openedTrace is a trace that a command reads.
type openedTrace struct {
	*difftest.Trace
	file *os.File // nil for stdin
}

// openTrace opens a trace, stdin for "-". The caller closes it.
func openTrace(cmd *cobra.Command, path string) (*openedTrace, error) {
	if path == "-" {
		t, err := difftest.NewTrace(cmd.InOrStdin(), "stdin")
		return &openedTrace{Trace: t}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	t, err := difftest.NewTrace(f, path)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &openedTrace{t, f}, nil
}

// Close lets go of the file.
func (t *openedTrace) Close() {
	if t.file != nil {
		t.file.Close()
	}
}

// progress shows how much of the trace is read.
func (t *openedTrace) progress(cmd *cobra.Command) *progress {
	size := int64(-1)
	if t.file != nil {
		if info, err := t.file.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
	}
	return newProgress(cmd, filepath.Base(t.Name()), true, size)
}
