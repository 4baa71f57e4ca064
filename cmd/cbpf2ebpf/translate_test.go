package main

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// numbered is a line of a listing: the slot and the instruction.
var numbered = regexp.MustCompile(`(?m)^ *(\d+):\s(.*)$`)

// All forms of the output show one program: that of --to raw.
func TestFormsAgree(t *testing.T) {
	files, err := filepath.Glob(filter("*.d"))
	require.NoError(t, err)
	for _, target := range []string{"user", "socket"} {
		for _, file := range files {
			form := func(to string) string { return succeed(t, "", file, "--target", target, "--to", to) }
			raw := []byte(form("raw"))
			p, err := ebpf.Decode(raw, binary.NativeEndian)
			require.NoError(t, err)

			bytes, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "").Replace(form("hex")))
			require.NoError(t, err)
			require.Equal(t, raw, bytes, file)

			for to, dialect := range map[string]ebpf.Dialect{"text": ebpf.LLVM, "xlated": ebpf.Xlated} {
				require.Equal(t, lines(ebpf.Print(p, dialect)), lines(form(to)), "%s to %s", file, to)
			}

			var l listing
			require.NoError(t, json.Unmarshal([]byte(form("json")), &l))
			require.Equal(t, p, l.extended(), file)
			source, err := cbpf.Parse(readFile(t, file))
			require.NoError(t, err)
			require.Equal(t, source, l.classic(), file)
			require.Equal(t, target, l.Target)
			require.Equal(t, listingStats{Classic: len(source), Slots: len(p), Stack: l.Stats.Stack, Dead: l.Stats.Dead}, l.Stats)
		}
	}
}

// lines are the numbered lines of a listing, whatever their indent.
func lines(listing string) (all [][]string) {
	for _, match := range numbered.FindAllStringSubmatch(listing, -1) {
		all = append(all, match[1:])
	}
	return all
}

func (l *listing) extended() (p ebpf.Program) {
	for _, s := range l.Program {
		p = append(p, ebpf.Instruction{Op: ebpf.Opcode(s.Op), Dst: ebpf.Register(s.Dst), Src: ebpf.Register(s.Src), Off: s.Off, Imm: s.Imm})
	}
	return p
}

func (l *listing) classic() (p cbpf.Program) {
	for _, c := range l.Classic {
		p = append(p, bpf.RawInstruction{Op: c.Code, Jt: c.Jt, Jf: c.Jf, K: c.K})
	}
	return p
}

// The text names each classic instruction in front of what it became, once, in the words of tcpdump.
func TestTextNamesItsSource(t *testing.T) {
	source := strings.Split(strings.TrimSpace(string(readFile(t, filter("tcp-port-80.d")))), "\n")
	var named []string
	for _, line := range strings.Split(succeed(t, "", filter("tcp-port-80.d")), "\n") {
		if after, ok := strings.CutPrefix(line, "; "); ok {
			named = append(named, after)
		}
	}
	for i := range source {
		source[i] = strings.TrimRight(source[i], " ")
	}
	require.Equal(t, source, named)
}

// JSON says where each slot came from, and nothing in it is null but that of slots that came from nowhere.
func TestJSONMapsBack(t *testing.T) {
	text := succeed(t, "", filter("ip.d"), "--to", "json")
	var l listing
	require.NoError(t, json.Unmarshal([]byte(text), &l))
	mapped := map[int]bool{}
	for i, s := range l.Program {
		require.Equal(t, i, s.Slot)
		require.NotEmpty(t, s.Text)
		if s.PC != nil {
			mapped[*s.PC] = true
			require.Less(t, *s.PC, len(l.Classic))
		}
	}
	require.Len(t, mapped, len(l.Classic))
	require.Equal(t, "ldh      [12]", l.Classic[0].Text)
	require.Equal(t, "jeq      #0x800           jt 2\tjf 3", l.Classic[1].Text)
	require.Equal(t, len(l.Program)-strings.Count(text, `"pc": null`), strings.Count(text, `"pc": `)-strings.Count(text, `"pc": null`)-len(l.Classic))
}

// --linktype tells where the network header is, for loads through the kernel's NET window.
func TestLinkTypeOfTranslation(t *testing.T) {
	program := "2,48 0 0 " + strconv.FormatUint(uint64(cbpf.NetOff), 10) + ",22 0 0 0"
	for link, offset := range map[string]string{"EN10MB": "14", "LINUX_SLL": "16", "raw": "0", "Linux_SLL2": "20"} {
		require.Contains(t, succeed(t, program, "--linktype", link), "r0 = *(u8 *)(r1 + "+offset+")", link)
	}
	require.Equal(t, succeed(t, program), succeed(t, program, "--linktype", "EN10MB"))
}

// What a translation does not do to the end, the user is told of, with the place.
func TestNoteOfBounds(t *testing.T) {
	const search = "ldx #3\nld #20\nld nla\nret a\n"
	r := cli(search, "--max-attrs", "2")
	require.Equal(t, 0, r.status)
	require.Equal(t, `stdin: note: (002) "nla" looks at 2 netlink attributes; where more follow, the program ends with verdict 0 (--max-attrs)`+"\n", r.stderr)
	few := strings.Count(r.stdout, "\n")
	r = cli(search)
	require.Contains(t, r.stderr, "looks at 64 netlink attributes")
	require.Greater(t, strings.Count(r.stdout, "\n"), 10*few)
	r = cli(search, "--max-attrs", "16385")
	require.Equal(t, 1, r.status)
	require.Contains(t, r.stderr, "lower Options.MaxAttrs: one load may look at 16384 attributes")
	require.Equal(t, 2, cli(search, "--max-attrs", "-1").status)

	for _, engine := range []string{"jit", "interp"} {
		r = cli(search, "run", "-r", pcap("mixed.pcap"), "--engine", engine, "--max-attrs", "3")
		require.Equal(t, 0, r.status, "%s", r.stderr)
		require.Contains(t, r.stderr, `(002) "nla" looks at 3 netlink attributes`)
	}
	require.Equal(t, 2, cli(search, "run", "-r", pcap("mixed.pcap"), "--engine", "classic", "--max-attrs", "3").status)
	require.Empty(t, cli(search, "run", "-r", pcap("mixed.pcap"), "--engine", "classic").stderr)
}
