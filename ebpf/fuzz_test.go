package ebpf_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	. "github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
)

// samples holds every opcode with all values of a few fields that make a well-formed instruction.
func samples() (p Program) {
	for op := range 256 {
		for _, off := range []int16{0, 1, 8, 16, 32, -300} {
			for _, imm := range []int32{0, 1, 16, 64, -7, 1 << 30, 0xa1, 0xe1, 0xf1, 0x100, 0x110} {
				for _, regs := range [][2]Register{{0, 0}, {1, 2}, {10, 9}, {3, 0}, {0, 4}, {0, 1}} {
					i := Instruction{Op: Opcode(op), Dst: regs[0], Src: regs[1], Off: off, Imm: imm}
					if i.Malformed() != "" {
						continue
					}
					p = append(p, i)
					if i.Op == OpLoadWide {
						p = append(p, Instruction{Imm: imm / 2})
					}
				}
			}
		}
	}
	return p
}

// seeds are programs that reach most of the interpreter.
func seeds(add func(code []byte)) {
	for _, i := range samples() {
		if i.Imm == 16 && i.Dst == R1 {
			add(Encode(Program{i, Return()}, binary.LittleEndian))
		}
	}
	for _, p := range []Program{
		{Mov.Reg(R6, R1), LoadAbs(2, 12), JEq.Imm32(R0, 0x800), Return()},
		{Mov.Imm(R0, 0), Load(4, R5, R1, 0), ToBE(R5, 32), Store(8, R10, -8, R5), Load(2, R0, R10, -6), Return()},
		{Mov.Reg(R3, R10), Add.Imm(R3, -16), Mov.Imm(R4, 8), Mov.Imm(R2, 2), CallHelper(HelperSkbLoadBytes), Return()},
		{{Op: OpLoadWide, Dst: R0, Imm: -1}, {Imm: 1}, Div.Reg(R0, R2), JSLt.Imm(R0, 7), Jump(), Return()},
		probed(HelperProbeReadKernel, 8),
	} {
		add(Encode(p, binary.LittleEndian))
	}
	for _, c := range packetProofs {
		add(Encode(c.p, binary.LittleEndian))
	}
	for seed := range uint64(30) {
		abi := []ABI{TC, CGroupSKB, XDP}[seed%3]
		add(Encode(hookProgram(abi, seed, 6), binary.LittleEndian))
	}
}

// everyABI lists all of them, and a number that is none.
func everyABI() (all []ABI) {
	for abi := User; abi <= Trace+1; abi++ {
		all = append(all, abi)
	}
	return all
}

// fuzzedPacket makes a packet with something of everything.
func fuzzedPacket(data []byte, netOff, linear int, noLink bool) *Packet {
	head := data[:len(data)/3]
	return &Packet{
		Data: slices.Clone(data[len(head):]), WireLen: uint32(len(data)), Linear: linear,
		Head: head, Meta: head, NetOff: netOff, NoLink: noLink,
		Args:   []uint64{uint64(linear), 1 << 63, 3},
		Kernel: []Region{{Addr: uint64(linear), Bytes: data}, {Addr: 1<<63 - 2, Bytes: data}},
	}
}

// Any program ends, in any ABI, with a result or an *Error that names a slot.
func FuzzRun(f *testing.F) {
	seeds(func(code []byte) { f.Add(code, []byte("some packet bytes"), -3, 5, true) })
	f.Fuzz(func(t *testing.T, code, data []byte, netOff, linear int, noLink bool) {
		p, _ := Decode(code[:len(code)/SlotSize*SlotSize], binary.LittleEndian)
		for _, abi := range everyABI() {
			result, err := Run(p, abi, fuzzedPacket(data, netOff, linear, noLink))
			again, err2 := Prepare(p, abi).Run(fuzzedPacket(data, netOff, linear, noLink))
			require.Equal(t, result, again)
			require.Equal(t, err, err2)
			if err == nil {
				continue
			}
			var e *Error
			require.ErrorAs(t, err, &e)
			require.NotEmpty(t, e.Reason)
			require.Less(t, e.PC, max(len(p), 1))
		}
	})
}

