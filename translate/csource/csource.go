package csource

import (
	"fmt"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
)

// Form is what the C is for.
type Form uint8

// The forms. In the signatures filter stands for Options.Name.
const (
	// Function is uint32_t filter(const uint8_t *data, const uint8_t *data_end), for user space and for BPF programs that
	// have two pointers to a packet, of less than 2^31 bytes. The length on the wire is that between the pointers. It needs
	// uint8_t, uint16_t and uint32_t, from <stdint.h> or elsewhere.
	Function Form = iota
	// Packet is uint32_t filter(const struct cbpf_packet *pkt), for user space: a file that includes what it needs, and
	// declares a structure with all that a filter can ask for.
	Packet
	// Seccomp is uint32_t filter(const struct seccomp_data *sd), for user space, on the rules of seccomp(2).
	Seccomp
	// Socket is a file with a program for BPF_PROG_TYPE_SOCKET_FILTER, which returns the verdict.
	Socket
	// TC is a file with a program for tc: it returns TC_ACT_OK, or TC_ACT_SHOT where the verdict is 0.
	TC
	// CgroupSkb is a file with a program for BPF_PROG_TYPE_CGROUP_SKB: it returns 1, or 0 where the verdict is 0.
	CgroupSkb
	// XDP is a file with a program for XDP: it returns XDP_PASS, or XDP_DROP where the verdict is 0. Packets are in one piece.
	XDP
	// XDPFrags is the same for packets of several buffers.
	XDPFrags
)

// Linkage says from where a function can be called.
type Linkage uint8

// The linkages. BPF programs have to call a function that reads packets in one of the latter two: the kernel's verifier looks
// at external functions by themselves, and knows of their pointers only that they are none to packets.
const (
	External Linkage = iota // from everywhere
	Static                  // from its file
	Inline                  // from its file, and compilers always inline it
)

// linkages are the linkages as C has them.
var linkages = [...]string{External: "", Static: "static __attribute__((unused)) ", Inline: "CBPF_INLINE "}

// Options say what C to make. The zero value is Function.
type Options struct {
	Form Form
	// Name is that of the function, a C identifier; "filter" where it is empty.
	Name string
	// Linkage says who may call a Function, Packet or Seccomp.
	Linkage Linkage
	// Windows lets loads through the kernel's LL and NET windows go to a Function or XDP program, whose packets begin with the
	// link-layer header and have the network header at NetOff, 14 for Ethernet. Without it such loads are refused. The other
	// forms know where the headers are.
	Windows bool
	NetOff  uint16
	// Match and NoMatch are the values that a program for TC, CgroupSkb, XDP or XDPFrags returns, in place of the usual ones,
	// which both being 0 stands for.
	Match, NoMatch int32
	// Licence is what the programs are licensed under; the forms for user space do not name it.
	Licence string
}

// forms is the table of what there is to know of each form.
var forms = [...]struct {
	name    string
	valid   func(cbpf.Program) error
	source  func(Options, *hook) source
	hook    *hook    // nil for user space
	actions [2]int32 // what a program returns for a verdict of 0, and for others
}{
	Function:  {name: "function", valid: cbpf.Validate, source: newDirect},
	Packet:    {name: "packet", valid: cbpf.Validate, source: newPacket},
	Seccomp:   {name: "seccomp", valid: cbpf.ValidateSeccomp, source: newSeccomp},
	Socket:    {name: "socket", valid: cbpf.Validate, source: newPaged, hook: &socketHook},
	TC:        {name: "tc", valid: cbpf.Validate, source: newPaged, hook: &tcHook, actions: [2]int32{2, 0}},
	CgroupSkb: {name: "cgroup-skb", valid: cbpf.Validate, source: newPaged, hook: &cgroupHook, actions: [2]int32{0, 1}},
	XDP:       {name: "xdp", valid: cbpf.Validate, source: newDirect, hook: &xdpHook, actions: [2]int32{1, 2}},
	XDPFrags:  {name: "xdp-frags", valid: cbpf.Validate, source: newPaged, hook: &fragsHook, actions: [2]int32{1, 2}},
}

func (f Form) String() string {
	if int(f) >= len(forms) {
		return fmt.Sprintf("form %d", uint8(f))
	}
	return forms[f].name
}

// FormNames lists the names that ParseForm knows.
func FormNames() []string {
	names := make([]string, len(forms))
	for i, f := range forms {
		names[i] = f.name
	}
	return names
}

// ParseForm returns the form of that name.
func ParseForm(name string) (Form, error) {
	for i, f := range forms {
		if f.name == name {
			return Form(i), nil
		}
	}
	return 0, fmt.Errorf("unknown form %q; the forms are %s", name, strings.Join(FormNames(), ", "))
}

// Translate makes C of p. It returns cbpf.Errors where the kernel would refuse p (for Seccomp, where seccomp(2) would), an
// *Error where the form cannot express it. The same arguments make the same text.
func Translate(p cbpf.Program, opts Options) (string, error) {
	if int(opts.Form) >= len(forms) {
		return "", fmt.Errorf("unknown %s; the forms are %s", opts.Form, strings.Join(FormNames(), ", "))
	}
	if opts.Name == "" {
		opts.Name = "filter"
	}
	if int(opts.Linkage) >= len(linkages) {
		return "", fmt.Errorf("unknown linkage %d", opts.Linkage)
	}
	if !isIdentifier(opts.Name) {
		return "", fmt.Errorf("%q cannot be the name of a function in C", opts.Name)
	}
	if strings.ContainsFunc(opts.Licence, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
		return "", fmt.Errorf("the licence %q cannot stand in C as it is", opts.Licence)
	}
	form := &forms[opts.Form]
	if err := form.valid(p); err != nil {
		return "", err
	}
	w := newWriter(p, opts, form.source(opts, form.hook))
	if err := w.body(); err != nil {
		return "", err
	}
	return w.file(), nil
}

// isIdentifier reports whether C takes the name for a function; its keywords are taken for names.
func isIdentifier(name string) bool {
	for i, c := range name {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
