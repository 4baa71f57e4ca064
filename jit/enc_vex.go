package jit

// The instructions of AVX-512 that the vector body needs: with the prefix EVEX on vector registers, with VEX on mask
// registers (Intel SDM volume 2, sections 2.3 and 2.7).

// zreg is one of the 32 vector registers, kreg one of the eight mask registers. As a write mask, k0 stands for all lanes.
type (
	zreg uint8
	kreg uint8
)

// vop is the encoding of one vector instruction.
type vop struct {
	name   string
	prefix byte // pp: 0, 1 for 66, 2 for F3
	page   byte // mmm: 1 for 0F, 2 for 0F38, 3 for 0F3A
	wide   bool // W: elements of 64 bits
	code   byte
	ext    byte // opcode extension, where the destination is the source operand ("/n" and NDD in the manual)
	length byte // LL: 0, 1, 2 for 128, 256, 512 bits
	unit   int32
	imm    bool // an immediate byte follows
}

// The lengths of vectors.
const (
	vl128 = 0
	vl256 = 1
	vl512 = 2
)

// Instructions on 16 numbers of 32 bits. unit is the size of the operand in memory: short displacements count in it.
var (
	vpaddd   = vop{name: "vpaddd", prefix: 1, page: 1, code: 0xfe, length: vl512, unit: 64}
	vpsubd   = vop{name: "vpsubd", prefix: 1, page: 1, code: 0xfa, length: vl512, unit: 64}
	vpmulld  = vop{name: "vpmulld", prefix: 1, page: 2, code: 0x40, length: vl512, unit: 64}
	vpandd   = vop{name: "vpandd", prefix: 1, page: 1, code: 0xdb, length: vl512, unit: 64}
	vpord    = vop{name: "vpord", prefix: 1, page: 1, code: 0xeb, length: vl512, unit: 64}
	vpxord   = vop{name: "vpxord", prefix: 1, page: 1, code: 0xef, length: vl512, unit: 64}
	vpminud  = vop{name: "vpminud", prefix: 1, page: 2, code: 0x3b, length: vl512, unit: 64}
	vpsllvd  = vop{name: "vpsllvd", prefix: 1, page: 2, code: 0x47, length: vl512, unit: 64}
	vpsrlvd  = vop{name: "vpsrlvd", prefix: 1, page: 2, code: 0x45, length: vl512, unit: 64}
	vpsravd  = vop{name: "vpsravd", prefix: 1, page: 2, code: 0x46, length: vl512, unit: 64}
	vpslld   = vop{name: "vpslld", prefix: 1, page: 1, code: 0x72, ext: 6, length: vl512, unit: 64, imm: true}
	vpsrld   = vop{name: "vpsrld", prefix: 1, page: 1, code: 0x72, ext: 2, length: vl512, unit: 64, imm: true}
	vpsrad   = vop{name: "vpsrad", prefix: 1, page: 1, code: 0x72, ext: 4, length: vl512, unit: 64, imm: true}
	vpshufb  = vop{name: "vpshufb", prefix: 1, page: 2, code: 0x00, length: vl512, unit: 64}
	vpermd   = vop{name: "vpermd", prefix: 1, page: 2, code: 0x36, length: vl512, unit: 64}   // source: the index
	vpermi2d = vop{name: "vpermi2d", prefix: 1, page: 2, code: 0x76, length: vl512, unit: 64} // destination: the index
	vpermt2d = vop{name: "vpermt2d", prefix: 1, page: 2, code: 0x7e, length: vl512, unit: 64} // source: the index
	vpcmpd   = vop{name: "vpcmpd", prefix: 1, page: 3, code: 0x1f, length: vl512, unit: 64, imm: true}
	vpcmpud  = vop{name: "vpcmpud", prefix: 1, page: 3, code: 0x1e, length: vl512, unit: 64, imm: true}
	vptestmd = vop{name: "vptestmd", prefix: 1, page: 2, code: 0x27, length: vl512, unit: 64}
	vptestnm = vop{name: "vptestnmd", prefix: 2, page: 2, code: 0x27, length: vl512, unit: 64}

	vmovdqa32    = vop{name: "vmovdqa32", prefix: 1, page: 1, code: 0x6f, length: vl512, unit: 64}
	vmovdqu32    = vop{name: "vmovdqu32", prefix: 2, page: 1, code: 0x6f, length: vl512, unit: 64}
	vmovdqu32To  = vop{name: "vmovdqu32", prefix: 2, page: 1, code: 0x7f, length: vl512, unit: 64} // to memory
	vpbroadcastd = vop{name: "vpbroadcastd", prefix: 1, page: 2, code: 0x58, length: vl512, unit: 4}
	vpgatherdd   = vop{name: "vpgatherdd", prefix: 1, page: 2, code: 0x90, length: vl512, unit: 4}

	vmovdqu128   = vop{name: "vmovdqu32", prefix: 2, page: 1, code: 0x6f, length: vl128, unit: 16}
	vinserti32x4 = vop{name: "vinserti32x4", prefix: 1, page: 3, code: 0x38, length: vl512, unit: 16, imm: true}
	vinserti32y4 = vop{name: "vinserti32x4", prefix: 1, page: 3, code: 0x38, length: vl256, unit: 16, imm: true}
	vpunpckldq   = vop{name: "vpunpckldq", prefix: 1, page: 1, code: 0x62, length: vl512, unit: 64}
	vpunpckhdq   = vop{name: "vpunpckhdq", prefix: 1, page: 1, code: 0x6a, length: vl512, unit: 64}
	vpunpcklqdq  = vop{name: "vpunpcklqdq", prefix: 1, page: 1, wide: true, code: 0x6c, length: vl512, unit: 64}
	vpunpckhqdq  = vop{name: "vpunpckhqdq", prefix: 1, page: 1, wide: true, code: 0x6d, length: vl512, unit: 64}

	// Single numbers: into a vector from memory, and two at once out of one.
	vmovd         = vop{name: "vmovd", prefix: 1, page: 1, code: 0x6e, length: vl128, unit: 4}
	vpinsrd       = vop{name: "vpinsrd", prefix: 1, page: 3, code: 0x22, length: vl128, unit: 4, imm: true}
	vmovqTo       = vop{name: "vmovq", prefix: 1, page: 1, wide: true, code: 0x7e, length: vl128, unit: 8}
	vpextrq       = vop{name: "vpextrq", prefix: 1, page: 3, wide: true, code: 0x16, length: vl128, unit: 8, imm: true}
	vextracti32x4 = vop{name: "vextracti32x4", prefix: 1, page: 3, code: 0x39, length: vl512, unit: 16, imm: true}

	// For division, eight numbers at a time.
	vextracti64x4 = vop{name: "vextracti64x4", prefix: 1, page: 3, wide: true, code: 0x3b, length: vl512, unit: 32, imm: true}
	vinserti64x4  = vop{name: "vinserti64x4", prefix: 1, page: 3, wide: true, code: 0x3a, length: vl512, unit: 32, imm: true}
	vcvtudq2pd    = vop{name: "vcvtudq2pd", prefix: 2, page: 1, code: 0x7a, length: vl512, unit: 32}
	vcvttpd2udq   = vop{name: "vcvttpd2udq", prefix: 0, page: 1, wide: true, code: 0x78, length: vl512, unit: 64}
	vdivpd        = vop{name: "vdivpd", prefix: 1, page: 1, wide: true, code: 0x5e, length: vl512, unit: 64}
)

