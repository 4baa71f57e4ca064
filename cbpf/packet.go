package cbpf

// Packet is what a classic program runs on. The zero value is an empty packet that came from nowhere.
type Packet struct {
	Data    []byte // the captured bytes; loads are bounded by its length
	WireLen uint32 // the length on the wire, what `ld #pktlen` yields; may be more than len(Data)
	Meta    Meta
}

// Meta is what extensions and the LL and NET windows read: the properties of the kernel's struct sk_buff that are not
// packet bytes. All numbers are in host order.
type Meta struct {
	// Head holds the bytes in front of Data[0], from the link-layer header on. Only loads through the windows reach it.
	// It is empty where Data begins at the link-layer header, as on a packet socket.
	Head []byte
	// NoLink says that the packet has no link-layer header at all (AF_UNIX): loads through the LL window end the program.
	NoLink bool
	// NetOff is the place of the network header, counted from Data[0]; at least -len(Head). 14 for Ethernet.
	NetOff int

	Protocol    uint16 // EtherType
	PktType     uint8  // 0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 outgoing
	HasDev      bool   // an interface is known; without one ifidx and hatype end the program
	IfIndex     uint32
	HaType      uint16 // ARPHRD_*: 1 Ethernet, 772 loopback
	Mark        uint32
	Queue       uint16
	RxHash      uint32
	CPU         uint32
	VlanPresent bool
	VlanTCI     uint16
	VlanTPID    uint16
	Random      func() uint32 // source of `ld rand`; nil yields 0
}
