package ebpf

// The operators of arithmetic and comparisons, by how they are written.
var (
	aluBySign = func() map[string]ALUOp {
		m := map[string]ALUOp{}
		for _, r := range aluRows {
			m[r.sign] = r.op
		}
		return m
	}()
	jumpBySign = func() map[string]JumpOp {
		m := map[string]JumpOp{}
		for _, r := range jumpRows {
			m[r.sign] = r.op
		}
		return m
	}()
)

// operator reads an operator; it ends where its last character can be no part of one, so that `r1=-1` is read too.
func (a *assembler) operator() (sign []byte, at int) {
	a.peek()
	at = a.pos
	if a.pos < a.end && a.text[a.pos] == 's' {
		a.pos++
	}
	for a.pos < a.end {
		c := a.text[a.pos]
		if c == '=' {
			if a.pos++; a.pos < a.end && a.text[a.pos] == '=' {
				a.pos++
			}
			break
		}
		if !isOperator(c) || c == '-' && a.pos > at {
			break
		}
		a.pos++
	}
	return a.text[at:a.pos], at
}

// isOperator reports whether operators are made of the character, = apart.
func isOperator(c byte) bool {
	switch c {
	case '+', '-', '*', '/', '|', '&', '<', '>', '%', '^', '!':
		return true
	}
	return false
}

// noOperator is the fault of an operator that does not exist.
func (a *assembler) noOperator(at int, sign []byte, what string) {
	a.pos = at
	if len(sign) == 0 {
		a.expected("an operator of " + what)
		return
	}
	a.fail(ReasonSyntax, at, "no operator of "+what+" is "+quoted(string(sign))+nearOperator(string(sign), what))
}

// nearOperator is didYouMean for the operators of arithmetic or of comparisons.
func nearOperator(sign, what string) string {
	var names []string
	if what == aluOperators {
		names = []string{"s/=", "s%="}
		for _, r := range aluRows {
			names = append(names, r.sign)
		}
	} else {
		for _, r := range jumpRows {
			names = append(names, r.sign)
		}
	}
	return didYouMean(sign, names)
}

// What the operators are of, in messages.
const (
	aluOperators  = "arithmetic"
	jumpOperators = "a comparison"
)
