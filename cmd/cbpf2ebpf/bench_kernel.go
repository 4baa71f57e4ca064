package main

import (
	"errors"
	"time"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/ebpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/kernel"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate"
)

// kernelContender runs the translation for Socket inside the kernel, and takes off what a program takes there that does
// nothing. A test-run repeats one packet, so branches are as predictable as can be.
func kernelContender(p cbpf.Program, link difftest.LinkType, level int) (*contender, error) {
	opts := link.Options(translate.Socket)
	opts.Optimize = level
	r, err := translate.Translate(p, opts)
	if err != nil {
		return nil, err
	}
	load := kernel.LoadOptions{Type: kernel.SocketFilter}
	full, err := kernel.Load(r.Program, load)
	if err != nil {
		return nil, err
	}
	empty, err := kernel.Load(ebpf.Program{ebpf.Mov.Imm32(ebpf.R0, 1), ebpf.Return()}, load)
	if err != nil {
		full.Close()
		return nil, err
	}
	closeBoth := func() error {
		empty.Close()
		return full.Close()
	}
	engine := difftest.Kernel(translate.Socket, difftest.AtLevel(translate.Socket, level))
	return &contender{
		note: "one packet again and again, so that the processor learns every branch", only: "small",
		engine: &engine, excused: true, close: closeBoth,
		take: func(s *benchSet, at, n int) (time.Duration, error) { return testRuns(full, empty, s, at, n) },
	}, nil
}

// testRuns takes the time of n runs, spread over some packets of the set from the one of index at on.
func testRuns(full, empty *kernel.Filter, s *benchSet, at, n int) (time.Duration, error) {
	const packets = 32
	repeat := max(n/packets, 1)
	var sum time.Duration
	runs := 0
	for i := range packets {
		d := s.descs[(at+i*s.len()/packets)%s.len()]
		data := s.buf[d.Off : d.Off+d.CapLen]
		with, err := full.Bench(data, uint32(repeat))
		if errors.As(err, new(*kernel.TooLongError)) || errors.As(err, new(*kernel.TooShortError)) {
			continue
		}
		if err != nil {
			return 0, err
		}
		without, err := empty.Bench(data, uint32(repeat))
		if err != nil {
			return 0, err
		}
		sum += with - without
		runs++
	}
	if runs == 0 {
		return 0, errors.New("no packet of a length that test-runs take")
	}
	return sum * time.Duration(n) / time.Duration(runs), nil
}
