package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
)

// running is one run of the program: where its data go, and what ends it before
// its time. Its methods may be called concurrently.
type running struct {
	out     *output
	tidying atomic.Int32           // > 0: something that must not be left behind is being removed
	stands  atomic.Pointer[string] // where things stand if the command is interrupted now
}

// output is stdout. That what was printed is lost is an error of every command, so
// nothing here prints to os.Stdout by itself: the first write that fails ends the
// command, and is remembered.
type output struct {
	file *os.File
	fail context.CancelCauseFunc
	mu   sync.Mutex
	err  error
}

// Write writes, and goes on failing once a write has failed.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.file.Write(b)
	if err != nil {
		o.err = &lostOutput{err}
		o.fail(o.err)
	}
	return n, o.err
}

// lost is the first write that failed, or nil.
func (o *output) lost() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// lostOutput is an output that could not be written.
type lostOutput struct{ err error }

func (e *lostOutput) Error() string {
	return fmt.Sprintf("the output is incomplete, stdout takes no more: %v: make room there, or send it elsewhere", reason(e.err))
}

func (e *lostOutput) Unwrap() error { return e.err }

// interrupted is the cause of a context that a signal has ended.
type interrupted struct{ signal os.Signal }

func (e *interrupted) Error() string {
	switch e.signal {
	case syscall.SIGTERM:
		return "terminated"
	case syscall.SIGHUP:
		return "the terminal is gone"
	}
	return "interrupted"
}

// code is what a shell reports of a command that the signal has ended.
func (e *interrupted) code() int {
	if s, ok := e.signal.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return exitInterrupted
}

// untilSignal ends a context at the first signal. The second one then does what it
// does to every program: it ends the process at once.
func untilSignal(fail context.CancelCauseFunc) (stop func()) {
	wanted := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup starts us
		wanted = append(wanted, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, wanted...)
	quit := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			fail(&interrupted{s})
		case <-quit:
			signal.Stop(signals)
		}
	}()
	return func() { close(quit) }
}

// grace is how long a command that was interrupted may take to end by itself.
// One that only computes, or waits for a file that never comes, would take longer.
const grace = 600 * time.Millisecond

// await runs a command to its end or, if it is interrupted and does not end, leaves
// it in the middle. What it tidies up it may tidy up to the end.
func (r *running) await(ctx context.Context, do func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- do() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	for {
		select {
		case err := <-ended:
			return err
		case <-time.After(grace):
		}
		if r.tidying.Load() == 0 {
			return ctx.Err()
		}
	}
}

// standing says where things stand after an interruption.
type standing struct{ text string }

func (e *standing) Error() string { return e.text }

// Is makes an interruption of it for who asks.
func (e *standing) Is(target error) bool { return target == context.Canceled }

// runningOf is the run that a command belongs to.
func runningOf(c *cli.Context) *running {
	r, ok := c.App.Metadata[runKey].(*running)
	if !ok {
		return &running{} // of an app that a test has made
	}
	return r
}

// tidies keeps an interruption from leaving the command before done is called:
// something exists by then that must not be left behind.
func tidies(c *cli.Context) (done func()) {
	r := runningOf(c)
	r.tidying.Add(1)
	return sync.OnceFunc(func() { r.tidying.Add(-1) })
}

// leaves says where things stand if the command is interrupted from now on and has
// nothing better to say.
func leaves(c *cli.Context, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	runningOf(c).stands.Store(&text)
}

// waits says what the command waits for, if it still does after a second, until done
// is called.
func waits(format string, args ...any) (done func()) {
	t := time.AfterFunc(time.Second, func() { note(format, args...) })
	return func() { t.Stop() }
}

// report says on stderr how a command ended, and answers its exit code.
func (r *running) report(ctx context.Context, err error) int {
	if lost := r.out.lost(); lost != nil {
		if errors.Is(lost, syscall.EPIPE) {
			return exitPipe // the reader has what it wanted
		}
		note("quorate: %v", lost)
		return exitFailure
	}
	var by *interrupted
	if err == nil || !errors.As(context.Cause(ctx), &by) {
		if err != nil {
			note("quorate: %s", inOurWords(err.Error()))
		}
		return codeOf(err)
	}
	texts := said(err)
	if text := r.stands.Load(); text != nil && len(texts) == 0 {
		texts = []string{*text}
	}
	note("quorate: %s", strings.Join(append([]string{by.Error()}, texts...), ": "))
	return by.code()
}

// said are the parts of an error that say more than that there was an interruption.
func said(err error) (texts []string) {
	// A command ends with the error of its context, or with the cause of that.
	var by *interrupted
	if !errors.Is(err, context.Canceled) && !errors.As(err, &by) {
		return []string{inOurWords(err.Error())}
	}
	switch e := err.(type) {
	case *standing:
		return []string{e.text}
	case interface{ Unwrap() error }:
		return said(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			texts = append(texts, said(part)...)
		}
	}
	return texts
}
