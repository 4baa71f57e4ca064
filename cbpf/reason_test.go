package cbpf_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
)

// TestEveryReasonIsTested reads the constants from the source, so that a new one without a case fails here.
func TestEveryReasonIsTested(t *testing.T) {
	tested := map[cbpf.Reason]bool{
		cbpf.ReasonTextTooLong:     true, // TestTextTooLong
		cbpf.ReasonTooManyInsns:    true, // TestTooManyInsns
		cbpf.ReasonUnknownNotation: true, // TestNotationByName
	}
	for _, tc := range badTexts {
		for _, r := range tc.reasons {
			tested[r] = true
		}
	}
	for _, tc := range badPrograms {
		for _, r := range tc.reasons {
			tested[r] = true
		}
	}
	for _, file := range []string{"parse.go", "validate.go"} {
		for name, reason := range reasonsIn(t, file) {
			require.True(t, tested[reason], "%s in %s has no test", name, file)
		}
	}
}

// reasonsIn returns the constants of type Reason that a source file declares.
func reasonsIn(t *testing.T, file string) map[string]cbpf.Reason {
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	found := make(map[string]cbpf.Reason)
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Reason" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			found[spec.Names[0].Name] = cbpf.Reason(text)
		}
		return true
	})
	require.NotEmpty(t, found)
	return found
}

// reasonsOf lists the reasons of all faults that an error holds, in their order.
func reasonsOf(err error) []cbpf.Reason {
	var many cbpf.Errors
	var one *cbpf.Error
	switch {
	case errors.As(err, &many):
	case errors.As(err, &one):
		many = cbpf.Errors{one}
	}
	var list []cbpf.Reason
	for _, e := range many {
		list = append(list, e.Reason)
	}
	return list
}
