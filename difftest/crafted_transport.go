package difftest

// segment is a TCP segment over IPv4 from client to server.
func segment(h tcp, payload layer) []layer {
	return []layer{onIP4, ip4{proto: protoTCP, frag: dontFragment}, h, payload}
}

// tcp crafts segments to and from the ports that filters name, with flags in all usual and some absurd combinations.
func (c *crafter) tcp() {
	for _, port := range []uint16{20, 21, 22, 25, 53, 80, 443, 3128, 8000, 8080, 8443, 65535, 0} {
		c.addf(segment(tcp{src: 40000, dst: port, flags: syn}, nothing), "tcp/to-%d", port)
		c.addf(segment(tcp{src: port, dst: 40000, flags: syn | ack}, nothing), "tcp/from-%d", port)
	}
	for _, flags := range []uint8{
		0, fin, rst, ack, fin | ack, rst | ack, psh | ack, urg, fin | psh | urg, syn | fin, syn | 0xc0, 0xff,
	} {
		c.addf(segment(tcp{src: 40000, dst: 80, flags: flags}, nothing), "tcp/flags-%02x", flags)
	}
	for _, n := range []int{4, 8, 12, 20, 32, 40} {
		c.addf(segment(tcp{src: 40000, dst: 443, flags: syn, options: options(n)}, text("data")), "tcp/options-%d", n)
	}
	hello := blob{0x16, 0x03, 0x01, 0x00, 0x2a, 0x01, 0x00, 0x00, 0x26, 0x03, 0x03}
	c.addf(segment(tcp{src: 40000, dst: 443, flags: psh | ack}, append(hello, padding(36)...)), "tcp/tls-hello")
	c.addf(segment(tcp{src: 22, dst: 40000, flags: psh | ack}, text("SSH-2.0-OpenSSH_9.6\r\n")), "tcp/ssh-banner")
	c.addf(segment(tcp{src: 40000, dst: 25, flags: psh | ack}, text("EHLO example.net\r\n")), "tcp/smtp-ehlo")
	c.addf(segment(tcp{src: 1, dst: 2, flags: ack}, padding(1)), "tcp/one-byte")
	c.addf(segment(tcp{src: 1, dst: 3, flags: ack}, padding(4)), "tcp/small-ports")
	c.addf(segment(tcp{src: 40000, dst: 80, seq: 1<<32 - 1, ack: 1 << 31, flags: ack}, padding(1460)), "tcp/full")
}

// nothing is an empty payload.
const nothing = text("")

// http crafts requests, the answer, and what looks like a request. Filters find the method behind both headers, so these
// come in several lengths.
func (c *crafter) http() {
	get := text("GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: test\r\n\r\n")
	data := tcp{src: 40000, dst: 80, seq: 1, ack: 1, flags: psh | ack}
	c.addf(segment(data, get), "http/get")
	for _, method := range []string{"POST", "HEAD", "PUT", "OPTIONS", "get", "GETS"} {
		c.addf(segment(data, text(method+" / HTTP/1.1\r\n\r\n")), "http/method-%s", method)
	}
	for _, n := range []int{12, 20, 40} {
		long := data
		long.options = options(n)
		c.addf(segment(long, get), "http/get-tcp-options-%d", n)
		c.addf([]layer{onIP4, ip4{proto: protoTCP, options: options(n)}, long, get}, "http/get-all-options-%d", n)
	}
	back := tcp{src: 80, dst: 40000, seq: 1, ack: 70, flags: psh | ack}
	c.addf(segment(back, text("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")), "http/response")
	proxy := data
	proxy.dst = 8080
	c.addf(segment(proxy, get), "http/get-8080")
	c.addf(segment(data, text("GET")), "http/get-cut")
	c.addf(segment(data, nothing), "http/ack")
}

// A question for the address of example.com, and the answer.
var (
	dnsQuery  = blob("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + dnsQuestion)
	dnsAnswer = blob("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + dnsQuestion +
		"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc6\x33\x64\x50")
)

const dnsQuestion = "\x07example\x03com\x00\x00\x01\x00\x01"

// udp crafts the protocols that filters name by port, and tunnels with a frame inside.
func (c *crafter) udp() {
	inside := frame(onIP4, ip4{proto: protoTCP}, synTo)
	tests := []struct {
		name string
		head udp
		body blob
	}{
		{"dns-query", udp{5000, 53}, dnsQuery},
		{"dns-answer", udp{53, 5000}, dnsAnswer},
		{"mdns", udp{5353, 5353}, dnsQuery},
		{"ntp", udp{123, 123}, append(blob{0x23, 0, 6, 0xec}, padding(44)...)},
		{"dhcp", udp{68, 67}, append(blob{1, 1, 6, 0}, padding(296)...)},
		{"snmp", udp{5000, 161}, blob{0x30, 0x26, 2, 1, 1, 4, 6, 'p', 'u', 'b', 'l', 'i', 'c'}},
		{"syslog", udp{5000, 514}, blob("<34>Oct 11 22:14:15 host su: failed")},
		{"tftp", udp{5000, 69}, blob("\x00\x01file\x00octet\x00")},
		{"sip", udp{5060, 5060}, blob("INVITE sip:a@example.com SIP/2.0\r\n")},
		{"quic", udp{5000, 443}, append(blob{0xc3, 0, 0, 0, 1, 8}, padding(60)...)},
		{"vxlan", udp{5000, 4789}, append(blob{8, 0, 0, 0, 0, 0, 42, 0}, inside...)},
		{"geneve", udp{5000, 6081}, append(blob{0, 0, 0x65, 0x58, 0, 0, 42, 0}, inside...)},
		{"gtp", udp{2152, 2152}, append(blob{0x30, 0xff, 0, 40, 0, 0, 0, 1}, inside[14:]...)},
		{"wireguard", udp{51820, 51820}, append(blob{1, 0, 0, 0}, padding(144)...)},
		{"range-low", udp{5000, 6000}, padding(8)},
		{"range-high", udp{5000, 6008}, padding(8)},
		{"empty", udp{5000, 9}, nil},
	}
	for _, t := range tests {
		c.add("udp/"+t.name, onIP4, ip4{proto: protoUDP}, t.head, t.body)
	}
	c.add("udp/options", onIP4, ip4{proto: protoUDP, options: options(24)}, udp{5000, 53}, dnsQuery)
}
