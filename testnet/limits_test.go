//go:build unix

package testnet

import (
	"regexp"
	"strings"
	"testing"
)

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
