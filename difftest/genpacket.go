package difftest

import (
	"bytes"
	"math/rand/v2"
	"sync"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// craftedOnce are the crafted packets, made once; their bytes are copied before use.
var craftedOnce = sync.OnceValue(Crafted)

// GenPacket makes a random packet that is hard on p: as long as one of its loads needs, or a byte less or more, and with
// the values that its comparisons look for, so that paths go deep. p is valid. Data is the caller's.
func GenPacket(r *rand.Rand, p cbpf.Program) cbpf.Packet {
	data := genData(r, genLength(r, p))
	if r.IntN(8) != 0 {
		steer(r, p, data)
	}
	return cbpf.Packet{Data: data, WireLen: genWireLen(r, len(data)), Meta: genMeta(r, data)}
}

// maxGenerated is the most bytes of a generated packet: what a jumbo frame has.
const maxGenerated = 9018

// genLength draws the length of a packet from the ends of the loads of p.
func genLength(r *rand.Rand, p cbpf.Program) int {
	ends := []int{0}
	longest := 0
	for _, ins := range p {
		info := cbpf.Info(ins.Op)
		// Loads far away, and through the windows, cannot be met by any length.
		if info.Size == 0 || ins.K > maxGenerated-100 {
			continue
		}
		end := int(ins.K) + info.Size
		if info.Form == cbpf.FormInd {
			ends = append(ends, end+20, end+40) // X is a length of a header
			longest = max(longest, end+60)
		}
		ends = append(ends, end)
		longest = max(longest, end)
	}
	switch r.IntN(8) {
	case 0:
		return r.IntN(128)
	case 1, 2:
		return max(0, ends[r.IntN(len(ends))]-1+r.IntN(3))
	case 3: // just enough for all of them
		return longest
	default:
		return min(maxGenerated, longest+r.IntN(80))
	}
}

// genData makes so many bytes, of one kind or another.
func genData(r *rand.Rand, n int) []byte {
	data := make([]byte, n)
	switch r.IntN(8) {
	case 0: // zeros, as they are
	case 1:
		copy(data, bytes.Repeat([]byte{0xff}, n))
	case 2: // noise
		for i := range data {
			data[i] = byte(r.Uint32())
		}
	default: // a real packet with a few bytes wrong
		packets := craftedOnce()
		copy(data, packets[r.IntN(len(packets))].Data)
		for range r.IntN(3) {
			if n > 0 {
				data[r.IntN(n)] = byte(r.Uint32())
			}
		}
	}
	return data
}

// genWireLen is the captured length, mostly; or more.
func genWireLen(r *rand.Rand, n int) uint32 {
	switch r.IntN(16) {
	case 0: // the most that fits a signed number
		return 1<<31 - 1
	case 1, 2, 3:
		return uint32(n + r.IntN(1500))
	default:
		return uint32(n)
	}
}

// genMeta makes properties that the kernel could have of the packet: none of a device or of a tag that is not there.
func genMeta(r *rand.Rand, data []byte) cbpf.Meta {
	m := MetaFor(LinkEthernet, data)
	m.Mark, m.RxHash = r.Uint32(), r.Uint32()
	m.Queue, m.CPU = uint16(r.IntN(8)), uint32(r.IntN(4))
	if r.IntN(8) == 0 {
		m.HasDev, m.IfIndex, m.HaType = false, 0, 0
	}
	if r.IntN(3) == 0 {
		m.VlanPresent, m.VlanTCI, m.VlanTPID = true, uint16(r.Uint32()), etherVLAN
	}
	switch r.IntN(8) {
	case 0: // as a hook above the link layer has it
		m.Head, m.NetOff = frame(ether{proto: etherIPv4}), 0
	case 1: // as a socket without a link layer has it
		m.NoLink, m.NetOff = true, 0
	}
	return m
}
