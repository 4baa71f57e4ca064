package cbpf

import "strings"

// elementTypes are the names of the type of an instruction, in C and in Go.
var elementTypes = [...]struct {
	name     string
	notation Notation
}{
	{"sock_filter", CStruct}, // Linux
	{"bpf_insn", CStruct},    // BSD and libpcap
	{"RawInstruction", Go},
	{"SockFilter", Go},
	{"BPFInstruction", Go},
	{"Instruction", Go},
}

// findArray returns where the elements of the first array of instructions in a source text begin, what closes them, and
// the notation; the closer is "" where there is no array.
func findArray(text string) (at int, closer string, n Notation) {
	for _, t := range elementTypes {
		if i := findArrayOf(text, t.name); i >= 0 && (closer == "" || i < at) {
			at, closer, n = i, "}", t.notation
		}
	}
	if closer == "" {
		return findList(text)
	}
	return at, closer, n
}

// findArrayOf finds an array of a type.
func findArrayOf(text, name string) int {
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return -1
		}
		from += i + len(name)
		if from < len(text) && isWord(text[from]) || from > len(name) && isWord(text[from-len(name)-1]) {
			continue
		}
		if end := openingOfArray(text[:from-len(name)], text[from:]); end >= 0 {
			return from + end
		}
	}
}

// openingOfArray returns how far behind the name of a type the elements of an array begin, -1 if they do not. In Go the
// brackets stand before the name, in C behind it, and there is an = in between unless the array has no name.
func openingOfArray(before, behind string) int {
	const near = 500 // bytes around the type in which all must stand
	end := strings.IndexByte(behind[:min(len(behind), near)], '{')
	if end < 0 {
		return -1
	}
	between := trim(behind[:end])
	switch {
	case between == "": // not the result of a function, behind which is its body
		before = strings.TrimRight(before[max(0, len(before)-near):], "abcdefghijklmnopqrstuvwxyz0123456789_.")
		if inside := strings.LastIndexByte(before, '['); strings.HasSuffix(before, "]") && inside >= 0 &&
			!strings.HasSuffix(trim(before[:inside]), ")") {
			return end + 1
		}
	case strings.ContainsAny(between, ";},") || !strings.Contains(between, "["):
	case strings.Contains(between, "=") || between[0] == '[' && strings.HasSuffix(between, ")"):
		return end + 1
	}
	return -1
}

// findList finds the brackets of a list of Rust, Python or JSON: an element stands behind the opening one.
func findList(text string) (at int, closer string, n Notation) {
	for i := 0; i < len(text); i++ {
		if text[i] != '[' {
			continue
		}
		inside := trimLeft(text[i+1:])
		if e, _ := cutElement(inside); e != nil && (inside[0] != '[' || i == 0) {
			return i + 1, "]", sniffBracket(text[i:])
		}
	}
	return 0, "", ""
}
