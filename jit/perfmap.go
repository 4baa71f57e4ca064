package jit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// PerfMap is the file in which perf looks up the names of machine code that no file on disk holds
// (tools/perf/Documentation/jit-interface.txt of Linux): perf-PID.map among the temporary files of the system. It stays when
// the process ends, because perf report reads it then; whoever asked for it removes it.
type PerfMap struct{ file *os.File }

// CreatePerfMap creates the file for this process, in [os.TempDir], where perf finds it unless TMPDIR says otherwise. A file
// or link of that name which is there already is left alone; the error is one that [os.IsExist] knows.
func CreatePerfMap() (*PerfMap, error) {
	name := filepath.Join(os.TempDir(), fmt.Sprintf("perf-%d.map", os.Getpid()))
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &PerfMap{file}, nil
}

// Name is the path of the file.
func (m *PerfMap) Name() string { return m.file.Name() }

// Add names the machine code of f, which should not be closed as long as perf records. A Func that interprets has none.
// Everybody who may read the file can read the names.
func (m *PerfMap) Add(f *Func, name string) error {
	if f.code == nil {
		return nil
	}
	if err := f.acquire(); err != nil {
		return err
	}
	defer f.release()
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, name)
	lines := perfLine(f.code, name)
	if body := f.vectorBody(); body != nil {
		lines += perfLine(body.code, name+" (vectors)")
	}
	f.single.ready()
	if body := f.single.body.Load(); body != nil {
		lines += perfLine(body.code, name+" (single)")
	}
	_, err := m.file.WriteString(lines)
	return err
}

func perfLine(p *pages, name string) string {
	return fmt.Sprintf("%x %x %s\n", p.entry(), len(p.code), name)
}

// Close closes the file and leaves it where it is.
func (m *PerfMap) Close() error { return m.file.Close() }
