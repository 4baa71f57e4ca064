package cbpf_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
)

func TestExcerpt(t *testing.T) {
	for _, tc := range []struct {
		name string
		text string
		want string
	}{
		{"a mnemonic", "tax\nldw [12]\n", "  2 | ldw [12]\n    | ^~~\n"},
		{"a word that stands in the index too", "(000) ret 000", "  1 | (000) ret 000\n    |           ^~~\n"},
		{"behind a tab", "aa:\tjeq #1, bb, aa\n", "  1 | aa:\tjeq #1, bb, aa\n    |    \t        ^~\n"},
		{"the second of two targets", "(000) jeq      x                jt 1\tjf 900\n",
			"  1 | (000) jeq      x                jt 1\tjf 900\n    |                                     \t   ^~~\n"},
		{"the second of two equal targets", "l0:\ttax\nl1:\tjeq x, l1, l1\n", "  2 | l1:\tjeq x, l1, l1\n    |    \t       ^~\n"},
		{"behind a comment", "/* tax\n txa */ tix", "  2 |  txa */ tix\n    |         ^~~\n"},
		{"on a later line of its row", "2,6 0 0 0,6 0\n256 0", "  2 | 256 0\n    | ^~~\n"},
		{"letters that are not ASCII", "{ 6, 0, 0, 0 }, // \u00e4\u00f6\n{ 6, 0, \u00e4, \u00f6 }", "  2 | { 6, 0, \u00e4, \u00f6 }\n    |         ^\n"},
		{"what cannot be shown", "ret #\x01\xff0", "  1 | ret #\ufffd\ufffd0\n    |     ^~~~\n"},
		{"Windows line ends and a byte order mark", "\ufeffldw [12]\r\nret a\r\n", "  1 | ldw [12]\n    | ^~~\n"},
		{"a long line", "1," + strings.Repeat(" ", 200) + "6 0 0 x" + strings.Repeat(" ", 200) + ",", "  1 | ..." +
			strings.Repeat(" ", 44) + "6 0 0 x" + strings.Repeat(" ", 50) + "...\n    | " + strings.Repeat(" ", 53) + "^\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := cbpf.Auto
			if strings.HasPrefix(tc.text, "ret #\x01") {
				n = cbpf.Asm
			}
			_, err := cbpf.ParseAs(n, []byte(tc.text))
			var all cbpf.Errors
			require.ErrorAs(t, err, &all)
			require.Equal(t, tc.want, all[0].Excerpt())
		})
	}
	_, err := cbpf.ParseAs(cbpf.Asm, []byte("\r"))
	var all cbpf.Errors
	require.ErrorAs(t, err, &all)
	require.Equal(t, "  2 | \n    | ^\n", all[0].Excerpt())
	require.Empty(t, (&cbpf.Error{Reason: cbpf.ReasonEmpty, PC: -1}).Excerpt())
}

func TestExcerptOfAll(t *testing.T) {
	_, err := cbpf.Parse([]byte("ja drop\nldw [12]\n"))
	var all cbpf.Errors
	require.ErrorAs(t, err, &all)
	require.Equal(t, `line 1: (000) unknown label: "drop"
  1 | ja drop
    |    ^~~~
line 2: (001) unknown mnemonic: "ldw"; did you mean ld?
  2 | ldw [12]
    | ^~~
`, all.Excerpt())
}

func TestSource(t *testing.T) {
	source, err := cbpf.ParseSource(cbpf.Auto, []byte("; a filter\n\nmain:\n\tldh [12] ; EtherType\n\tdiv #0 tax\n\tst M[16]\n"))
	require.NoError(t, err)
	require.Equal(t, cbpf.Asm, source.Notation)
	require.Equal(t, cbpf.Program{{Op: 0x28, K: 12}, {Op: 0x34}, {Op: 0x07}, {Op: 0x02, K: 16}}, source.Program)
	for pc, line := range map[int]int{-1: 0, 0: 4, 1: 5, 2: 5, 3: 6, 4: 0} {
		require.Equal(t, line, source.Line(pc))
	}
	var all cbpf.Errors
	require.ErrorAs(t, source.Place(cbpf.Validate(source.Program)), &all)
	require.Equal(t, `line 5: (001) division by zero: div #0; the verdict would be 0: ret #0
  5 | 	div #0 tax
    | 	^~~~~~
line 6: (003) no such word of scratch memory: M[16], M[15] is the last
  6 | 	st M[16]
    | 	^~~~~~~~
line 6: (003) program does not end with a return: the last instruction must be `+"`ret #k` or `ret`"+`
  6 | 	st M[16]
    | 	^~~~~~~~
`, all.Excerpt())

	other := errors.New("other")
	require.Equal(t, other, source.Place(other))
	require.NoError(t, source.Place(nil))
	_, err = cbpf.ParseSource(cbpf.Auto, []byte("x"))
	require.ErrorIs(t, err, cbpf.ReasonNotRecognised)
}

// TestSourceOfEveryNotation finds the line of each instruction.
func TestSourceOfEveryNotation(t *testing.T) {
	p := benchProgram(16)
	first := map[cbpf.Notation]int{cbpf.Decimal: 2, cbpf.Go: 2, cbpf.JSON: 2, cbpf.Dump: 3}
	for _, n := range cbpf.Notations() {
		text, err := cbpf.Print(p, n)
		require.NoError(t, err)
		source, err := cbpf.ParseSource(n, []byte(text))
		require.NoError(t, err)
		for pc := range p {
			want := max(1, first[n]) + pc
			switch n {
			case cbpf.XTBPF:
				want = 1
			case cbpf.Raw, cbpf.RawBE:
				want = 0
			}
			require.Equal(t, want, source.Line(pc), "%s %d", n, pc)
		}
	}
}
