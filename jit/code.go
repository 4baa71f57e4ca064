package jit

// VectorCode returns a copy of the machine code that takes 16 packets at once, with its constants behind it; nil where there
// is none ([Func.Vector] tells why). It has no places of slots: instructions are mixed, and branches are masks.
func (f *Func) VectorCode() []byte {
	if f.code == nil || f.acquire() != nil {
		return nil
	}
	defer f.release()
	body := f.vectorBody()
	if body == nil {
		return nil
	}
	return append([]byte(nil), body.code.code...)
}
