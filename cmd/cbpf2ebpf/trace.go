package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"

	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/spf13/cobra"
)

// openTrace opens a trace, stdin for "-". If show is set, the user sees how much of it is read. The caller calls end,
// once or more.
func openTrace(cmd *cobra.Command, path string, show bool) (t *difftest.Trace, end func(), err error) {
	const bufferSize = 1 << 18
	in, size, closeIn := cmd.InOrStdin(), int64(-1), func() {}
	name := "stdin"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, err
		}
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		in, name, closeIn = f, path, func() { f.Close() }
	}
	end = closeIn
	if show {
		p := newProgress(cmd, filepath.Base(name), true, size)
		in, end = io.TeeReader(in, p), func() { p.end(); closeIn() }
	}
	t, err = difftest.NewTrace(bufio.NewReaderSize(in, bufferSize), name)
	if err != nil {
		end()
		return nil, nil, err
	}
	return t, end, nil
}
