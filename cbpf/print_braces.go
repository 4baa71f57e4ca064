package cbpf

import "strconv"

// appendCStruct writes rows of C, as tcpdump -dd does.
func appendCStruct(b []byte, p Program) []byte {
	for _, ins := range p {
		b = appendHexNumber(append(b, "{ "...), uint32(ins.Op))
		b = append(b, ", "...)
		b = strconv.AppendUint(b, uint64(ins.Jt), 10)
		b = append(b, ", "...)
		b = strconv.AppendUint(b, uint64(ins.Jf), 10)
		b = append(b, ", 0x"...)
		for width := 28; width > 0 && ins.K>>width == 0; width -= 4 {
			b = append(b, '0')
		}
		b = strconv.AppendUint(b, uint64(ins.K), 16)
		b = append(b, " },\n"...)
	}
	return b
}

// appendGo writes a declaration as gofmt leaves it.
func appendGo(b []byte, p Program) []byte {
	b = append(b, "var filter = []bpf.RawInstruction{\n"...)
	for _, ins := range p {
		b = appendHexNumber(append(b, "\t{Op: "...), uint32(ins.Op))
		b = strconv.AppendUint(append(b, ", Jt: "...), uint64(ins.Jt), 10)
		b = strconv.AppendUint(append(b, ", Jf: "...), uint64(ins.Jf), 10)
		b = appendHexNumber(append(b, ", K: "...), ins.K)
		b = append(b, "},\n"...)
	}
	return append(b, "}\n"...)
}

// appendJSON writes an array, one instruction a line.
func appendJSON(b []byte, p Program) []byte {
	b = append(b, '[')
	for pc, ins := range p {
		if pc > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(append(b, "\n  {\"code\": "...), uint64(ins.Op), 10)
		b = strconv.AppendUint(append(b, ", \"jt\": "...), uint64(ins.Jt), 10)
		b = strconv.AppendUint(append(b, ", \"jf\": "...), uint64(ins.Jf), 10)
		b = strconv.AppendUint(append(b, ", \"k\": "...), uint64(ins.K), 10)
		b = append(b, '}')
	}
	return append(b, "\n]\n"...)
}

func appendHexNumber(b []byte, v uint32) []byte {
	return strconv.AppendUint(append(b, "0x"...), uint64(v), 16)
}
