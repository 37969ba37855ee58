package testnet

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/files"
)

// eventually waits until holds does, for as long as a slow machine may need.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(ReadyWithin); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("gave up waiting until %s", what)
		}
	}
}

// hears reports whether replica i has heard from replica j lately.
func hears(t *testing.T, c *Cluster, i int, j consensus.ReplicaID) bool {
	s := c.Status(t.Context(), i)
	return s.Report != nil && slices.Contains(s.Report.Heard, j)
}

// TestTraitorObeysWhileItRuns: behaviours come and go without a restart, the
// home of the honest has no trace of them, and the manifest decides at a start.
func TestTraitorObeysWhileItRuns(t *testing.T) {
	c := made(t, Options{Seed: "traitor"})
	if err := c.Corrupt(2, []string{"silent"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Up(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the others are ready", func() bool {
		all := c.Statuses(t.Context())
		return all[0].Ready && all[1].Ready && all[3].Ready && !hears(t, c, 0, 2)
	})
	before := c.Status(t.Context(), 2)
	if !slices.Equal(before.Byzantine, []string{"silent"}) || before.Pid == 0 {
		t.Fatalf("status of the traitor: %+v", before)
	}
	if err := c.Heal(2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the healed one is heard", func() bool { return hears(t, c, 0, 2) })
	after := c.Status(t.Context(), 2)
	if after.Pid != before.Pid || after.Byzantine != nil {
		t.Errorf("healing left %+v, before it was %+v", after, before)
	}
	for _, name := range []string{traitorName, obeyedName} {
		if _, err := os.Stat(filepath.Join(c.Home(2), name)); err == nil {
			t.Errorf("the home of the healed one still has %s", name)
		}
	}
	c.Manifest.Replicas[2].Byzantine = []string{"silent"}
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	if err := c.Restart(2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the manifest's traitor is silent", func() bool { return !hears(t, c, 0, 2) })
	if err := c.Heal(2); err != nil {
		t.Fatal(err)
	}
	if again, err := Open(c.Dir); err != nil || !slices.Equal(again.Traitors(), []consensus.ReplicaID{2}) {
		t.Errorf("who was a traitor once is forgotten: %v, %v", again, err)
	}
}

// TestGangSharesItsKeys: its members read each other's, find one that is not
// theirs out, and lose sight of them with the gang.
func TestGangSharesItsKeys(t *testing.T) {
	c := made(t, Options{Seed: "gang"})
	if err := c.Collude([]int{0, 3}); err != nil {
		t.Fatal(err)
	}
	if err := c.Corrupt(0, []string{"silent"}); err != nil {
		t.Fatal(err)
	}
	gang := func(i int) ([]byzantine.Member, error) {
		h, err := loadHome(c, i)
		if err != nil {
			t.Fatal(err)
		}
		k, err := readTraitor(h.Dir)
		if err != nil {
			t.Fatal(err)
		}
		e, err := envOf(h, k)
		return e.Coalition, err
	}
	g, err := gang(0)
	if err != nil || len(g) != 2 || g[1].Replica != 3 || g[1].Signer.Public() != c.Genesis.Replicas[3] {
		t.Fatalf("the gang of replica 0 is %v, %v", g, err)
	}
	if g, err := gang(3); err != nil || g != nil {
		t.Errorf("replica 3 has no behaviour, and the gang %v, %v", g, err)
	}
	theirs, err := os.ReadFile(filepath.Join(c.Home(1), keyName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Home(3), keyName), theirs, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := gang(0); !errors.Is(err, files.ErrInvalid) {
		t.Errorf("with another's key: %v", err)
	}
	if err := c.Collude(nil); err != nil {
		t.Fatal(err)
	}
	if g, err := gang(0); err != nil || g != nil {
		t.Errorf("the gang is over, and replica 0 has %v, %v", g, err)
	}
}

// TestNoTraitorByMistake: what cannot be is refused in one line, and nothing is
// written.
func TestNoTraitorByMistake(t *testing.T) {
	c := made(t, Options{Seed: "mistakes"})
	manifest, err := os.ReadFile(filepath.Join(c.Dir, manifestName))
	if err != nil {
		t.Fatal(err)
	}
	for want, do := range map[string]func() error{
		`did you mean "silent"?`:   func() error { return c.Corrupt(0, []string{"slient"}) },
		"no behaviour was named":   func() error { return c.Corrupt(0, nil) },
		"no replica 9":             func() error { return c.Corrupt(9, []string{"silent"}) },
		"no replica 4":             func() error { return c.Heal(4) },
		"the cluster has 4":        func() error { return c.Corrupt(0, []string{"silent to=7"}) },
		"replica 1 alone":          func() error { return c.Collude([]int{1}) },
		"replica 1 is given twice": func() error { return c.Collude([]int{1, 1}) },
		"no replica 5: the clust":  func() error { return c.Collude([]int{1, 5}) },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line with %q", err, want)
		}
	}
	now, err := os.ReadFile(filepath.Join(c.Dir, manifestName))
	if err != nil || string(now) != string(manifest) {
		t.Errorf("the manifest changed: %v\n%s", err, now)
	}
	damaged := strings.Replace(string(now), "id = 2\n", "id = 2\nbyzantine = ['slient']\n", 1)
	if err := os.WriteFile(filepath.Join(c.Dir, manifestName), []byte(damaged), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(c.Dir); !errors.Is(err, files.ErrInvalid) || !strings.Contains(err.Error(), "replica 2") {
		t.Errorf("a manifest with an unknown behaviour: %v", err)
	}
}
