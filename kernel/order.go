package kernel

import "encoding/binary"

// hostOrder is the byte order of this machine, as the loader knows it: it does not recognise binary.NativeEndian, and
// would read every register as r0.
var hostOrder = func() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}()
