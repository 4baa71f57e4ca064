package difftest_test

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/jit"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

const (
	tcpPort80 = "../testdata/filters/tcp-port-80.d"
	mixed     = "../testdata/pcaps/mixed.pcap"
)

// The whole way: a filter as tcpdump prints it, to machine code, over the packets of a trace.
func Example() {
	matched, err := countMatches(tcpPort80, mixed)
	fmt.Println(matched, "packets match", err)
	// Output: 70 packets match <nil>
}

func countMatches(filter, path string) (matched int, err error) {
	text, err := os.ReadFile(filter)
	if err != nil {
		return 0, err
	}
	p, err := cbpf.Parse(text)
	if err != nil {
		return 0, err
	}
	r, err := translate.Translate(p, translate.Options{NetOff: 14})
	if err != nil {
		return 0, err
	}
	f, err := jit.New(r.Program)
	if err != nil {
		return 0, err
	}
	defer f.Close()

	trace, err := difftest.OpenTrace(path)
	if err != nil {
		return 0, err
	}
	defer trace.Close()
	for {
		rec, err := trace.Next()
		if errors.Is(err, io.EOF) {
			return matched, nil
		}
		if err != nil {
			return matched, err
		}
		frame := rec.Data
		verdict, err := f.Run(&ebpf.Packet{Data: frame, WireLen: uint32(len(frame))})
		if err != nil {
			return matched, err
		}
		if verdict != 0 {
			matched++
		}
	}
}

// Engines are compared on every packet of a trace.
func ExampleReport_Compare() {
	text, err := os.ReadFile(tcpPort80)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := cbpf.Parse(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	trace, err := difftest.OpenTrace(mixed)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer trace.Close()
	engines, err := difftest.EnginesByName([]string{"xnet", "interp", "interp-socket"})
	if err != nil {
		fmt.Println(err)
		return
	}
	var report difftest.Report
	if err := report.Compare([]difftest.Named{{Name: "tcp port 80", Program: p}}, engines, trace, nil); err != nil {
		fmt.Println(err)
		return
	}
	if err := report.Fprint(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// engine  runs  agree  known  cannot  differ
	//         classic   216    216      0       0       0
	//            xnet   216    216      0       0       0
	//          interp   216    216      0       0       0
	//   interp-socket   216    216      0       0       0
}

// The smallest program and packet that still show a fault. Here the fault is that a program divides by X.
func ExampleShrink() {
	const divByX = 0x3c
	p, err := cbpf.Parse([]byte("6,48 0 0 23,7 0 0 0,60 0 0 0,21 0 1 1,6 0 0 65535,6 0 0 0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	p, pkt := difftest.Shrink(p, cbpf.Packet{Data: make([]byte, 60), WireLen: 60}, func(p cbpf.Program, _ cbpf.Packet) bool {
		for _, ins := range p {
			if ins.Op == divByX {
				return true
			}
		}
		return false
	})
	for pc, ins := range p {
		fmt.Println(cbpf.Line(pc, ins))
	}
	fmt.Println(len(pkt.Data), "bytes")
	// Output:
	// (000) div      x
	// (001) ret      #0
	// 0 bytes
}
