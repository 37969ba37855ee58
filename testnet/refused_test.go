package testnet

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A replica that cannot be started afterwards loses nothing to a wipe.
func TestWipeThatIsRefusedRemovesNothing(t *testing.T) {
	c := made(t, Options{Replicas: 4})
	l, err := net.Listen("tcp", c.Manifest.Replicas[2].Address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := c.Wipe(2); err == nil || !strings.Contains(err.Error(), "cannot listen") {
		t.Fatalf("wiped where the port is taken: %v", err)
	}
	h, err := loadHome(c, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(h.DataDir(), "birth")); err != nil {
		t.Errorf("what it had is gone: %v", err)
	}
}

// Nobody is told to remove a whole cluster because of one file that lists it.
func TestAdviceForALostManifest(t *testing.T) {
	c := made(t, Options{Replicas: 4})
	file := filepath.Join(c.Dir, manifestName)
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(c.Dir); err == nil || !strings.Contains(err.Error(), "put it back from its backup") {
		t.Errorf("an empty one: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(Options{Dir: c.Dir, Replicas: 4}); err == nil || !strings.Contains(err.Error(), "put that file back from its backup") {
		t.Errorf("none: %v", err)
	}
	if err := os.WriteFile(file, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(c.Dir); err != nil {
		t.Errorf("after it was put back: %v", err)
	}
}
