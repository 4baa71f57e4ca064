package jit

// The instructions of AVX2 on 8 numbers of 32 bits, with the prefix VEX (Intel SDM volume 2, section 2.3). Those that
// AVX-512 has, too, are encoded from the same rows: opcode, page and prefix are the same.

var (
	vpcmpeqd     = vop{name: "vpcmpeqd", prefix: 1, page: 1, code: 0x76, length: vl256, unit: 32}
	vpcmpgtd     = vop{name: "vpcmpgtd", prefix: 1, page: 1, code: 0x66, length: vl256, unit: 32}
	vpand        = vop{name: "vpand", prefix: 1, page: 1, code: 0xdb, length: vl256, unit: 32}
	vpandn       = vop{name: "vpandn", prefix: 1, page: 1, code: 0xdf, length: vl256, unit: 32} // not the first, and the second
	vpor         = vop{name: "vpor", prefix: 1, page: 1, code: 0xeb, length: vl256, unit: 32}
	vpxor        = vop{name: "vpxor", prefix: 1, page: 1, code: 0xef, length: vl256, unit: 32}
	vpblendd     = vop{name: "vpblendd", prefix: 1, page: 3, code: 0x02, length: vl256, unit: 32, imm: true}
	vpblendvb    = vop{name: "vpblendvb", prefix: 1, page: 3, code: 0x4c, length: vl256, unit: 32, imm: true} // imm: the mask's number, times 16
	vptest       = vop{name: "vptest", prefix: 1, page: 2, code: 0x17, length: vl256, unit: 32}
	vmovdqu      = vop{name: "vmovdqu", prefix: 2, page: 1, code: 0x6f, length: vl256, unit: 32}
	vextracti128 = vop{name: "vextracti128", prefix: 1, page: 3, code: 0x39, length: vl256, unit: 16, imm: true}
	vcvtdq2pd    = vop{name: "vcvtdq2pd", prefix: 2, page: 1, code: 0xe6, length: vl256, unit: 16}
	vcvttpd2dq   = vop{name: "vcvttpd2dq", prefix: 1, page: 1, code: 0xe6, length: vl256, unit: 32}
	vaddpd       = vop{name: "vaddpd", prefix: 1, page: 1, code: 0x58, length: vl256, unit: 32}
	vsubpd       = vop{name: "vsubpd", prefix: 1, page: 1, code: 0x5c, length: vl256, unit: 32}
	vroundpd     = vop{name: "vroundpd", prefix: 1, page: 3, code: 0x09, length: vl256, unit: 32, imm: true}
	vmovdquTo    = vop{name: "vmovdqu", prefix: 2, page: 1, code: 0x7f, length: vl256, unit: 32} // to memory
)

// vex encodes a vector instruction on registers 0 to 15 of 256 bits, or of 128 where its row says so. It has no write mask;
// the mask of a gather is its first source.
func (a *asm) vex(e evex) {
	o, r, v, x := e.op, e.dst, uint8(e.src), e.rm
	if o.ext != 0 {
		r, v = o.ext, e.dst
	}
	low, high := uint8(x.z)>>3, uint8(0)
	if x.mem {
		low, high = uint8(x.base)>>3, x.index>>3
	}
	last := (^v&15)<<3 | o.prefix
	if o.length != vl128 {
		last |= 4
	}
	if low|high == 0 && o.page == 1 {
		a.bytes(0xc5, (^r>>3&1)<<7|last, o.code)
	} else {
		a.bytes(0xc4, (^r>>3&1)<<7|(^high&1)<<6|(^low&1)<<5|o.page, last, o.code)
	}
	a.vectorRM(r&7, x, 1)
	if o.imm {
		a.bytes(e.imm)
	}
}
