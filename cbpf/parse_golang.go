package cbpf

import (
	"reflect"
	"strings"

	"golang.org/x/net/bpf"
)

// A literal []bpf.Instruction has elements of the types of golang.org/x/net/bpf:
//
//	bpf.LoadAbsolute{Off: 12, Size: 2},
//	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x800, SkipFalse: 1},
//
// They are read as Go would: into a value of the type, which x/net then assembles.

// xnetLiteral is a type of x/net's that an element can have.
type xnetLiteral struct{ typ reflect.Type }

var xnetLiterals = func() map[string]*xnetLiteral {
	index := map[string]*xnetLiteral{}
	for _, ins := range []bpf.Instruction{bpf.LoadConstant{}, bpf.LoadScratch{}, bpf.LoadAbsolute{}, bpf.LoadIndirect{},
		bpf.LoadMemShift{}, bpf.LoadExtension{}, bpf.StoreScratch{}, bpf.ALUOpConstant{}, bpf.ALUOpX{}, bpf.NegateA{},
		bpf.Jump{}, bpf.JumpIf{}, bpf.JumpIfX{}, bpf.RetA{}, bpf.RetConstant{}, bpf.TXA{}, bpf.TAX{}} {
		t := reflect.TypeOf(ins)
		index[t.Name()] = &xnetLiteral{t}
	}
	return index
}()

// xnetConstants are the constants of x/net that the fields of those types take.
var xnetConstants = map[string]uint32{
	"RegA": uint32(bpf.RegA), "RegX": uint32(bpf.RegX),

	"ALUOpAdd": uint32(bpf.ALUOpAdd), "ALUOpSub": uint32(bpf.ALUOpSub), "ALUOpMul": uint32(bpf.ALUOpMul),
	"ALUOpDiv": uint32(bpf.ALUOpDiv), "ALUOpOr": uint32(bpf.ALUOpOr), "ALUOpAnd": uint32(bpf.ALUOpAnd),
	"ALUOpShiftLeft": uint32(bpf.ALUOpShiftLeft), "ALUOpShiftRight": uint32(bpf.ALUOpShiftRight),
	"ALUOpMod": uint32(bpf.ALUOpMod), "ALUOpXor": uint32(bpf.ALUOpXor),

	"JumpEqual": uint32(bpf.JumpEqual), "JumpNotEqual": uint32(bpf.JumpNotEqual), "JumpGreaterThan": uint32(bpf.JumpGreaterThan),
	"JumpLessThan": uint32(bpf.JumpLessThan), "JumpGreaterOrEqual": uint32(bpf.JumpGreaterOrEqual),
	"JumpLessOrEqual": uint32(bpf.JumpLessOrEqual), "JumpBitsSet": uint32(bpf.JumpBitsSet),
	"JumpBitsNotSet": uint32(bpf.JumpBitsNotSet),

	"ExtLen": uint32(bpf.ExtLen), "ExtProto": uint32(bpf.ExtProto), "ExtType": uint32(bpf.ExtType),
	"ExtPayloadOffset": uint32(bpf.ExtPayloadOffset), "ExtInterfaceIndex": uint32(bpf.ExtInterfaceIndex),
	"ExtNetlinkAttr": uint32(bpf.ExtNetlinkAttr), "ExtNetlinkAttrNested": uint32(bpf.ExtNetlinkAttrNested),
	"ExtMark": uint32(bpf.ExtMark), "ExtQueue": uint32(bpf.ExtQueue), "ExtLinkLayerType": uint32(bpf.ExtLinkLayerType),
	"ExtRXHash": uint32(bpf.ExtRXHash), "ExtCPUID": uint32(bpf.ExtCPUID), "ExtVLANTag": uint32(bpf.ExtVLANTag),
	"ExtVLANTagPresent": uint32(bpf.ExtVLANTagPresent), "ExtVLANProto": uint32(bpf.ExtVLANProto),
	"ExtRand": uint32(bpf.ExtRand),
}

// cutXNetLiteral returns the type of the element that a text begins with, nil if it is none, and what follows the bracket.
func cutXNetLiteral(s string) (literal *xnetLiteral, rest string) {
	name, rest := cutTypeName(s)
	literal = xnetLiterals[name]
	if literal == nil || !strings.HasPrefix(rest, "{") {
		return nil, ""
	}
	return literal, rest[1:]
}

// xnetLiteral reads the fields of a literal, named or in order.
func (p *parser) xnetLiteral(text string, literal *xnetLiteral) (ins bpf.RawInstruction) {
	value := reflect.New(literal.typ).Elem()
	var read []string
	for rest := text; rest != ""; {
		var part string
		part, rest = cutArgument(rest)
		if read = append(read, part); len(read) > literal.typ.NumField() {
			p.fail(ReasonBadRow, "%s has %d fields, and %s has %d", quote(text), len(read), literal.typ, literal.typ.NumField())
			return ins
		}
		field, number := p.xnetField(value, part, len(read)-1)
		if !field.IsValid() {
			p.failAt(p.within(read...), ReasonBadRow, "%s is no field of %s", quote(part), literal.typ)
			return ins
		}
		if !p.xnetSet(field, number, append(read[:len(read)-1:len(read)-1], number)) {
			return ins
		}
	}
	ins, err := value.Interface().(bpf.Instruction).Assemble()
	if err != nil {
		p.fail(ReasonNotAssembled, "%v", err)
	}
	return ins
}

// xnetField returns the field that a part of a literal is about, and the text of its value. The field is not valid if there is
// none.
func (p *parser) xnetField(value reflect.Value, part string, index int) (field reflect.Value, text string) {
	if name, number := cutFieldName(part); name != "" {
		return value.FieldByName(name), number
	}
	if index < value.NumField() {
		return value.Field(index), part
	}
	return reflect.Value{}, part
}

// xnetSet puts the number that a text stands for into a field. If it returns false, the fault is recorded.
func (p *parser) xnetSet(field reflect.Value, text string, words []string) bool {
	v, known := xnetConstants[text[strings.LastIndexByte(text, '.')+1:]]
	if !known {
		var bad string
		var reason Reason
		if v, bad, reason = constants(text, 0xffffffff); reason != "" {
			p.failConstant(p.within(append(words[:len(words)-1:len(words)-1], bad)...), reason, 3, bad)
			return false
		}
	}
	switch {
	case field.CanInt() && !field.OverflowInt(int64(v)):
		field.SetInt(int64(v))
	case field.CanUint() && !field.OverflowUint(uint64(v)):
		field.SetUint(uint64(v))
	default:
		p.failAt(p.within(words...), ReasonNumberTooBig, "%s for a field of type %s", quote(text), field.Type())
		return false
	}
	return true
}