// A program that Check accepts has no fault when it runs, but for accesses that are not proved.
func FuzzCheckThenRun(f *testing.F) {
	seeds(func(code []byte) { f.Add(code, []byte("some packet bytes"), 7) })
	f.Fuzz(func(t *testing.T, code, data []byte, linear int) {
		p, _ := Decode(code[:len(code)/SlotSize*SlotSize], binary.LittleEndian)
		for _, abi := range everyABI() {
			pkt := fuzzedPacket(data, 0, linear, false)
			if abi == Seccomp {
				pkt.Data = append(pkt.Data, make([]byte, SeccompSize)...) // it is never shorter
			}
			if facts, err := Check(p, abi); err == nil {
				requireFacts(t, p, abi, facts, pkt)
			}
		}
	})
}

// requireFacts runs a program that Check accepted and holds the run against what Check found.
func requireFacts(t *testing.T, p Program, abi ABI, facts *Facts, pkt *Packet) (faulted bool) {
	t.Helper()
	r0, err := Run(p, abi, pkt)
	if err == nil {
		require.LessOrEqual(t, r0, facts.Result, "%s\n%s", abi, p)
		return false
	}
	var e *Error
	require.ErrorAs(t, err, &e)
	require.False(t, facts.Access[e.PC] == NoMemory || facts.Proved[e.PC], "%s, %d of %d bytes linear: %s\n%s", abi,
		pkt.Linear, len(pkt.Data), err, p)
	return true
}

// The same for programs that read their packet through pointers, which bytes at random hardly make.
func TestPacketFactsHold(t *testing.T) {
	proved, unproved, faults := 0, 0, 0
	for seed := range uint64(6000) {
		abi := []ABI{TC, CGroupSKB, XDP}[seed%3]
		p := hookProgram(abi, seed+1<<32, 3+int(seed%24))
		facts, err := Check(p, abi)
		if err != nil {
			continue
		}
		if _, some := facts.Unproved(); some {
			unproved++
		} else {
			proved++
		}
		for n := 0; n < 60; n += 1 + int(seed%7) {
			data := bytes.Repeat([]byte{0xff, 3, 0, 17}, 40)[seed%4:][:n]
			pkt := fuzzedPacket(data, 3, int(seed/3)%64-1, false)
			pkt.Skb = &SkBuff{Len: uint32(n), Mark: uint32(seed)}
			if requireFacts(t, p, abi, facts, pkt) {
				faults++
			}
		}
	}
	t.Logf("%d programs are proved, %d are not, with %d faults", proved, unproved, faults)
	require.Greater(t, proved, 3000)
	require.Greater(t, faults, 1000)
}

// Two programs that differ in a bit differ in their text.
func FuzzPrint(f *testing.F) {
	seeds(func(code []byte) { f.Add(code, uint16(5)) })
	f.Fuzz(func(t *testing.T, code []byte, bit uint16) {
		code = slices.Clone(code[:min(len(code)/SlotSize, 100)*SlotSize])
		if len(code) == 0 {
			return
		}
		p, err := Decode(code, binary.LittleEndian)
		require.NoError(t, err)
		code[int(bit)/8%len(code)] ^= 1 << (bit % 8)
		q, err := Decode(code, binary.LittleEndian)
		require.NoError(t, err)
		for _, d := range []Dialect{LLVM, Xlated, Mnemonic} {
			require.NotEqual(t, Print(p, d), Print(q, d))
		}
	})
}

// The same for each bit of every kind of instruction.
func TestEveryBitShows(t *testing.T) {
	all := samples()
	for pc := 0; pc < len(all); {
		_, slots := all.Line(pc, LLVM)
		p := all[pc:][:slots]
		for bit := range slots * SlotSize * 8 {
			code := Encode(p, binary.LittleEndian)
			code[bit/8] ^= 1 << (bit % 8)
			q, err := Decode(code, binary.LittleEndian)
			require.NoError(t, err)
			for _, d := range []Dialect{LLVM, Xlated, Mnemonic} {
				a, _ := p.Line(0, d)
				b, _ := q.Line(0, d)
				if a == b && slots == 2 { // both raw: the difference is in the second slot
					a, b = Print(p, d), Print(q, d)
				}
				if a == b {
					t.Fatalf("bit %d of %+v does not show in %q", bit, p, a)
				}
			}
		}
		pc += slots
	}
}

// Text is source: what is printed assembles to the same slots, in every dialect.
func FuzzPrintAssemble(f *testing.F) {
	seeds(func(code []byte) { f.Add(code) })
	f.Fuzz(func(t *testing.T, code []byte) {
		p, err := Decode(code[:len(code)/SlotSize*SlotSize], binary.LittleEndian)
		require.NoError(t, err)
		for _, d := range []Dialect{LLVM, Xlated, Mnemonic} {
			text := Print(p, d)
			q, err := Assemble([]byte(text))
			require.NoError(t, err, "%s", text)
			if !slices.Equal(p, q) {
				t.Fatalf("%s\nbecomes\n%s", text, Print(q, d))
			}
		}
	})
}

