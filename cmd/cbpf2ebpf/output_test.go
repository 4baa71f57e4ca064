package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// entries are the names in a directory, hidden ones too.
func entries(t *testing.T, dir string) (names []string) {
	all, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

func TestOutputToFile(t *testing.T) {
	want := succeed(t, "", filter("ip.d"), "--to", "json")
	path := filepath.Join(t.TempDir(), "out")
	write := func() { require.Empty(t, succeed(t, "", filter("ip.d"), "--to", "json", "-o", path)) }

	write()
	require.Equal(t, want, string(readFile(t, path)))
	other := filepath.Join(t.TempDir(), "other")
	require.NoError(t, os.WriteFile(other, nil, 0o666))
	require.Equal(t, mode(t, other), mode(t, path), "not the mode of any other new file")

	require.NoError(t, os.WriteFile(path, make([]byte, 1<<20), 0o666))
	require.NoError(t, os.Chmod(path, 0o640))
	write()
	require.Equal(t, want, string(readFile(t, path)))
	require.Equal(t, []string{"out"}, entries(t, filepath.Dir(path)))
	require.Equal(t, want, succeed(t, "", filter("ip.d"), "--to", "json", "-o", "-"))
}

func mode(t *testing.T, path string) os.FileMode {
	info, err := os.Lstat(path)
	require.NoError(t, err)
	return info.Mode()
}

// The program may be read from the file that the output goes to.
func TestOutputOverInput(t *testing.T) {
	path := temp(t, "filter", readFile(t, filter("ip.d")))
	require.Empty(t, succeed(t, "", path, "-o", path))
	require.Equal(t, succeed(t, "", filter("ip.d")), string(readFile(t, path)))
}

// What was there before a run that fails is there after it, and nothing else.
func TestNoOutputOfFailure(t *testing.T) {
	path := temp(t, "out", []byte("precious"))
	cut := temp(t, "cut.pcap", readFile(t, pcap("mixed.pcap"))[:20000])
	for _, args := range [][]string{
		{"/nonexistent/f", "-o", path},
		{filter("README.md"), "-o", path},
		{filter("ip.d"), "--to", "zzz", "-o", path},
		{"run", filter("ip.d"), "-r", cut, "-w", path},
		{"run", filter("ip.d"), "-r", cut, "-w", filepath.Join(filepath.Dir(path), "new")},
	} {
		require.NotEqual(t, exitDone, cli("", args...).status, "%q", args)
		require.Equal(t, "precious", string(readFile(t, path)))
		require.Equal(t, []string{"out"}, entries(t, filepath.Dir(path)))
	}
}

func TestOutputToPlacesThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		dir:                               "is a directory",
		filepath.Join(dir, "no", "file"):  "no such file or directory",
		filepath.Join(dir, "plain", "in"): "not a directory",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "plain"), nil, 0o666))
		for _, args := range [][]string{{filter("ip.d"), "-o", path}, {"run", filter("ip.d"), "-r", pcap("mixed.pcap"), "-w", path}} {
			r := cli("", args...)
			require.Equal(t, exitRefused, r.status)
			require.Equal(t, "cbpf2ebpf: open "+path+": "+want+"\n", r.stderr)
			require.Empty(t, r.stdout)
		}
		require.Equal(t, []string{"plain"}, entries(t, dir))
	}
}

func TestOutputThroughLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.WriteFile(target, nil, 0o600))
	if err := os.Symlink(target, link); err != nil {
		t.Skipf("skipped: %v", err)
	}
	require.Empty(t, succeed(t, "", filter("ip.d"), "-o", link))
	require.NotZero(t, mode(t, link)&os.ModeSymlink)
	require.Equal(t, succeed(t, "", filter("ip.d")), string(readFile(t, target)))
	require.Equal(t, []string{"target"}, entries(t, dir))
}

func TestOutputToDevice(t *testing.T) {
	before := mode(t, os.DevNull)
	require.Empty(t, succeed(t, "", filter("ip.d"), "-o", os.DevNull))
	require.Equal(t, "146 of 216 packets match\n", succeed(t, "", "run", filter("ip.d"), "-r", pcap("mixed.pcap"), "-w", os.DevNull))
	require.Equal(t, before, mode(t, os.DevNull))
	if _, err := os.Stat("/dev/full"); err == nil {
		r := cli("", filter("ip.d"), "-o", "/dev/full")
		require.Equal(t, result{exitRefused, "", "cbpf2ebpf: write /dev/full: no space left on device\n"}, r)
	}
}

func TestOutputOverReadOnlyFile(t *testing.T) {
	path := temp(t, "out", []byte("precious"))
	require.NoError(t, os.Chmod(path, 0o444))
	if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
		f.Close()
		t.Skip("skipped: to root no file is read-only")
	}
	r := cli("", filter("ip.d"), "-o", path)
	require.Equal(t, exitRefused, r.status)
	require.Contains(t, r.stderr, "open "+path+": permission denied")
	require.Equal(t, "precious", string(readFile(t, path)))
}

// A writer that fails late leaves nothing.
func TestReplaceCleansUp(t *testing.T) {
	path := temp(t, "out", []byte("precious"))
	late := errors.New("late")
	err := replace(path, func(w io.Writer) error {
		fmt.Fprint(w, make([]byte, 1<<20))
		require.Len(t, entries(t, filepath.Dir(path)), 2)
		return late
	})
	require.ErrorIs(t, err, late)
	require.Equal(t, []string{"out"}, entries(t, filepath.Dir(path)))
	require.Equal(t, "precious", string(readFile(t, path)))
}

// JSON says at which level a program was optimised.
func TestJSONTellsTheLevel(t *testing.T) {
	for _, level := range []string{"0", "1", "2"} {
		require.Contains(t, succeed(t, "", filter("ip.d"), "-O"+level, "--to", "json"), `"optimize": `+level)
	}
}
