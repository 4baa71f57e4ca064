package csource_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate/csource"
)

// extension is a program that loads an extension.
func extension(e cbpf.Ext) cbpf.Program {
	return cbpf.Program{{Op: 0x07}, {Op: cbpf.OpLdAbsB, K: cbpf.AdOff + uint32(e)}, {Op: cbpf.OpRetA}}
}

// TestExtensionsByForm is the list of what each form can express.
func TestExtensionsByForm(t *testing.T) {
	skb := []cbpf.Ext{cbpf.ExtNlattr, cbpf.ExtNlattrNest, cbpf.ExtHaType, cbpf.ExtPayOff}
	var xdp, function []cbpf.Ext
	for _, info := range cbpf.Exts {
		switch info.Ext {
		case cbpf.ExtXorX:
		case cbpf.ExtCPU, cbpf.ExtRandom, cbpf.ExtIfIndex:
			function = append(function, info.Ext)
		default:
			function, xdp = append(function, info.Ext), append(xdp, info.Ext)
		}
	}
	for form, refused := range map[csource.Form][]cbpf.Ext{
		csource.Function: function, csource.Packet: nil, csource.Socket: skb, csource.TC: skb, csource.CgroupSkb: skb,
		csource.XDP: xdp, csource.XDPFrags: xdp,
	} {
		var got []cbpf.Ext
		for _, info := range cbpf.Exts {
			_, err := csource.Translate(extension(info.Ext), csource.Options{Form: form})
			if err == nil {
				continue
			}
			got = append(got, info.Ext)
			var lacks *csource.Error
			require.ErrorAs(t, err, &lacks)
			require.Equal(t, 1, lacks.PC)
			require.Equal(t, form, lacks.Form)
			require.NotEmpty(t, lacks.Why)
			require.NotEmpty(t, lacks.Instead)
			require.ErrorContains(t, err, `(001) extension "`+info.Name+`" cannot be had in C for `+form.String()+": ")
		}
		require.Equal(t, refused, got, "%s", form)
	}
}

