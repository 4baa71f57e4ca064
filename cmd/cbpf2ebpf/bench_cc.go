package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/difftest"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate/csource"
)

// compilerLoop is the program around the filter in C. It reads orders of four words from stdin, in the machine's own
// order, and answers each with two words of twice the size:
//
//	0 descriptors bytes -: descriptors and packets of a new set follow; answers 0 0
//	1 set from n:          judges n packets from the one of index from on; answers the nanoseconds, 0
//	2 set - -:             answers how many verdicts of the set are not 0, and their sum
const compilerLoop = `
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline __attribute__((always_inline)) uint32_t filter(const uint8_t *data, const uint8_t *data_end);
%s

struct desc {
	uint32_t off, cap_len, wire_len;
};

struct set {
	uint32_t n, bytes, *verdicts;
	struct desc *descs;
	uint8_t *buf;
};

static __attribute__((noinline)) void judge(const uint8_t *buf, const struct desc *d, uint32_t *verdicts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		verdicts[i] = filter(buf + d[i].off, buf + d[i].off + d[i].cap_len);
}

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void *get(size_t size)
{
	void *p = malloc(size + 1);
	if (!p || fread(p, 1, size, stdin) != size)
		exit(1);
	return p;
}

int main(void)
{
	static struct set sets[8];
	uint32_t order[4], used = 0;

	while (fread(order, sizeof(order), 1, stdin) == 1) {
		uint64_t answer[2] = {0, 0};
		struct set *s = &sets[order[0] ? order[1] : used++];
		if (order[0] == 0) {
			s->n = order[1];
			s->bytes = order[2];
			s->descs = get(s->n * sizeof(struct desc));
			s->buf = get(s->bytes);
			s->verdicts = calloc(s->n, sizeof(uint32_t));
		} else if (order[0] == 1) {
			uint32_t at = order[2], left = order[3];
			answer[0] = now();
			while (left > 0) {
				uint32_t n = s->n - at < left ? s->n - at : left;
				judge(s->buf, s->descs + at, s->verdicts + at, n);
				left -= n;
				at = 0;
			}
			answer[0] = now() - answer[0];
		} else {
			for (uint32_t i = 0; i < s->n; i++) {
				answer[0] += s->verdicts[i] != 0;
				answer[1] += s->verdicts[i];
			}
		}
		if (fwrite(answer, sizeof(answer), 1, stdout) != 1 || fflush(stdout) != 0)
			return 1;
	}
	return 0;
}
`

// compiledLoop is the process that runs a filter in C.
type compiledLoop struct {
	dir    string // of its files
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	number map[*benchSet]uint32
}

// compilerContender makes C of the program, has it compiled with -O2, and runs it in a loop in a process of its own, which
// gets the same packets.
func compilerContender(compiler string, p cbpf.Program, link difftest.LinkType, sets []*benchSet) (*contender, error) {
	text, err := csource.Translate(p, csource.Options{Form: csource.Function, Windows: true, NetOff: link.Options(0).NetOff})
	if err != nil {
		return nil, err
	}
	l := &compiledLoop{number: map[*benchSet]uint32{}}
	if l.dir, err = os.MkdirTemp("", "cbpf2ebpf-bench-"); err != nil {
		return nil, err
	}
	if err := l.start(compiler, fmt.Sprintf(compilerLoop, text), sets); err != nil {
		l.close()
		return nil, err
	}
	return &contender{
		note:  "a loop in a process of its own",
		take:  func(s *benchSet, at, n int) (time.Duration, error) { return l.take(s, at, n) },
		tally: l.tally,
		sees: func(pkt *cbpf.Packet) cbpf.Packet { // the function is told no other length
			seen := *pkt
			seen.WireLen = uint32(len(pkt.Data))
			return seen
		},
		close: l.close,
	}, nil
}

// start compiles the program, starts it, and gives it the packets.
func (l *compiledLoop) start(compiler, text string, sets []*benchSet) error {
	source, program := filepath.Join(l.dir, "loop.c"), filepath.Join(l.dir, "loop")
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		return err
	}
	if out, err := exec.Command(compiler, "-O2", "-o", program, source).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", compiler, err, bytes.TrimSpace(out))
	}
	l.cmd = exec.Command(program)
	stdin, err := l.cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := l.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	l.in, l.out = stdin, bufio.NewReader(stdout)
	if err := l.cmd.Start(); err != nil {
		return err
	}
	_ = os.RemoveAll(l.dir) // where a running program's file cannot be removed, close does it
	for i, s := range sets {
		l.number[s] = uint32(i)
		if err := l.send(s); err != nil {
			return err
		}
	}
	return nil
}

// send gives the process a set.
func (l *compiledLoop) send(s *benchSet) error {
	w := bufio.NewWriterSize(l.in, 1<<16)
	for _, part := range []any{[4]uint32{0, uint32(s.len()), uint32(len(s.buf)), 0}, s.descs, s.buf} {
		if err := binary.Write(w, binary.NativeEndian, part); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := l.answer()
	return err
}

func (l *compiledLoop) order(words [4]uint32) (answer [2]uint64, err error) {
	if err := binary.Write(l.in, binary.NativeEndian, words); err != nil {
		return answer, err
	}
	return l.answer()
}

func (l *compiledLoop) answer() (answer [2]uint64, err error) {
	err = binary.Read(l.out, binary.NativeEndian, &answer)
	return answer, err
}

func (l *compiledLoop) take(s *benchSet, at, n int) (time.Duration, error) {
	answer, err := l.order([4]uint32{1, l.number[s], uint32(at), uint32(n)})
	return time.Duration(answer[0]), err
}

func (l *compiledLoop) tally(s *benchSet) (tally, error) {
	answer, err := l.order([4]uint32{2, l.number[s]})
	return tally{int(answer[0]), answer[1]}, err
}

// close ends the process and removes its files.
func (l *compiledLoop) close() error {
	var err error
	if l.in != nil {
		l.in.Close()
	}
	if l.cmd != nil && l.cmd.Process != nil {
		err = l.cmd.Wait()
	}
	return errors.Join(err, os.RemoveAll(l.dir))
}

// compilers checks that they are there.
func checkCompilers(names []string) error {
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("--cc %s: %w", name, errors.New(strings.TrimPrefix(err.Error(), "exec: ")))
		}
	}
	return nil
}
