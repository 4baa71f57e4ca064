package translate

import (
	"strings"
	"testing"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/stretchr/testify/require"
)

// graphAfter builds the graph of a program for User and runs the first passes that have these names, in this order.
func graphAfter(t *testing.T, program string, names ...string) string {
	p, err := cbpf.ParseAs(cbpf.Asm, []byte(program))
	require.NoError(t, err)
	require.NoError(t, cbpf.Validate(p))
	h := (&user{netOff: 14}).hook()
	h.ahead = NoPC
	g := buildGraph(p, h)
	for _, name := range names {
		i := 0
		for passes[i].name != name {
			i++
		}
		passes[i].run(g)
		g.number()
	}
	return g.String()
}

// TestPasses shows what each pass does: a program, the passes that run, and the graph that is left.
func TestPasses(t *testing.T) {
	tests := []struct {
		name, program string
		passes        []string
		want          string
	}{{
		name:    "build: registers and scratch words are gone, sums become constants behind a base",
		program: "ldxb 4*([14]&0xf)\n txa\n add #14\n st M[3]\n ldx M[3]\n ldb [x + 13]\n ret a",
		want: `b0:
	guard 15
	v1 = load1 [14]
	v3 = v1 & 0xf
	v5 = v3 << 0x2
	v7 = v5 + 0xe
	guard v5+28
	v11 = address of v5
	v12 = load1 v11[27]
	ret v12
`,
	}, {
		name:    "build: a place that differs on two ways becomes a phi, one that nobody reads does not",
		program: "ldb [0]\n jeq #1, one, two\n one: ldx #7\n ld #5\n ja out\n two: ldx #8\n ld #6\n out: or #16\n ret a",
		want: `b0:
	guard 1
	v1 = load1 [0]
	if v1 == 0x1 goto b1 else b2
b1:
	goto b3 v7=0x5
b2:
	goto b3 v7=0x6
b3:
	v9 = v7 | 0x10
	ret v9
`,
	}, {
		name:    "build: sums of multiples of one number are one multiple",
		program: "ldb [0]\n add #3\n tax\n ldb [0]\n lsh #2\n add x\n sub #1\n ret a",
		want: `b0:
	guard 1
	v1 = load1 [0]
	v3 = v1 + 0x3
	guard 1
	v1 = load1 [0]
	v5 = v1 << 0x2
	v7 = v1 * 0x5
	v8 = v7 + 0x3
	v10 = v7 + 0x2
	ret v10
`,
	}, {
		name:    "build: places that hold the same on each way have one phi",
		program: "ldb [0]\n jeq #1, one, two\n one: ld #5\n st M[1]\n st M[2]\n ja out\n two: ld #6\n st M[2]\n st M[1]\n out: ld M[1]\n ldx M[2]\n xor x\n or #16\n ret a",
		want: `b0:
	guard 1
	v1 = load1 [0]
	if v1 == 0x1 goto b1 else b2
b1:
	goto b3 v5=0x5
b2:
	goto b3 v5=0x6
b3:
	ret 0x10
`,
	}, {
		name:    "build: each way to a return of A has an end of its own",
		program: "ldb [0]\n jeq #1, one, two\n one: ld #5\n ja out\n two: ld [4]\n out: ret a",
		want: `b0:
	guard 1
	v1 = load1 [0]
	if v1 == 0x1 goto b1 else b2
b1:
	goto b3
b2:
	guard 8
	v4 = load4 [4]
	goto b4
b3:
	ret 0x5
b4:
	ret v4
`,
	}, {
		name:    "facts: a comparison that is decided on one way only is led past",
		program: "ldb [23]\n jeq #6, out, more\n more: jeq #17, out, drop\n out: jeq #6, tcp, udp\n tcp: ret #1\n udp: ret #2\n drop: ret #0",
		passes:  []string{"facts", "straighten"},
		want: `b0:
	guard 24
	v1 = load1 [23]
	if v1 == 0x6 goto b2 else b1
b1:
	if v1 == 0x11 goto b3 else b4
b2:
	ret 0x1
b3:
	ret 0x2
b4:
	ret 0x0
`,
	}, {
		name:    "facts: ranges decide too, and masks are looked through",
		program: "ldb [0]\n jgt #9, high, low\n high: jge #10, yes, no\n low: and #0x10\n jeq #0, no, yes\n yes: ret #1\n no: ret #0",
		passes:  []string{"facts", "straighten"},
		want: `b0:
	guard 1
	v1 = load1 [0]
	if v1 > 0x9 goto b2 else b1
b1:
	v5 = v1 & 0x10
	ret 0x0
b2:
	ret 0x1
`,
	}, {
		name:    "guard: one asks for what every path reads that does not end in 0",
		program: "ldh [12]\n jeq #0x800, ip, drop\n ip: ldb [23]\n jeq #6, yes, drop\n yes: ret #1\n drop: ret #0",
		passes:  []string{"guard"},
		want: `b0:
	guard 24
	v1 = load2 [12]
	if v1 == 0x800 goto b1 else b3
b1:
	v3 = load1 [23]
	if v3 == 0x6 goto b2 else b3
b2:
	ret 0x1
b3:
	ret 0x0
`,
	}, {
		name:    "guard: not for a path that ends in a match without reading",
		program: "ldh [12]\n jeq #0x800, ip, yes\n ip: ldb [23]\n jeq #6, yes, drop\n yes: ret #1\n drop: ret #0",
		passes:  []string{"guard"},
		want: `b0:
	guard 14
	v1 = load2 [12]
	if v1 == 0x800 goto b1 else b2
b1:
	guard 24
	v3 = load1 [23]
	if v3 == 0x6 goto b2 else b3
b2:
	ret 0x1
b3:
	ret 0x0
`,
	}, {
		name:    "guard: what ends in 0 in any case ends there",
		program: "ldb [0]\n jeq #1, a, b\n a: ldb [1]\n ret #0\n b: ret #0",
		passes:  []string{"guard", "straighten", "dead"},
		want:    "b0:\n\tret 0x0\n",
	}, {
		name:    "returns: one end for each verdict, 0 the last",
		program: "ldb [0]\n jeq #1, a, b\n a: ret #0\n b: jeq #2, c, d\n c: ret #7\n d: jeq #3, e, f\n e: ret #7\n f: ret #0",
		passes:  []string{"returns"},
		want: `b0:
	guard 1
	v1 = load1 [0]
	if v1 == 0x1 goto b4 else b1
b1:
	if v1 == 0x2 goto b3 else b2
b2:
	if v1 == 0x3 goto b3 else b4
b3:
	ret 0x7
b4:
	ret 0x0
`,
	}, {
		name:    "tree: numbers in a row are a range, others are searched",
		program: "ldb [0]\n jeq #1, y\n jeq #2, y\n jeq #3, y\n jeq #10, y\n jeq #20, y\n jeq #30, y\n ret #0\n y: ret #1",
		passes:  []string{"tree"},
		want: `b0:
	guard 1
	v1 = load1 [0]
	if v1 > 0xa goto b5 else b1
b1:
	if v1 < 0x1 goto b7 else b2
b2:
	if v1 <= 0x3 goto b8 else b3
b3:
	if v1 < 0xa goto b7 else b4
b4:
	goto b8
b5:
	if v1 == 0x14 goto b8 else b6
b6:
	if v1 == 0x1e goto b8 else b7
b7:
	ret 0x0
b8:
	ret 0x1
`,
	}, {
		name:    "reuse: what is there on all ways is not loaded again",
		program: "ldh [12]\n jeq #1, a, b\n a: ldh [12]\n ret a\n b: ldb [20]\n ldh [12]\n ret a",
		passes:  []string{"reuse", "dead"},
		want: `b0:
	guard 14
	v1 = load2 [12]
	if v1 == 0x1 goto b1 else b2
b1:
	guard 14
	ret v1
b2:
	guard 21
	guard 14
	ret v1
`,
	}, {
		name:    "dead: what nothing reads is gone, what decides the verdict stays",
		program: "ldb [0]\n ldx #3\n ldb [1]\n div x\n st M[0]\n ret #5",
		passes:  []string{"dead"},
		want:    "b0:\n\tguard 1\n\tguard 2\n\tret 0x5\n",
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, graphAfter(t, tt.program, tt.passes...))
		})
	}
	t.Run("every pass has a case", func(t *testing.T) {
		for _, p := range passes {
			found := false
			for _, tt := range tests {
				found = found || strings.HasPrefix(tt.name, p.name+":")
			}
			require.True(t, found || p.name == "straighten", p.name)
		}
	})
}
