package testnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// leashVariable tells a process that Up has started what comes by its input: a byte
// when its pid file is written, and the end when whoever started it has ended.
const leashVariable = "QUORATE_LEASH"

// The values of that variable.
const (
	leashLoose = "loose" // the process outlives who started it
	leashTied  = "tied"  // it ends with it
)

// errUnregistered: nothing would know this process, and so nothing could stop it.
var errUnregistered = errors.New("whoever started this replica has ended before its pid file was written: start it again")

// Leashed makes sure that a process that Up has started is known or ends. It waits
// until the pid file is written; ctx ends when the process that this one is tied to
// has. What it answers of this process is for the lock of the home's data, so that it
// stays known without that file. In any other process it returns at once.
func Leashed(ctx context.Context, home string) (_ context.Context, about string, err error) {
	kind, leashed := os.LookupEnv(leashVariable)
	if !leashed {
		return ctx, "", nil
	}
	if err := os.Unsetenv(leashVariable); err != nil {
		return nil, "", err
	}
	if _, err := io.ReadFull(os.Stdin, make([]byte, 1)); err != nil {
		return nil, "", errUnregistered
	}
	if about, err = holder(home); err != nil || kind != leashTied {
		return ctx, about, err
	}
	ctx, end := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until its end, which is all that it says
		end()
	}()
	return ctx, about, nil
}

// leash is our end of a process's input. It is kept as long as the process is to run
// if that is tied to us.
type leash struct {
	kind string
	ours *os.File
}

// register lets the process go on: it is known now.
func (l *leash) register() error {
	if _, err := l.ours.Write([]byte{1}); err != nil {
		return fmt.Errorf("let it run: %w", err)
	}
	if l.kind == leashLoose {
		return l.ours.Close()
	}
	return nil
}
