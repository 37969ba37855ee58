//go:build unix

package testnet

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// A replica that outlives its starter holds nothing that this one was given: no lock of
// flock(1), no end of a pipe.
func TestReplicaInheritsNoDescriptors(t *testing.T) {
	if _, err := os.Stat("/dev/fd/2"); err != nil {
		t.Skip(err)
	}
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil { // os.Pipe would not be inherited
		t.Fatal(err)
	}
	defer syscall.Close(pipe[0])
	c := made(t, Options{Replicas: 1})
	_, err := c.Up()
	if err := errors.Join(err, syscall.Close(pipe[1]), syscall.SetNonblock(pipe[0], true)); err != nil {
		t.Fatal(err)
	}
	if n, err := syscall.Read(pipe[0], make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("somebody holds the other end: %d, %v", n, err)
	}
}

// A replica that may not open the files which it can be made to need does not start,
// and says how many it needs: with that many it starts.
func TestDescriptorsAreAskedForAtTheStart(t *testing.T) {
	c := made(t, Options{Replicas: 1})
	own, err := c.command(c.Home(0))
	if err != nil {
		t.Fatal(err)
	}
	within := func(flags string) {
		c.Command = func(string) []string {
			return append([]string{"sh", "-c", "ulimit " + flags + `; exec "$@"`, "sh"}, own...)
		}
	}
	within("-n 256")
	_, err = c.Up()
	if err == nil {
		err = c.AwaitReady(t.Context())
	}
	if err == nil {
		t.Fatal("it starts with 256")
	}
	advice := regexp.MustCompile("the limit is 256: raise it with `ulimit (-n [0-9]+)`").FindStringSubmatch(err.Error())
	if advice == nil || strings.Contains(err.Error(), "check the disk") {
		t.Fatalf("got %v", err)
	}
	for _, flags := range []string{advice[1], "-S -n 256"} { // what this process may have, the runtime takes
		within(flags)
		if _, err := c.Up(); err != nil {
			t.Fatal(err)
		}
		ready(t, c)
		if err := c.Down(); err != nil {
			t.Fatal(err)
		}
	}
}
