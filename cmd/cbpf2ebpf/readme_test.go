package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readmeBlocks are the code blocks of the README, by the word behind their fence.
func readmeBlocks(t *testing.T) (text string, blocks map[string][]string) {
	text, blocks = string(readFile(t, "../../README.md")), map[string][]string{}
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		blocks[m[1]] = append(blocks[m[1]], m[2])
	}
	return text, blocks
}

// What the README shows is what a reader gets.
func TestReadmeOutput(t *testing.T) {
	text, blocks := readmeBlocks(t)
	require.Contains(t, blocks["sh"][0], "tcpdump -d 'tcp port 80' | cbpf2ebpf run -r trace.pcap")
	require.Equal(t, succeed(t, "", "run", filter("tcp-port-80.d"), "-r", pcap("mixed.pcap")), blocks[""][0])
	require.Equal(t, "$ tcpdump -d ip | cbpf2ebpf\n"+succeed(t, string(readFile(t, filter("ip.d")))), blocks[""][1])
	for _, cmd := range root().Commands() {
		if cmd.Name() != "translate" { // which is the default
			require.Contains(t, text, "| `cbpf2ebpf "+cmd.Name()+" ", "the README does not tell of a command")
		}
	}
	for _, o := range outputs {
		require.Regexp(t, `translate: .*\b`+o.name+`\b`, text)
	}
}

// The commands of the README succeed, in the place where a reader types them.
func TestReadmeCommands(t *testing.T) {
	_, blocks := readmeBlocks(t)
	t.Chdir("../..")
	ran := 0
	for _, block := range blocks["sh"] {
		for _, line := range strings.Split(block, "\n") {
			if args, ok := strings.CutPrefix(line, "go run ./cmd/cbpf2ebpf "); ok {
				succeed(t, "", strings.Fields(args)...)
				ran++
			}
		}
	}
	require.Equal(t, 2, ran)
}

// The library calls of the README stand in examples, which run.
func TestReadmeLibrary(t *testing.T) {
	_, blocks := readmeBlocks(t)
	var examples strings.Builder
	files, err := filepath.Glob("../../*/example_test.go")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		examples.Write(text)
	}
	require.NotEmpty(t, blocks["go"])
	for _, block := range blocks["go"] {
		for _, line := range strings.Split(strings.TrimSpace(block), "\n") {
			code, _, _ := strings.Cut(line, "//")
			require.Contains(t, examples.String(), "\t"+strings.TrimSpace(code)+"\n")
		}
	}
}
