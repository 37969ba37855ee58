package netlab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func newLab(t *testing.T, hosts int) *Lab {
	t.Helper()
	l, err := New(hosts)
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// reaches asks host from for the way to host to, by opening a connection to a
// port where nobody listens: refused means that packets went there and back.
func reaches(t *testing.T, l *Lab, from, to int) bool {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash to connect with")
	}
	argv := l.Command(from, []string{"timeout", "0.5", "bash", "-c", "exec 3<>/dev/tcp/" + l.Address(to) + "/9"})
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	return err == nil || strings.Contains(string(out), "refused")
}

// part cuts, or restores, all links between host 0 and hosts 1 and 2.
func part(l *Lab, on bool) error {
	return errors.Join(l.Cut(0, 1, on), l.Cut(1, 0, on), l.Cut(0, 2, on), l.Cut(2, 0, on))
}

// A cut link swallows what is sent, the other direction works on, and mending
// brings it back. As a TCP handshake needs both directions, one cut shows on
// either side; hosts that were not named stay connected.
func TestLabCuts(t *testing.T) {
	l := newLab(t, 3)
	if !reaches(t, l, 0, 1) || !reaches(t, l, 1, 2) {
		t.Fatal("hosts of a new lab do not reach each other")
	}
	if err := l.Cut(0, 1, true); err != nil {
		t.Fatal(err)
	}
	if reaches(t, l, 0, 1) || !reaches(t, l, 0, 2) {
		t.Fatal("the wrong link is cut")
	}
	if err := l.Cut(0, 1, false); err != nil {
		t.Fatal(err)
	}
	if err := part(l, true); err != nil {
		t.Fatal(err)
	}
	if reaches(t, l, 0, 2) || reaches(t, l, 1, 0) || !reaches(t, l, 1, 2) {
		t.Fatal("the partition runs elsewhere")
	}
	if err := part(l, false); err != nil {
		t.Fatal(err)
	}
	if !reaches(t, l, 0, 1) || !reaches(t, l, 2, 0) {
		t.Fatal("mended links do not work")
	}
}

func TestLabRefusesSizes(t *testing.T) {
	for _, n := range []int{-1, 0, 201} {
		if l, err := New(n); err == nil {
			_ = l.Close()
			t.Errorf("a lab of %d hosts", n)
		}
	}
}

// A lab whose process was killed is removed by the next one; that of a process
// which lives stays.
func TestLabsOfTheDeadAreRemoved(t *testing.T) {
	alive := newLab(t, 1)
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	left := &Lab{prefix: fmt.Sprintf("q%sa", strconv.FormatInt(int64(dead.Process.Pid), 36)), subnet: 251}
	if err := ip("link add " + left.prefix + "b type bridge"); err != nil {
		t.Fatal(err)
	}
	if err := left.build(2); err != nil {
		t.Fatal(errors.Join(err, left.Close()))
	}
	sweep(namespaces)
	for _, l := range []struct {
		*Lab
		stays bool
	}{{left, false}, {alive, true}} {
		_, err := os.Stat(filepath.Join(namespaces, l.namespace(0)))
		bridge := ip("link show " + l.prefix + "b")
		if (err == nil) != l.stays || (bridge == nil) != l.stays {
			t.Errorf("lab %s: namespace %v, bridge %v, want it there: %v", l.prefix, err, bridge, l.stays)
		}
	}
}
