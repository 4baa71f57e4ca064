// Package kernel asks the running Linux kernel: does it take a program, and what verdict does it give on a packet.
//
// There are two ways in for packets, one for each machine. [Load] loads an extended program, as what its [Type] says, and
// runs it with BPF_PROG_TEST_RUN; that needs root, or CAP_BPF. [AttachClassic] attaches a classic program to AF_UNIX
// datagram sockets and finds its whole 32-bit verdict from what arrives and what does not; that needs no privilege at all.
//
// Seccomp filters have a way of their own: [CheckSeccomp] has seccomp(2) judge one, and [SeccompVerdicts] runs it on system
// calls that are made, and not executed, in a child process.
//
// The first two ways cannot forge everything that a packet carries: [Type.View] and [ClassicView] tell what a program will find
// there, so that other engines can be run on the very same thing.
//
// A program that is loaded can be attached to a [Hook] ([Filter.Attach]), pinned ([Filter.Install], [ReadPinned]), and made
// to count how its runs end ([LoadOptions], [Counts]). [Filter.Listen] delivers what a socket filter keeps. What is in the way
// is told by reasons, a refusal of the verifier in plain words by [VerifierError.Explain], and what can be done about either
// by [Advice]. Package veth runs programs at their hooks, on real packets.
//
// A place that cannot ask (another system, a missing privilege, a sandbox) is told by [Available], [ClassicAvailable] and
// [SeccompAvailable], and by errors that are [ErrUnavailable]. The limits below were measured on Linux 6.18, x86-64, pages
// of 4 KiB.
package kernel
