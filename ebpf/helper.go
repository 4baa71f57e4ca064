package ebpf

// Numbers of the helper functions that translations may call (enum bpf_func_id in linux/bpf.h).
const (
	HelperProbeRead            int32 = 4
	HelperPrandomU32           int32 = 7
	HelperProcessorID          int32 = 8
	HelperSkbLoadBytes         int32 = 26
	HelperGetHashRecalc        int32 = 34
	HelperSkbPullData          int32 = 39
	HelperSkbLoadBytesRelative int32 = 68
	HelperProbeReadKernel      int32 = 113
	HelperXDPBuffLen           int32 = 188
	HelperXDPLoadBytes         int32 = 189
)

// helper is a function of the kernel that programs may call.
type helper struct {
	abis  abiSet                // who may call it
	args  []argument            // what it takes in R1 and so on
	run   func(*machine) uint64 // executes it
	gpl   bool                  // only programs under a licence compatible with the GPL may call it
	moves bool                  // it may move the packet: pointers into it are void afterwards
	// Results that say that it failed and left its buffer as it was; none where it then fills it with zeros.
	untouched []uint64
	since     Version
}

// argument says what a function takes in a register.
type argument uint8

const (
	argNumber     argument = iota
	argContext             // the context as it was at entry
	argBuffer              // a place on the stack, to be written; the next argument is its size
	argSize                // a number above 0
	argSizeOrZero          // a number
)

// helpers are the functions that Check allows and Run knows, by number.
var helpers = [...]helper{
	HelperPrandomU32:    {abis: onAny, run: (*machine).prandomU32, since: Version{4, 1}},
	HelperProcessorID:   {abis: onAny, run: (*machine).processorID, since: Version{4, 1}},
	HelperGetHashRecalc: {abis: abis(TC), args: []argument{argContext}, run: (*machine).hash, since: Version{4, 8}},
	HelperSkbLoadBytes: {abis: onSkb, args: []argument{argContext, argNumber, argBuffer, argSize},
		run: (*machine).skbLoadBytes, since: Version{4, 5}},
	HelperSkbLoadBytesRelative: {abis: onSkb, args: []argument{argContext, argNumber, argBuffer, argSize, argNumber},
		run: (*machine).skbLoadBytesRelative, since: Version{4, 18}},
	HelperSkbPullData: {abis: abis(TC), args: []argument{argContext, argNumber}, run: (*machine).skbPullData, moves: true,
		since: Version{4, 9}},
	HelperXDPBuffLen: {abis: abis(XDP), args: []argument{argContext}, run: (*machine).xdpBuffLen, since: Version{5, 18}},
	HelperXDPLoadBytes: {abis: abis(XDP), args: []argument{argContext, argNumber, argBuffer, argSize},
		run: (*machine).xdpLoadBytes, untouched: []uint64{efault, einval}, since: Version{5, 18}},
	HelperProbeReadKernel: {abis: onKernel, args: []argument{argBuffer, argSizeOrZero, argNumber},
		run: (*machine).probeReadKernel, gpl: true, since: Version{5, 5}},
	HelperProbeRead: {abis: abis(Trace), args: []argument{argBuffer, argSizeOrZero, argNumber},
		run: (*machine).probeRead, gpl: true, since: Version{4, 1}},
}

// Who may call functions that are not bound to one kind of program.
var (
	onKernel = abis(Socket, TC, CGroupSKB, XDP, Trace)
	onAny    = onKernel | abis(User, Buffer)
)

// helperFor returns the function that programs of the ABI may call by the number; nil where there is none.
func helperFor(id int32, a ABI) *helper {
	if id < 0 || int(id) >= len(helpers) || !helpers[id].abis.has(a) {
		return nil
	}
	return &helpers[id]
}

// NeedsGPL reports whether the kernel lets only programs under a licence compatible with the GPL call the helper. It knows
// the functions that Check allows.
func NeedsGPL(id int32) bool { return id >= 0 && int(id) < len(helpers) && helpers[id].gpl }
