package main

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

// progress shows on stderr how far a long job is, if a person looks there and the job takes longer than a moment.
type progress struct {
	w     io.Writer // nil: nobody looks
	what  string
	total int64 // -1: unknown
	begin time.Time
	done  int64
	bar   *progressbar.ProgressBar
}

func newProgress(cmd *cobra.Command, what string, total int64) *progress {
	p := &progress{what: what, total: total, begin: time.Now()}
	if w := cmd.ErrOrStderr(); isTerminal(w) {
		p.w = w
	}
	return p
}

// add counts n more units of work.
func (p *progress) add(n int) {
	const moment = time.Second
	if p.w == nil {
		return
	}
	p.done += int64(n)
	if p.bar == nil && time.Since(p.begin) > moment {
		p.bar = progressbar.NewOptions64(p.total, progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription(p.what),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionShowBytes(p.total > 0), progressbar.OptionFullWidth())
	}
	if p.bar != nil {
		_ = p.bar.Set64(p.done) // a bar that cannot be drawn is no failure of the job
	}
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// Write lets a progress stand behind an io.TeeReader.
func (p *progress) Write(b []byte) (int, error) {
	p.add(len(b))
	return len(b), nil
}
