package testnet

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
)

// TestSameSeedSameKeys: a seed makes the same keys, another others. The cluster is
// another one each time: what was signed in the first must not count in the
// second, unless a test asks for the same nonce.
func TestSameSeedSameKeys(t *testing.T) {
	nonce := func(g *consensus.Genesis) { g.Nonce = [16]byte{7} }
	a, b, other := made(t, Options{Seed: "s"}), made(t, Options{Seed: "s"}), made(t, Options{Seed: "t"})
	if !slices.Equal(a.Genesis.Replicas, b.Genesis.Replicas) || slices.Equal(a.Genesis.Replicas, other.Genesis.Replicas) {
		t.Error("the seed does not say which keys a cluster has")
	}
	if a.Genesis.ID() == b.Genesis.ID() {
		t.Error("two clusters of the same keys and name have one id")
	}
	if c, d := made(t, Options{Seed: "s", Adjust: nonce}), made(t, Options{Seed: "s", Adjust: nonce}); c.Genesis.ID() != d.Genesis.ID() {
		t.Error("the same nonce made two clusters")
	}
}

// Whatever is there that init would make is somebody's: it stays, and nothing is added.
func TestInitTouchesNothingThatIsThere(t *testing.T) {
	for _, name := range []string{"testnet.toml", "genesis.toml", "client.key", "bench.key", "clients", "replica-0", "replica-3"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Init(Options{Dir: dir}); err == nil {
			t.Errorf("%s: it was made", name)
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		left, _ := os.ReadDir(dir)
		if err != nil || string(b) != "mine" || len(left) != 1 {
			t.Errorf("%s: %q, %v; there is %v", name, b, err, left)
		}
	}
}

// Of two that make a cluster in one directory at once, one does, and the other one
// removes nothing of it.
func TestTwoInitsAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	errs := make(chan error)
	for range 2 {
		go func() {
			_, err := Init(Options{Dir: dir})
			errs <- err
		}()
	}
	if a, b := <-errs, <-errs; (a == nil) == (b == nil) {
		t.Fatalf("they ended with %v and %v", a, b)
	}
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.Size() {
		if _, err := loadHome(c, i); err != nil {
			t.Error(err)
		}
	}
}

// TestPersonalSettingsStayBehind: what would reach all replicas alike is kept
// from their processes.
func TestPersonalSettingsStayBehind(t *testing.T) {
	got := childEnv([]string{"QUORATE_LISTEN=x", "QUORATE_LOG_LEVEL=debug", "QUORATE_KEY=k", "KEY=v", "QUORATE_DATA=d"})
	if want := []string{"QUORATE_LOG_LEVEL=debug", "KEY=v"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestPortsAreDistinct and free, and outside the range of outgoing connections.
func TestPortsAreDistinct(t *testing.T) {
	ports, err := freePorts(40)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range ports {
		seen[p] = true
		if p < lowestPort || p >= highestPort {
			t.Errorf("port %d", p)
		}
	}
	if len(seen) != 40 {
		t.Errorf("%d distinct ports of 40: %v", len(seen), slices.Sorted(maps.Keys(seen)))
	}
}
