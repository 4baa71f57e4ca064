package cbpf_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// FuzzParse feeds any text to every parser.
func FuzzParse(f *testing.F) { fuzzParsers(f, append(cbpf.Notations(), cbpf.Auto)...) }

// The parsers one by one, so that each gets texts of its own.
func FuzzParseListing(f *testing.F) { fuzzParsers(f, cbpf.Listing) }
func FuzzParseNumbers(f *testing.F) { fuzzParsers(f, cbpf.Decimal, cbpf.XTBPF) }
func FuzzParseAsm(f *testing.F)     { fuzzParsers(f, cbpf.Asm) }
func FuzzParseDbg(f *testing.F)     { fuzzParsers(f, cbpf.Dbg) }
func FuzzParseXNet(f *testing.F)    { fuzzParsers(f, cbpf.XNet) }
func FuzzParseBraces(f *testing.F)  { fuzzParsers(f, cbpf.CStruct, cbpf.Go, cbpf.JSON) }
func FuzzParseImage(f *testing.F)   { fuzzParsers(f, cbpf.Raw, cbpf.RawBE, cbpf.Hex, cbpf.Dump) }

// fuzzParsers reads any text in some notations. What is read must survive printing, and each fault must have a place that
// an excerpt can show.
func fuzzParsers(f *testing.F, notations ...cbpf.Notation) {
	for _, tc := range goodTexts {
		f.Add([]byte(tc.text))
	}
	for _, tc := range badTexts {
		f.Add([]byte(tc.text))
	}
	for _, tc := range pastedTexts {
		f.Add([]byte(tc.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, n := range notations {
			source, err := cbpf.ParseSource(n, text)
			if err == nil {
				requireRoundTrip(t, source.Program)
				requireLines(t, source)
				continue
			}
			require.Nil(t, source)
			require.NotEmpty(t, reasonsOf(err))
			require.LessOrEqual(t, len(reasonsOf(err)), 20)
			var all cbpf.Errors
			if errors.As(err, &all) {
				requirePlaces(t, all)
			}
		}
	})
}

// requireLines fails unless each instruction stands on a line, and none on an earlier line than the one in front of it.
func requireLines(t *testing.T, s *cbpf.Source) {
	if s.Notation == cbpf.Raw || s.Notation == cbpf.RawBE {
		return
	}
	last := 1
	for pc := range s.Program {
		require.GreaterOrEqual(t, s.Line(pc), last)
		last = s.Line(pc)
	}
}

func requirePlaces(t *testing.T, all cbpf.Errors) {
	last := 0
	for _, e := range all {
		require.GreaterOrEqual(t, e.Line, last)
		last = e.Line
		if e.Line > 0 {
			require.NotEmpty(t, e.Excerpt())
			require.LessOrEqual(t, e.Column+e.Width, len(e.Text)+1)
		}
	}
	require.Less(t, len(all.Excerpt()), 20000)
}

// FuzzPrintRoundTrip prints any instructions whatever in every notation.
func FuzzPrintRoundTrip(f *testing.F) {
	addPrograms(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p := decode(raw); len(p) > 0 {
			requireRoundTrip(t, p)
		}
	})
}

// FuzzValidate judges any instructions whatever.
func FuzzValidate(f *testing.F) {
	addPrograms(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := decode(raw)
		err := cbpf.Validate(p)
		last := -1
		for _, e := range asErrors(t, err) {
			require.GreaterOrEqual(t, e.PC, last)
			require.Less(t, e.PC, len(p))
			last = e.PC
		}
		require.LessOrEqual(t, len(reasonsOf(err)), 100)
	})
}

func asErrors(t *testing.T, err error) cbpf.Errors {
	if err == nil {
		return nil
	}
	var all cbpf.Errors
	require.ErrorAs(t, err, &all)
	require.NotEmpty(t, all)
	return all
}

// addPrograms seeds a fuzz target with the tables of this package.
func addPrograms(f *testing.F) {
	for _, tc := range goodTexts {
		f.Add(encode(tc.want))
	}
	for _, tc := range badPrograms {
		f.Add(encode(tc.prog))
	}
	for _, tc := range goodPrograms {
		f.Add(encode(tc.prog))
	}
}

// encode lays instructions out as struct sock_filter, eight bytes each, little-endian.
func encode(p cbpf.Program) []byte {
	var raw []byte
	for _, ins := range p {
		raw = binary.LittleEndian.AppendUint16(raw, ins.Op)
		raw = append(raw, ins.Jt, ins.Jf)
		raw = binary.LittleEndian.AppendUint32(raw, ins.K)
	}
	return raw
}

// decode is the inverse of encode. It drops a rest of less than eight bytes.
func decode(raw []byte) cbpf.Program {
	var p cbpf.Program
	for ; len(raw) >= 8; raw = raw[8:] {
		p = append(p, bpf.RawInstruction{
			Op: binary.LittleEndian.Uint16(raw),
			Jt: raw[2],
			Jf: raw[3],
			K:  binary.LittleEndian.Uint32(raw[4:]),
		})
	}
	return p
}
