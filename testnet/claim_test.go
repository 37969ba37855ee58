package testnet

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"quorate.dev/quorate/home"
)

// TestKeysAreClaimedOneEach: as many commands as keys, then nobody until one
// gives its own back; and a cluster without a pool has its one key.
func TestKeysAreClaimedOneEach(t *testing.T) {
	c := made(t, Options{Seed: "claims", Replicas: 1})
	reopened, err := Open(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]*Claim{}
	for range poolKeys {
		claim, err := reopened.ClaimClientKey(t.Context())
		if err != nil || seen[claim.Key] != nil {
			t.Fatalf("after %d claims: %+v, %v", len(seen), claim, err)
		}
		seed, err := home.ReadKey(claim.Key, nil)
		if err != nil || seed == (home.Seed{}) {
			t.Errorf("%s: %v", claim.Key, err)
		}
		seen[claim.Key] = claim
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := c.ClaimClientKey(ctx); !errors.Is(err, ErrKeyInUse) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, ErrKeyInUse)
	}
	if _, err := ClaimKey(c.ClientKey()); !errors.Is(err, ErrKeyInUse) {
		t.Errorf("got %v, want %v", err, ErrKeyInUse)
	}
	seen[c.ClientKey()].Release()
	if claim, err := c.ClaimClientKey(t.Context()); err != nil || claim.Key != c.ClientKey() {
		t.Errorf("got %+v, %v", claim, err)
	}
	if stat, err := os.Stat(c.ClientKeys()[1]); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", stat, err)
	}
	c.Manifest.ClientKeys = nil
	if pool := c.ClientKeys(); len(pool) != 1 || pool[0] != c.ClientKey() {
		t.Errorf("an old cluster has %v", pool)
	}
}
