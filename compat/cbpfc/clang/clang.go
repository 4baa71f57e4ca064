// Package clang runs clang to compile C to objects for BPF. It has the interface of github.com/cloudflare/cbpfc/clang.
package clang

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Opts say how to compile.
type Opts struct {
	// Clang is the compiler, a path or a name to look for.
	Clang string

	// Include are the folders in which to look for headers; there are no others.
	Include []string

	// Output is a folder, made where there is none, in which source, object and command line stay. If it is empty nothing stays.
	Output string

	// EmitDebug has clang put debug information into the object, BTF among it.
	EmitDebug bool
}

// Compile compiles source and returns the object. name is that of its file, without an ending.
func Compile(source []byte, name string, opts Opts) (object []byte, err error) {
	dir := opts.Output
	if dir == "" {
		if dir, err = os.MkdirTemp("", "cbpf2ebpf-clang"); err != nil {
			return nil, fmt.Errorf("clang: no place to work in: %w", err)
		}
		defer os.RemoveAll(dir)
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("clang: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".c"), source, 0o644); err != nil {
		return nil, fmt.Errorf("clang: %w", err)
	}
	args, err := arguments(name, opts)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(opts.Clang, args...)
	cmd.Dir = dir
	if opts.Output != "" {
		line := strings.Join(append([]string{cmd.Path}, args...), " ") + "\n"
		if err := os.WriteFile(filepath.Join(dir, "build"), []byte(line), 0o644); err != nil {
			return nil, fmt.Errorf("clang: %w", err)
		}
	}
	if _, err := cmd.Output(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, fmt.Errorf("clang: %s does not compile: %w\n%s", name, err, exit.Stderr)
		}
		return nil, fmt.Errorf("clang: %w", err)
	}
	return os.ReadFile(filepath.Join(dir, name+".elf"))
}

// arguments is the command line. Clang runs in another folder, so those with headers are named in full.
func arguments(name string, opts Opts) ([]string, error) {
	args := []string{"-O2", "-Wall", "-Werror", "-nostdinc", "-c", "-target", "bpf", name + ".c", "-o", name + ".elf"}
	for _, folder := range opts.Include {
		folder, err := filepath.Abs(folder)
		if err != nil {
			return nil, fmt.Errorf("clang: %w", err)
		}
		args = append(args, "-I", folder)
	}
	if opts.EmitDebug {
		args = append(args, "-g")
	}
	return args, nil
}
