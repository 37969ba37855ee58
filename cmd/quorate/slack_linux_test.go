package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// slackMain shows what slack a process has after slacken, and what it leaves in the
// environment. It is a command of its own, so that no replica is needed.
func slackMain() {
	slacken(os.Args)
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	_, left := os.LookupEnv(slackVariable)
	fmt.Println(time.Duration(slack), err, left)
}

// A replica's process has the slack, and no other one has; one that its starter has set stays.
func TestSlackOfReplicas(t *testing.T) {
	runtime.LockOSThread() // a process has the slack of the thread that starts it
	defer runtime.UnlockOSThread()
	for _, c := range []struct {
		starter time.Duration
		command string
		want    time.Duration
	}{
		{usualSlack, "node", timerSlack},
		{usualSlack, "status", usualSlack},
		{2 * time.Millisecond, "node", 2 * time.Millisecond},
	} {
		must(t, unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(c.starter), 0, 0, 0))
		out, err := exec.CommandContext(t.Context(), "slack", c.command).Output()
		must(t, errors.Join(err, unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(usualSlack), 0, 0, 0)))
		if got, want := strings.TrimSpace(string(out)), fmt.Sprint(c.want, " <nil> false"); got != want {
			t.Errorf("%s, started with %v: %s, want %s", c.command, c.starter, got, want)
		}
	}
}
