package cbpf

import (
	"slices"
	"strings"
)

// spelling is one way of writing an operand.
type spelling struct {
	shape
	named bool // k is a name, never a number
}

// spellings are all the ways of writing the operand of each form that are understood, in whichever dialect: no two of
// them mean different things to one mnemonic.
var spellings = [FormRetA + 1][]spelling{
	FormNone: {{}},
	FormImm:  {{shape: listingShapes[FormImm]}},
	FormAbs: {{shape: listingShapes[FormAbs]}, {shape: shape{prefix: "#", k: true}, named: true},
		{shape: shape{k: true}, named: true}},
	FormInd:   {{shape: listingShapes[FormInd]}, {shape: shape{prefix: "[%x + ", suffix: "]", k: true}}},
	FormMem:   {{shape: listingShapes[FormMem]}},
	FormLen:   {{shape: shape{prefix: "#pktlen"}}, {shape: shape{prefix: "#len"}}, {shape: shape{prefix: "len"}}},
	FormMSH:   {{shape: listingShapes[FormMSH]}, {shape: shape{prefix: "4*([", suffix: "]&15)", k: true}}},
	FormX:     {{shape: shape{prefix: "x"}}, {shape: shape{prefix: "%x"}}},
	FormJump:  {{shape: shape{k: true}}},
	FormCondK: {{shape: listingShapes[FormCondK]}},
	FormCondX: {{shape: shape{prefix: "x"}}, {shape: shape{prefix: "%x"}}},
	FormRetK:  {{shape: listingShapes[FormRetK]}},
	FormRetA:  {{}, {shape: shape{prefix: "a"}}, {shape: shape{prefix: "%a"}}},
}

// extByName knows the names of tcpdump, those of bpf_asm, and one more that bpf_asm takes.
var extByName = func() map[string]Ext {
	index := map[string]Ext{"vlan_pr": ExtVlanPresent}
	for _, info := range Exts {
		index[info.Name] = info.Ext
		if info.Asm != "" {
			index[info.Asm] = info.Ext
		}
	}
	return index
}()

// operand finds the row that has this shape of operand, and reads k. Among several that fit, the one whose k can be read
// wins: `#pktlen` has the shape of `#k` too.
func (p *parser) operand(m *mnemonic, name, text string) (code uint16, k uint32, ok bool) {
	fault, word := ReasonBadOperand, text
	for _, row := range m.rows {
		for i := range spellings[row.Form] {
			s := &spellings[row.Form][i]
			w, fits := s.match(text)
			if !fits && m.bare {
				w, fits = shape{k: true}.match(text)
			}
			if !fits {
				continue
			}
			k, reason := p.readK(row.Form, s, w)
			if reason == "" {
				return row.Code, k, true
			}
			if fault != ReasonNumberTooBig {
				fault, word = reason, w
			}
		}
	}
	at := p.within(name, word)
	switch fault {
	case ReasonBadNumber:
		p.failAt(at, fault, "operand %s is neither a number nor a name%s", quote(word), p.suggestExt(word))
	case ReasonNumberTooBig:
		p.failAt(at, fault, "operand %s, -2147483648 to 4294967295 fit", quote(word))
	default:
		if text == "" {
			at = p.within(name)
		}
		p.failAt(at, fault, "%s, but %s takes %s", quote(text), name, p.dialect.shapeList(m.rows))
	}
	return 0, 0, false
}

// readK reads a number, negative ones included, or the name of an extension. It is 0 for a form without k.
func (p *parser) readK(f Form, s *spelling, word string) (uint32, Reason) {
	if !s.k {
		return 0, ""
	}
	if f == FormAbs {
		if ext, ok := extByName[strings.ToLower(word)]; ok {
			return AdOff + uint32(ext), ""
		}
	}
	if s.named {
		return 0, ReasonBadNumber
	}
	read := number
	if p.dialect.octal {
		read = numberOfC
	}
	if magnitude, negative := strings.CutPrefix(word, "-"); negative {
		v, reason := read(magnitude, 1<<31)
		return -v, reason
	}
	return read(strings.TrimPrefix(word, "+"), 0xffffffff)
}

// suggestExt proposes an extension for a word that is none.
func (p *parser) suggestExt(word string) string {
	names := make([]string, 0, len(Exts)+1)
	for _, info := range Exts {
		if name := info.Asm; p.dialect.extAsm && name != "" {
			names = append(names, name)
		} else if !p.dialect.extAsm {
			names = append(names, info.Name)
		}
	}
	return suggest(word, append(names, strings.TrimPrefix(p.dialect.shapes[FormLen].prefix, "#")))
}

// match tells whether a text has this shape, whatever its spacing, and returns the word that stands for k.
func (s shape) match(text string) (word string, ok bool) {
	rest, ok := cutLoose(text, s.prefix)
	if !ok {
		return "", false
	}
	if s.k {
		if word, rest = cutWord(rest); word == "" {
			return "", false
		}
	}
	rest, ok = cutLoose(rest, s.suffix)
	return word, ok && trim(rest) == ""
}

// String shows the shape with k in its place, for messages.
func (s shape) String() string {
	k := ""
	if s.k {
		k = "k"
	}
	return s.prefix + k + s.suffix
}

func (d *dialect) shapeList(rows []*OpInfo) string {
	var list []string
	for _, row := range rows {
		s := d.shapes[row.Form].String()
		if s == "" {
			s = "nothing"
		}
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return strings.Join(list, " or ")
}
