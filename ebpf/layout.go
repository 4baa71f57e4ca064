package ebpf

// Member is the place of a member of a structure of the kernel. The zero value is a member that there is none of.
type Member struct {
	Off   int16 // bytes from the start of the structure
	Size  uint8 // bytes to load there: 1, 2, 4 or 8
	Shift uint8 // a bit field begins at this bit of what is loaded, counted from the lowest
	Bits  uint8 // and is so wide; 0 for a member that is no bit field
}

// SkbLayout is where a kernel keeps what filters read of a packet: the members of its struct sk_buff, and of the struct
// net_device that Dev points to. Programs for tracing need it, because these structures differ from one kernel to the next.
// Numbers are in host order unless the comment says otherwise.
type SkbLayout struct {
	Head Member // pointer to the buffer
	Data Member // pointer to the first byte of the packet
	Tail Member // end of what is in the buffer: an offset from head if Size is 4, on 32-bit kernels a pointer
	End  Member // end of the buffer, in the same manner

	Len     Member // bytes of the packet
	DataLen Member // of which in pages, not in the buffer

	MACHeader       Member // offset from head; all ones if there is none
	NetworkHeader   Member // offset from head
	TransportHeader Member // offset from head; all ones if there is none

	Protocol     Member // EtherType, network order
	PktType      Member
	Mark         Member
	QueueMapping Member
	Hash         Member
	IIF          Member // index of the interface that it came in by (skb_iif)
	VlanPresent  Member // not 0 if there is a tag: the bit vlan_present, and since Linux 6.1 vlan_all
	VlanTCI      Member
	VlanProto    Member // EtherType of the tag, network order

	Dev        Member // pointer to the interface; may be 0
	DevIfIndex Member // in struct net_device
	DevType    Member // ARPHRD_*, in struct net_device
}

// XDPLayout is where a kernel keeps what filters read of a packet before there is a struct sk_buff: the members of its
// struct xdp_buff, of the struct xdp_rxq_info that RxQ points to, and of the struct net_device that RxQDev points to.
type XDPLayout struct {
	Data          Member // pointer to the first byte of the packet
	DataEnd       Member // pointer behind the last byte in one piece
	DataMeta      Member // pointer to the metadata in front of it
	DataHardStart Member // pointer to the buffer
	Flags         Member // bit 0: there are fragments (Linux 5.18; none before)

	RxQ      Member // pointer
	RxQDev   Member // pointer, in struct xdp_rxq_info
	RxQIndex Member // receive queue, in struct xdp_rxq_info

	DevIfIndex Member // in struct net_device
	DevType    Member // ARPHRD_*, in struct net_device
}
