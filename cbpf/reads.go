package cbpf

import "golang.org/x/net/bpf"

// Reads are what a program looks at in packets and around them.
type Reads struct {
	// Fixed counts the loads of bytes at an offset that the program states; First and Last are the bytes that those read,
	// counted from where the packet begins. Without any they are 0.
	Fixed       int
	First, Last uint32
	// Indexed counts the loads of bytes at X plus an offset; IndexedLast is the last byte that those can read, NoEnd if it
	// may be any.
	Indexed     int
	IndexedLast uint32
	Windows     int   // loads that go, or may go, through the LL or the NET window
	Exts        []Ext // the extensions, in order of their number
	Length      bool  // the length of the packet
}

// NoEnd stands for an offset that has no bound.
const NoEnd = ^uint32(0)

// ReadsOf finds out what the instructions of a valid program read that some path reaches.
func ReadsOf(p Program) Reads {
	var r Reads
	exts := [len(Exts)]bool{}
	for pc, seen := range rangesOf(p) {
		row := Info(p[pc].Op)
		if seen == nil || row == nil {
			continue
		}
		if ext, ok := Extension(p[pc].K); ok && row.Form == FormAbs && ext.String() != "" {
			exts[ext/4] = true
			continue
		}
		r.read(p[pc], row, seen.x)
	}
	for i, used := range exts {
		if used {
			r.Exts = append(r.Exts, Exts[i].Ext)
		}
	}
	return r
}

// read adds what an instruction reads. x bounds X in front of it.
func (r *Reads) read(ins bpf.RawInstruction, row *OpInfo, x bounds) {
	switch row.Form {
	case FormLen:
		r.Length = true
	case FormAbs, FormMSH:
		if ins.K >= LLOff {
			r.Windows++
			return
		}
		if last := ins.K + uint32(row.Size) - 1; r.Fixed == 0 {
			r.First, r.Last = ins.K, last
		} else {
			r.First, r.Last = min(r.First, ins.K), max(r.Last, last)
		}
		r.Fixed++
	case FormInd:
		r.Indexed++
		low, high := uint64(x.lo)+uint64(ins.K), uint64(x.hi)+uint64(ins.K)
		if low >= 1<<32 { // k is negative, and X never less than that
			high -= 1 << 32
		}
		last := high + uint64(row.Size) - 1
		if last >= 1<<31 {
			last = uint64(NoEnd)
		}
		if high >= uint64(LLOff) {
			r.Windows++
		}
		r.IndexedLast = max(r.IndexedLast, uint32(last))
	}
}

// Live returns how many instructions of a valid program some path reaches, whatever comparisons yield.
func Live(p Program) (n int) {
	for _, seen := range rangesOf(p) {
		if seen != nil {
			n++
		}
	}
	return n
}
