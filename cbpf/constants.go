package cbpf

import (
	"maps"
	"slices"
	"strings"
)

// constantsOfC are the names that filters are made of in C: linux/bpf_common.h and linux/filter.h.
var constantsOfC = func() map[string]uint32 {
	index := map[string]uint32{
		"BPF_LD": 0x00, "BPF_LDX": 0x01, "BPF_ST": 0x02, "BPF_STX": 0x03,
		"BPF_ALU": 0x04, "BPF_JMP": 0x05, "BPF_RET": 0x06, "BPF_MISC": 0x07,
		"BPF_W": 0x00, "BPF_H": 0x08, "BPF_B": 0x10,
		"BPF_IMM": 0x00, "BPF_ABS": 0x20, "BPF_IND": 0x40, "BPF_MEM": 0x60, "BPF_LEN": 0x80, "BPF_MSH": 0xa0,
		"BPF_ADD": uint32(Add), "BPF_SUB": uint32(Sub), "BPF_MUL": uint32(Mul), "BPF_DIV": uint32(Div),
		"BPF_OR": uint32(Or), "BPF_AND": uint32(And), "BPF_LSH": uint32(Lsh), "BPF_RSH": uint32(Rsh),
		"BPF_NEG": uint32(Neg), "BPF_MOD": uint32(Mod), "BPF_XOR": uint32(Xor),
		"BPF_JA": 0x00, "BPF_JEQ": uint32(Eq), "BPF_JGT": uint32(Gt), "BPF_JGE": uint32(Ge), "BPF_JSET": uint32(Set),
		"BPF_K": 0x00, "BPF_X": 0x08, "BPF_A": 0x10, "BPF_TAX": 0x00, "BPF_TXA": 0x80,
		"SKF_LL_OFF": LLOff, "SKF_NET_OFF": NetOff, "SKF_AD_OFF": AdOff,
	}
	for _, info := range Exts {
		index[info.Macro] = uint32(info.Ext)
	}
	return index
}()

// constants reads a number, or as C does a sum of numbers and names with | or + between them. A number may be negative and
// have C's suffixes. The whole must be at most limit. bad is what the reason is about.
func constants(s string, limit uint32) (v uint32, bad string, reason Reason) {
	if v, reason := number(s, limit); reason != BadNumber {
		return v, s, reason
	}
	operator := byte('+')
	for rest := s; ; {
		word, end := rest, indexEither(rest, '|', '+')
		if end >= 0 {
			word = rest[:end]
		}
		word = trim(word)
		next, reason := term(word)
		if reason != "" {
			return 0, word, reason
		}
		if operator == '|' {
			v |= next
		} else {
			v += next
		}
		if end < 0 {
			break
		}
		operator, rest = rest[end], rest[end+1:]
	}
	if v > limit {
		return 0, s, NumberTooBig
	}
	return v, "", ""
}

// term reads a name, or a number as C writes it.
func term(s string) (uint32, Reason) {
	if s == "" || !isWord(s[0]) || digit(s[0]) <= 9 || s[0] == '-' {
		magnitude, negative := strings.CutPrefix(strings.TrimRight(s, "uUlL"), "-")
		if !negative {
			return number(magnitude, 0xffffffff)
		}
		v, reason := number(trim(magnitude), 1<<31)
		return -v, reason
	}
	v, known := constantsOfC[s]
	if !known {
		return 0, UnknownConstant
	}
	return v, ""
}

// failConstant records what constants found wrong with a field.
func (p *parser) failConstant(at span, r Reason, field int, text string) {
	if r != UnknownConstant {
		p.failNumber(at, r, fields[field].name, text, fields[field].limit)
		return
	}
	hint := suggest(text, slices.Sorted(maps.Keys(constantsOfC)))
	p.failAt(at, r, "%s %s%s", fields[field].name, quote(text), hint)
}