// vrm is the r/m side of a vector instruction: a register, or memory at base+index+disp.
type vrm struct {
	z       zreg
	mem     bool
	base    reg
	index   uint8 // a register, or a zreg for gathers
	indexed bool
	lanes   bool // the index is a vector
	scale   byte // the index counts in units of 1<<scale bytes
	bcast   bool // one number for all lanes
	disp    int32
}

func vreg(z zreg) vrm                { return vrm{z: z} }
func vat(base reg, disp int32) vrm   { return vrm{mem: true, base: base, disp: disp} }
func veach(base reg, disp int32) vrm { return vrm{mem: true, base: base, disp: disp, bcast: true} }

// plusReg adds an index register to the address, plusLanes one index a lane, in units of 1<<scale bytes.
func (x vrm) plusReg(r reg) vrm {
	x.index, x.indexed = uint8(r), true
	return x
}

func (x vrm) plusLanes(z zreg, scale byte) vrm {
	x.index, x.indexed, x.lanes, x.scale = uint8(z), true, true, scale
	return x
}

// evex is one vector instruction with its operands. Which of them the instruction has, its row says.
type evex struct {
	op   *vop
	dst  uint8 // zreg or kreg
	src  zreg  // the first source
	rm   vrm   // the other source
	mask kreg
	zero bool // lanes outside of the mask become zero; otherwise they stay
	imm  byte
}

