package testnet

import (
	"maps"
	"slices"
	"testing"
)

// TestSameSeedSameKeys: a seed makes the same cluster, another another.
func TestSameSeedSameKeys(t *testing.T) {
	a, b, other, random := made(t, Options{Seed: "s"}), made(t, Options{Seed: "s"}), made(t, Options{Seed: "t"}), made(t, Options{})
	if a.Genesis.ID() != b.Genesis.ID() {
		t.Error("the same seed made two clusters")
	}
	for _, c := range []*Cluster{other, random} {
		if a.Genesis.ID() == c.Genesis.ID() {
			t.Error("another seed made the same cluster")
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