// Any text ends in a program that is printed and read back as itself, or in faults that are inside of the text.
func FuzzAssemble(f *testing.F) {
	for _, d := range []Dialect{LLVM, Xlated, Mnemonic} {
		f.Add([]byte(Print(samples()[:2000:2000], d)))
	}
	seeds(func(code []byte) {
		p, _ := Decode(code, binary.LittleEndian)
		for _, d := range []Dialect{LLVM, Xlated, Mnemonic} {
			f.Add([]byte(Print(p, d)))
		}
	})
	f.Add([]byte("a:\nif r0 == 5 goto a # x\n call b /* y\n */ b: exit\n 3: 95 00 00 00 00 00 00 00\texit\n<unknown>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Assemble(text)
		if err != nil {
			var all Errors
			require.ErrorAs(t, err, &all)
			require.LessOrEqual(t, len(all), MaxErrors)
			lines := bytes.Split(text, []byte("\n"))
			for _, e := range all {
				require.NotEmpty(t, e.Reason)
				require.LessOrEqual(t, e.Line, len(lines))
				require.LessOrEqual(t, e.Column, len(lines[e.Line-1])+1)
				require.Greater(t, e.Column, 0)
			}
			require.NotEmpty(t, Caret(text, err))
			return
		}
		q, err := Assemble([]byte(p.String()))
		require.NoError(t, err)
		require.True(t, slices.Equal(p, q))
	})
}

// filter is one like the translation of `tcp dst port 443`.
var filter = Program{
	Mov.Imm32(R0, 0),
	jump(JLt.Imm(R2, 38), 17),
	Load(2, R5, R1, 12),
	ToBE(R5, 16),
	jump(JNe.Imm32(R5, 0x800), 14),
	Load(1, R5, R1, 23),
	jump(JNe.Imm32(R5, 6), 12),
	Load(2, R5, R1, 20),
	ToBE(R5, 16),
	jump(JSet.Imm32(R5, 0x1fff), 9),
	Load(1, R6, R1, 14),
	And.Imm32(R6, 15),
	Lsh.Imm32(R6, 2),
	Add.Reg(R6, R1),
	Load(2, R5, R6, 16),
	ToBE(R5, 16),
	jump(JNe.Imm32(R5, 443), 2),
	Mov.Imm32(R0, 0x40000),
	Return(),
	Return(),
}

// BenchmarkRun runs the filter on a packet that it keeps, judging the instructions as they come and all before.
func BenchmarkRun(b *testing.B) {
	data := make([]byte, 64)
	data[12], data[14], data[23], data[36], data[37] = 8, 0x45, 6, 1, 0xbb
	pkt := &Packet{Data: data, WireLen: 64}
	prepared := Prepare(filter, User)
	for name, run := range map[string]func() (uint64, error){
		"once":     func() (uint64, error) { return Run(filter, User, pkt) },
		"prepared": func() (uint64, error) { return prepared.Run(pkt) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v, err := run(); v != 0x40000 {
					b.Fatal(v, err)
				}
			}
		})
	}
}

// BenchmarkRunHooks runs a program that reads the same packet through pointers, prepared.
func BenchmarkRunHooks(b *testing.B) {
	data := make([]byte, 64)
	data[12], data[14], data[23], data[36], data[37] = 8, 0x45, 6, 1, 0xbb
	for abi, at := range map[ABI][2]int16{TC: {SkbData, SkbDataEnd}, XDP: {XDPData, XDPDataEnd}} {
		p := Program{Load(4, R2, R1, at[0]), Load(4, R3, R1, at[1]), Mov.Imm(R0, 0), Mov.Reg(R4, R2), Add.Imm(R4, 38),
			jump(JGt.Reg(R4, R3), 7), Load(2, R5, R2, 12), ToBE(R5, 16), jump(JNe.Imm32(R5, 0x800), 4), Load(1, R5, R2, 23),
			jump(JNe.Imm32(R5, 6), 2), Load(2, R0, R2, 36), ToBE(R0, 16), Return()}
		prepared, pkt := Prepare(p, abi), &Packet{Data: data}
		b.Run(abi.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v, err := prepared.Run(pkt); v != 443 {
					b.Fatal(v, err)
				}
			}
		})
	}
}

func jump(i Instruction, off int16) Instruction {
	i.Off = off
	return i
}
