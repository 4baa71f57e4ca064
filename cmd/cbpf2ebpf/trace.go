package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

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

// bothFromStdin reports whether a command line wants both its program and a trace from there.
func bothFromStdin(cmd *cobra.Command, files []string, traces ...string) bool {
	program := !cmd.Flags().Changed("expr") && (len(files) == 0 || slices.Contains(files, "-"))
	return program && slices.Contains(traces, "-")
}

// errBothFromStdin is what there is to say of that.
var errBothFromStdin = usagef("program and trace cannot both come from stdin")

// withTrace opens a trace and reads the program of a command, which is one for the packets of the trace. The caller closes
// the trace.
func (s *source) withTrace(cmd *cobra.Command, files []string, path string) (trace *openedTrace, in *input, link difftest.LinkType, err error) {
	if trace, err = openTrace(cmd, path); err != nil {
		return nil, nil, 0, err
	}
	if link, err = s.link(trace.Link()); err == nil {
		in, err = s.valid(cmd, files, link)
	}
	if err != nil {
		trace.Close()
		return nil, nil, 0, err
	}
	return trace, in, link, nil
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

// eachBatch calls f for each batch of a trace, whose packets must all be of one link type, in one piece of memory. (Another
// goroutine that reads ahead was tried: it takes a quarter more processor time and saves a tenth of the time at best, since
// what was just read is in the cache of this core.)
func eachBatch(trace *difftest.Trace, f func(b *difftest.Batch) error) error {
	var b difftest.Batch
	for {
		err := trace.ReadBatch(&b)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case b.Link != trace.Link():
			return fmt.Errorf("trace %s: packet %d has link type %v, and the trace began with %v: a filter is for one link type",
				trace.Name(), b.First, b.Link, trace.Link())
		}
		if err := f(&b); err != nil {
			return err
		}
	}
}
