package main

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How late the kernel may wake a thread that sleeps for a moment: usually, and in a
// replica. Go's runtime has a thread that looks after the others every 20 us, while
// any of them works or waits for the disk. With the usual slack that is a fifth of
// the processor time of a cluster with one caller (docs/adr/0021). Nothing in a replica
// sleeps for less than milliseconds.
const (
	usualSlack = 50 * time.Microsecond
	timerSlack = 500 * time.Microsecond
)

// slackVariable tells a process that it has been started over.
const slackVariable = "QUORATE_SLACK"

// slacken starts a replica's process over, once, with more slack: a thread has that of
// the one that made it, and the runtime's exists before main. Whoever has set another
// slack keeps it, as systemd's TimerSlackNSec does. If it cannot be set, the process
// goes on as it is.
func slacken(args []string) {
	if len(args) < 2 || args[1] != "node" {
		return
	}
	if _, again := os.LookupEnv(slackVariable); again {
		_ = os.Unsetenv(slackVariable)
		return
	}
	path, err := os.Executable()
	if err != nil {
		return
	}
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || time.Duration(slack) != usualSlack {
		return
	}
	if unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(timerSlack), 0, 0, 0) != nil {
		return
	}
	_ = syscall.Exec(path, args, append(os.Environ(), slackVariable+"=set"))
}
