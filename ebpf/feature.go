package ebpf

// Feature is something that programs do and that kernels learnt to run at some time.
type Feature struct {
	Name  string
	Since Version // the first that runs it
}

// The features of the instruction set.
var (
	basic        = Feature{"extended programs", Version{3, 18}}
	packetLoads  = Feature{"loads from skb by LD_ABS and LD_IND", Version{3, 19}}
	lessThan     = Feature{"comparisons with < and <=", Version{4, 14}}
	localCalls   = Feature{"functions of the program", Version{4, 16}}
	narrowJumps  = Feature{"comparisons of 32 bits", Version{5, 1}}
	millionInsns = Feature{"more than 4096 instructions", Version{5, 2}}
	mapValues    = Feature{"addresses inside of map values", Version{5, 2}}
	kernelVars   = Feature{"addresses of kernel variables", Version{5, 10}}
	fetching     = Feature{"atomic operations other than an addition", Version{5, 12}}
	kernelCalls  = Feature{"calls of kernel functions", Version{5, 13}}
	functions    = Feature{"addresses of functions", Version{5, 13}}
	mapIndices   = Feature{"maps by their index", Version{5, 14}}
	cpuV4        = Feature{"instructions of cpu v4: movsx, ldsx, sdiv, bswap, gotol", Version{6, 6}}
	mayGoto      = Feature{"may_goto", Version{6, 9}}
	spaceCasts   = Feature{"casts between address spaces", Version{6, 9}}
	ordered      = Feature{"load-acquire and store-release", Version{6, 15}}
)

// Feature returns the newest feature that a kernel needs to run the instruction, apart from the function that it calls.
func (i Instruction) Feature() Feature {
	info := i.Op.Info()
	switch info.Form {
	case FormAtomic:
		if row := i.atomic(info); row != nil && row.op == AtomicAdd {
			return basic
		} else if row != nil && row.sized {
			return ordered
		}
		return fetching
	case FormLoadWide:
		if int(i.Src) < len(wideFeatures) {
			return wideFeatures[i.Src]
		}
	case FormCall:
		switch i.Src {
		case CallKindLocal:
			return localCalls
		case CallKindKernel:
			return kernelCalls
		}
	}
	switch {
	case i.SpaceCast():
		return spaceCasts
	case i.SignedDivision() || i.MoveBits() != 0:
		return cpuV4
	}
	return info.Since
}

// wideFeatures are those of the kinds of FormLoadWide.
var wideFeatures = [...]Feature{
	WideConstant: basic, WideMapFD: basic, WideMapValue: mapValues, WideVariable: kernelVars, WideFunction: functions,
	WideMapIndex: mapIndices, WideMapIndexValue: mapIndices,
}
