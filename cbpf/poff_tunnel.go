package cbpf

// Bits of the first 16 of a GRE header (net/gre.h).
const (
	greChecksum = 0x8000
	greRouting  = 0x4000
	greKey      = 0x2000
	greSequence = 0x1000
	greAck      = 0x0080
	greVersion  = 0x0007
)

// gre passes a GRE header of version 0, or of version 1 if it is that of PPTP; at others it ends, in front of them
// (__skb_flow_dissect_gre):
//
//	flags 16 | EtherType 16 | checksum 32, if flagged | key 32, if flagged | sequence 32, if flagged | what it carries
func (d *dissector) gre() step {
	if !d.has(4) {
		return stepBad
	}
	flags, proto := d.u16(0), d.u16(2)
	version := flags & greVersion
	if flags&greRouting != 0 || version > 1 || version == 1 && (proto != etherPPPinGRE || flags&greKey == 0) {
		return stepGood
	}
	d.at += 4
	if flags&greChecksum != 0 {
		d.at += 4
	}
	if flags&greKey != 0 {
		if !d.has(4) {
			return stepBad
		}
		d.at += 4
	}
	if flags&greSequence != 0 {
		d.at += 4
	}
	d.proto = proto
	switch {
	case version == 1:
		return d.pptp(flags)
	case proto == etherTEB:
		return d.ethertypeAt(12, 14)
	}
	return stepNetwork
}

// pptp passes the end of its GRE header and the PPP header behind it: two bytes of address and control, the protocol.
func (d *dissector) pptp(flags uint16) step {
	if flags&greAck != 0 {
		d.at += 4
	}
	if !d.has(4) {
		return stepBad
	}
	switch d.u16(2) {
	case 0x0021:
		d.proto = etherIPv4
	case 0x0057:
		d.proto = etherIPv6
	}
	d.at += 4
	return stepNetwork
}

// pppoe passes the header of a session, whose version, type and code are fixed, and the PPP protocol behind it:
//
//	version 4 | type 4 | code 8 | session 16 | length 16 | protocol 16
func (d *dissector) pppoe() step {
	if !d.has(8) || d.u16(0) != 0x1100 {
		return stepBad
	}
	ppp := d.u16(6)
	d.at += 8
	switch ppp {
	case 0x0021:
		d.proto = etherIPv4
	case 0x0057:
		d.proto = etherIPv6
	case 0x0281:
		d.proto = etherMPLS
	case 0x0283:
		d.proto = etherMPLSMany
	default:
		if ppp&0x0101 != 0x0001 { // no number of a PPP protocol (RFC 1661, section 2), or one compressed to a byte
			return stepBad
		}
		return stepGood
	}
	return stepNetwork
}

// batman passes a unicast header of version 15, and the Ethernet header inside (struct batadv_unicast_packet):
//
//	type 8 | version 8 | 8 bytes | Ethernet header of 14 bytes
func (d *dissector) batman() step {
	if !d.has(24) || d.u16(0) != 0x400f {
		return stepBad
	}
	return d.ethertypeAt(22, 24)
}
