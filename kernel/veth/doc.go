// Package veth runs extended programs on real packets: at the hooks of a pair of virtual Ethernet devices that join two
// network namespaces, apart from everything else on the machine. It is for tests, and for whoever wants to see a program
// at work before it is let near an interface that matters.
//
// Test-runs (package kernel) cannot put packets into pages for programs that see a struct sk_buff, nor give them VLAN tags.
// Here a frame says how much of it is to lie in one piece ([Frame]), a program is put at a hook ([Link.Put]), and
// each frame sent tells what the program made of it ([Station.Try]). [Station.View] is the packet that it found there,
// for a reference to judge.
//
// Needs root, or CAP_SYS_ADMIN with CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF; without, [New] returns an error that is
// kernel.ErrUnavailable.
package veth
