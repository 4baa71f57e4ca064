package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// progress shows on stderr how far a long job is, if a person looks there and the job takes longer than a moment.
type progress struct {
	w     io.Writer // nil: nobody looks
	what  string
	bytes bool  // the unit is the byte
	total int64 // -1: unknown
	begin time.Time
	done  int64
	bar   *progressbar.ProgressBar
}

func newProgress(cmd *cobra.Command, what string, bytes bool, total int64) *progress {
	p := &progress{what: what, bytes: bytes, total: total, begin: time.Now()}
	if w := cmd.ErrOrStderr(); isTerminal(w) {
		p.w = w
	}
	return p
}

// start draws the bar, and of the numbers beside it what fits into a line.
func (p *progress) start() {
	const (
		longestName = 24
		withNumbers = 80
	)
	name := p.what
	if len(name) > longestName {
		name = "..." + name[len(name)-longestName+3:]
	}
	options := []progressbar.Option{progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription(name),
		progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionFullWidth()}
	if width, _, err := term.GetSize(int(p.w.(*os.File).Fd())); err == nil && width >= withNumbers {
		options = append(options, progressbar.OptionShowCount(), progressbar.OptionShowBytes(p.bytes))
	} else {
		options = append(options, progressbar.OptionSetPredictTime(false))
	}
	p.bar = progressbar.NewOptions64(p.total, options...)
}

// add counts n more units of work.
func (p *progress) add(n int) {
	const moment = time.Second
	if p.w == nil {
		return
	}
	p.done += int64(n)
	if p.bar == nil && time.Since(p.begin) > moment {
		p.start()
	}
	if p.bar != nil {
		_ = p.bar.Set64(p.done) // a bar that cannot be drawn is no failure of the job
	}
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar, p.w = nil, nil
	}
}
