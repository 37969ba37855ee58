package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"quorate.dev/quorate/internal/noun"
)

// progress counts files and bytes and shows them on stderr: a bar on a
// terminal, a plain line every few seconds otherwise.
type progress struct {
	verb         string
	total        int64 // bytes
	count        int
	files, moved atomic.Int64
	bars         *mpb.Progress
	bar          *mpb.Bar
	begun        time.Time
}

// newProgress knows the files, and with them what there is to do.
func newProgress(verb string, files []file) *progress {
	p := &progress{verb: verb, count: len(files), begun: time.Now()}
	for i := range files {
		p.total += files[i].size
	}
	if onTerminal(os.Stderr) {
		p.bars = mpb.New(mpb.WithOutput(os.Stderr), mpb.WithRefreshRate(150*time.Millisecond))
		// One more than the bytes, for the end: a tree of empty files has none.
		p.bar = p.bars.AddBar(p.total+1,
			mpb.PrependDecorators(decor.Name(verb+" "), decor.Any(func(decor.Statistics) string { return fmt.Sprintf("%d/%d files ", p.files.Load(), p.count) })),
			mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f "), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO), "")))
	}
	return p
}

// done counts one file.
func (p *progress) done(size int64) {
	p.files.Add(1)
	p.moved.Add(size)
	if p.bar != nil {
		p.bar.IncrInt64(size)
	}
}

// finish ends the bar.
func (p *progress) finish(ok bool) {
	if p.bar == nil {
		return
	}
	if ok {
		p.bar.SetCurrent(p.total + 1)
	} else {
		p.bar.Abort(false)
	}
	p.bars.Wait()
}

// watch calls stuck once if nothing moves for so long, and prints plain lines
// where there is no bar, until the returned function is called.
func (p *progress) watch(patience time.Duration, stuck func()) (stop func()) {
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		last, moved, printed := int64(0), time.Now(), time.Now()
		for {
			select {
			case <-quit:
				return
			case now := <-ticker.C:
				if n := p.files.Load(); n != last {
					last, moved = n, now
				} else if now.Sub(moved) > patience {
					stuck()
					return
				}
				if p.bar == nil && now.Sub(printed) > 5*time.Second {
					printed = now
					note("%s: %d of %s, %.1f of %.1f MiB", p.verb, p.files.Load(), noun.Several(p.count, "file"), mib(p.moved.Load()), mib(p.total))
				}
			}
		}
	}()
	return func() { close(quit); <-over }
}

// mib is bytes in MiB.
func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// summarize prints what was done.
func (p *progress) summarize(c *cli.Context, verb string) error {
	files, bytes, seconds := p.files.Load(), p.moved.Load(), time.Since(p.begun).Seconds()
	return show(c, map[string]any{"files": files, "bytes": bytes, "seconds": seconds}, func() error {
		fmt.Fprintf(c.App.Writer, "%s %s, %s in %.1fs (%.1f MiB/s)\n", verb, noun.Several(files, "file"), noun.Several(bytes, "byte"), seconds, mib(bytes)/max(seconds, 1e-9))
		return nil
	})
}
