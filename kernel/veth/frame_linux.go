package veth

// Frame is what is sent.
type Frame struct {
	Data []byte // from the Ethernet header on; 14 bytes at least
	// Linear is how many of its first bytes are to lie in one piece when the frame is sent, the others in pages: 14 at least,
	// or 0 for all. Devices and hooks keep it so, but for XDP.
	Linear int
	Mark   uint32 // of the socket that sends it; the far end does not see it
}