// evex encodes a vector instruction.
func (a *asm) evex(e evex) {
	o, r, v, x := e.op, e.dst, uint8(e.src), e.rm
	if o.ext != 0 {
		r, v = o.ext, e.dst
	}
	lowB, highX, v4 := uint8(x.z)>>3, uint8(x.z)>>4, v>>4
	if x.mem {
		lowB, highX = uint8(x.base)>>3, x.index>>3
		if x.lanes {
			v4 = x.index >> 4
		}
	}
	not := func(bit, at uint8) byte { return (^bit & 1) << at }
	b2 := func(on bool, at uint8) byte {
		if on {
			return 1 << at
		}
		return 0
	}
	a.bytes(0x62,
		not(r>>3, 7)|not(highX, 6)|not(lowB, 5)|not(r>>4, 4)|o.page,
		b2(o.wide, 7)|(^v&15)<<3|4|o.prefix,
		b2(e.zero, 7)|o.length<<5|b2(x.bcast, 4)|not(v4, 3)|byte(e.mask),
		o.code)
	a.vectorRM(r&7, x, o.unit)
	if o.imm {
		a.bytes(e.imm)
	}
}

// vectorRM encodes the operand. A displacement that is a multiple of the operand's size in memory may be short.
func (a *asm) vectorRM(r byte, x vrm, unit int32) {
	if !x.mem {
		a.bytes(0xc0 | r<<3 | byte(x.z&7))
		return
	}
	if x.bcast {
		unit = 4
	}
	low, short := byte(x.base&7), x.disp%unit == 0 && fits8(x.disp/unit)
	mod := byte(0x80)
	switch {
	case x.disp == 0 && low != byte(rbp):
		mod = 0
	case short:
		mod = 0x40
	}
	if x.indexed || low == byte(rsp) {
		index := byte(rsp)
		if x.indexed {
			index = x.index & 7
		}
		a.bytes(mod|r<<3|byte(rsp), x.scale<<6|index<<3|low)
	} else {
		a.bytes(mod | r<<3 | low)
	}
	switch mod {
	case 0x40:
		a.bytes(byte(x.disp / unit))
	case 0x80:
		a.imm32(x.disp)
	}
}

// kop is an operation on two masks of 16 lanes.
type kop byte

const (
	kand    kop = 0x41
	kandNot kop = 0x42 // not the first, and the second
	kor     kop = 0x45
	kxnor   kop = 0x46
	kxor    kop = 0x47
)

func (a *asm) mask(op kop, dst, x, y kreg) {
	a.bytes(0xc5, 0x84|(^byte(x)&15)<<3, byte(op), 0xc0|byte(dst)<<3|byte(y))
}

func (a *asm) maskNot(dst, x kreg)  { a.bytes(0xc5, 0xf8, 0x44, 0xc0|byte(dst)<<3|byte(x)) }
func (a *asm) maskMove(dst, x kreg) { a.bytes(0xc5, 0xf8, 0x90, 0xc0|byte(dst)<<3|byte(x)) }

// maskTest compares the lanes of both masks together: ZF if none is set, CF if all are.
func (a *asm) maskTest(x, y kreg) { a.bytes(0xc5, 0xf8, 0x98, 0xc0|byte(x)<<3|byte(y)) }

// maskLoad and maskStore move a mask from and to 16 bits of the frame.
func (a *asm) maskLoad(dst kreg, disp int32) {
	a.bytes(0xc5, 0xf8, 0x90)
	a.modRM(byte(dst), at(rsp, disp))
}

func (a *asm) maskStore(disp int32, x kreg) {
	a.bytes(0xc5, 0xf8, 0x91)
	a.modRM(byte(x), at(rsp, disp))
}

// vzeroupper leaves the upper halves of the vector registers as code without AVX wants them.
func (a *asm) vzeroupper() { a.bytes(0xc5, 0xf8, 0x77) }

// prefetch asks for the cache line at base+index+disp, into the second cache. It never faults.
func (a *asm) prefetch(base, index reg, disp int32) {
	const scale1, disp32 = 0, 0x80
	a.bytes(0x40|byte(index>>3)<<1|byte(base>>3), 0x0f, 0x18, disp32|2<<3|byte(rsp), scale1|byte(index&7)<<3|byte(base&7))
	a.imm32(disp)
}
