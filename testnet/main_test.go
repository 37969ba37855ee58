package testnet

import (
	"fmt"
	"os"
	"testing"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/home"
)

// superviseDir makes this program start the cluster in a directory, tied to itself,
// and wait to be killed.
const superviseDir = "TESTNET_SUPERVISE"

// TestMain lets this program be the replicas of the tests' clusters.
func TestMain(m *testing.M) {
	Serve(kv.Store{})
	if dir := os.Getenv(superviseDir); dir != "" {
		supervise(dir)
	}
	os.Exit(m.Run())
}

func supervise(dir string) {
	c, err := Open(dir)
	if err == nil {
		c.Tied = true
		_, err = c.Up()
	}
	fmt.Println("up:", err)
	select {}
}

// made makes a cluster in a temporary directory and stops it with the test.
func made(t *testing.T, o Options) *Cluster {
	t.Helper()
	o.Dir = t.TempDir() + "/net"
	c, err := Init(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Down(); err != nil {
			t.Errorf("down: %v", err)
		}
	})
	return c
}

// loadHome reads the home of replica i.
func loadHome(c *Cluster, i int) (*home.Home, error) {
	r := c.replica(i)
	return r.load()
}