// Windows are refused where nobody knows what they look at.
func TestWindows(t *testing.T) {
	for k, name := range map[uint32]string{cbpf.LLOff + 3: "LL", cbpf.NetOff + 9: "NET"} {
		for _, op := range []uint16{cbpf.OpLdAbsW, cbpf.OpLdxMSH} {
			p := cbpf.Program{{Op: cbpf.OpLdImm}, {Op: op, K: k}, {Op: cbpf.OpRetA}}
			for _, form := range []csource.Form{csource.Function, csource.XDP, csource.XDPFrags} {
				_, err := csource.Translate(p, csource.Options{Form: form})
				require.EqualError(t, err, "(001) a load through the "+name+" window cannot be had in C for "+form.String()+
					": two pointers do not tell where headers are; say it, with Options.Windows and Options.NetOff")
				text, err := csource.Translate(p, csource.Options{Form: form, Windows: true, NetOff: 20})
				require.NoError(t, err)
				if op == cbpf.OpLdxMSH || form == csource.XDPFrags {
					continue
				}
				require.Contains(t, text, map[string]string{"LL": "cbpf_u32(data + 3)", "NET": "cbpf_u32(data + 29)"}[name])
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	ret := cbpf.Program{{Op: cbpf.OpRetK}}
	for _, c := range []struct {
		program cbpf.Program
		opts    csource.Options
		want    string
	}{
		{cbpf.Program{{Op: 0x34}}, csource.Options{}, string(cbpf.ReasonDivisionByZero)},
		{cbpf.Program{{Op: cbpf.OpLdAbsB}, {Op: cbpf.OpRetA}}, csource.Options{Form: csource.Seccomp}, "(000)"},
		{ret, csource.Options{Name: "2fast"}, `"2fast" cannot be the name of a function in C`},
		{ret, csource.Options{Name: "a b"}, `"a b" cannot be the name`},
		{ret, csource.Options{Name: "ä"}, `"ä" cannot be the name`},
		{ret, csource.Options{Form: csource.TC, Licence: "a\"b"}, `the licence "a\"b" cannot stand in C as it is`},
		{ret, csource.Options{Form: 99}, "unknown form 99; the forms are function, packet, seccomp, socket, tc, cgroup-skb, xdp, xdp-frags"},
	} {
		_, err := csource.Translate(c.program, c.opts)
		require.ErrorContains(t, err, c.want)
	}
	_, err := csource.ParseForm("xpd")
	require.ErrorContains(t, err, `unknown form "xpd"; the forms are function, `)
	for i, name := range csource.FormNames() {
		form, err := csource.ParseForm(name)
		require.NoError(t, err)
		require.Equal(t, csource.Form(i), form)
		require.Equal(t, name, form.String())
	}
}

// statements returns the body of the function for a listing.
func statements(t *testing.T, asm string) string {
	p, err := cbpf.ParseAs(cbpf.Asm, []byte(asm))
	require.NoError(t, err)
	text, err := csource.Translate(p, csource.Options{})
	require.NoError(t, err)
	return text[strings.LastIndex(text, "uint32_t filter("):]
}

// What nobody reads is not computed, but what may end the program is.
func TestDeadCode(t *testing.T) {
	require.Equal(t, `uint32_t filter(const uint8_t *data, const uint8_t *data_end)
{
	uint32_t x;

	/* (000) ldh [12] */
	if (!cbpf_holds(data, data_end, 14))
		return 0;
	/* (001) ldx #0x0 */
	x = 0x0;
	/* (002) mod x */
	if (!x)
		return 0;
	/* (003) add #1 */
	/* (004) st M[3] */
	/* (005) ret #7 */
	return 7;
}
`, statements(t, "ldh [12]\nldx #0\nmod x\nadd #1\nst M[3]\nret #7"))
}

// Comparisons that always end the same are no comparisons, and what only they lead to is not there.
func TestDecidedComparisons(t *testing.T) {
	require.Equal(t, `uint32_t filter(const uint8_t *data, const uint8_t *data_end)
{
	(void)data;
	(void)data_end;

	/* (000) jge #0x0 jt 1 jf 5 */
	/* (001) jgt #0xffffffff jt 5 jf 2 */
	/* (002) jset #0x0 jt 5 jf 3 */
	/* (003) jeq #0x7 jt 4 jf 4 */
	/* (004) ret #-1 */
	return 4294967295u;
}
`, statements(t, "jge #0, l1, l5\nl1: jgt #0xffffffff, l5, l2\nl2: jset #0, l5, l3\nl3: jeq #7, l4, l4\nl4: ret #-1\nl5: ret #5"))
}

// A place is jumped to only where something else stands in front of it.
func TestJumps(t *testing.T) {
	require.Equal(t, `uint32_t filter(const uint8_t *data, const uint8_t *data_end)
{
	uint32_t a;

	/* (000) ld #pktlen */
	a = (uint32_t)(data_end - data);
	/* (001) jset #0x1 jt 2 jf 4 */
	if (!(a & 0x1))
		goto L4;
	/* (002) add #2 */
	a += 2;
	/* (003) ja 5 */
	goto L5;
L4:
	/* (004) lsh #1 */
	a <<= 1;
L5:
	/* (005) xor #0x3 */
	a ^= 0x3;
	/* (006) ret */
	return a;
}
`, statements(t, "ld #len\njset #1, l2, l4\nl2: add #2\nja l5\nl4: lsh #1\nl5: xor #3\nret a"))
}

// Every goto has its label and every label its goto, everything is declared that is used, and the same program makes the
// same text.
func TestRandomProgramsAreInOrder(t *testing.T) {
	label, jump := regexp.MustCompile(`(?m)^(L\d+):$`), regexp.MustCompile(`goto (L\d+);`)
	names := func(re *regexp.Regexp, text string) map[string]bool {
		set := map[string]bool{}
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			set[m[1]] = true
		}
		return set
	}
	labels := 0
	for seed := range uint64(2000) {
		p := difftest.GenProgram(rand.New(rand.NewPCG(seed, 11)), difftest.GenOptions{MaxLen: 200})
		opts := csource.Options{Form: csource.Form(seed % 8)}
		if opts.Form == csource.Seccomp {
			opts.Form = csource.Packet
		}
		text, err := csource.Translate(p, opts)
		require.NoError(t, err)
		again, err := csource.Translate(p, opts)
		require.NoError(t, err)
		require.Equal(t, text, again)
		require.Equal(t, names(label, text), names(jump, text), "%s", text)
		labels += len(names(label, text))
	}
	require.Greater(t, labels, 2000)
}
