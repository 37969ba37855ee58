package testnet

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/genesis"
)

// silence is a byzantine.toml that nobody could overlook.
func silence(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, traitorName), []byte("behaviours = [\"silent\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// staysHonest: replica 2 follows no byzantine.toml, and is heard long after it
// would have fallen silent.
func staysHonest(t *testing.T, c *Cluster) {
	t.Helper()
	time.Sleep(10 * followEvery)
	if _, err := os.Stat(filepath.Join(c.Home(2), obeyedName)); err == nil {
		t.Error("replica 2 follows a byzantine.toml")
	}
	eventually(t, "replica 2 is heard", func() bool { return hears(t, c, 0, 2) })
}

// TestProductionStaysHonest: a byzantine.toml that somebody writes into the home
// of a running replica makes no traitor of it, whether its genesis is marked as a
// testnet's or its process was not started to lie.
func TestProductionStaysHonest(t *testing.T) {
	for name, o := range map[string]Options{
		"production": {Seed: "honest", Production: true},
		"testnet":    {Seed: "honest"},
	} {
		t.Run(name, func(t *testing.T) {
			c := made(t, o)
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			if !o.Production {
				c.Command = func(dir string) []string { return append([]string{program}, honestArguments(dir)...) }
			}
			if _, err := c.Up(); err != nil {
				t.Fatal(err)
			}
			ready(t, c)
			silence(t, c.Home(2))
			staysHonest(t, c)
			if s := c.Status(t.Context(), 2); o.Production && s.Byzantine != nil {
				t.Errorf("the status of an honest replica: %+v", s)
			}
		})
	}
}

// TestNoTraitorInProduction: every way to make one is refused in one sentence,
// and a genesis that somebody marks as a testnet's belongs to another cluster.
func TestNoTraitorInProduction(t *testing.T) {
	c := made(t, Options{Seed: "production", Production: true})
	h, err := loadHome(c, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"run":     func() error { return RunTraitor(t.Context(), h, kv.Store{}) },
		"corrupt": func() error { return c.Corrupt(0, []string{"silent"}) },
	} {
		if err := do(); !errors.Is(err, ErrTraitor) || !strings.Contains(err.Error(), "testnet = true") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	c.Manifest.Replicas[0].Byzantine = []string{"silent"}
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(c.Dir); err == nil || !strings.Contains(err.Error(), "testnet = true") {
		t.Errorf("a manifest with a traitor: %v", err)
	}
	marked := genesis.File{Genesis: h.Genesis, Addresses: h.Addresses}
	marked.Genesis.Testnet = true
	if err := genesis.Save(h.GenesisFile(), &marked); err != nil {
		t.Fatal(err)
	}
	if h, err = loadHome(c, 0); err != nil {
		t.Fatal(err)
	}
	if err := RunTraitor(t.Context(), h, kv.Store{}); err == nil || !strings.Contains(err.Error(), "does not fit its data") {
		t.Errorf("with a genesis that was marked: %v", err)
	}
}

// other is the store under another name.
type other struct{ kv.Store }

func (other) Name() string { return "other" }

// TestAnotherApplicationIsRefused: with a sentence that names both.
func TestAnotherApplicationIsRefused(t *testing.T) {
	for _, test := range []struct {
		of   string
		runs app.Application
		want string
	}{
		{"", other{}, `the genesis is for the key-value store, this program runs the application "other"`},
		{"other", kv.Store{}, `the genesis is for the application "other", this program runs the key-value store`},
	} {
		c := made(t, Options{Seed: "application", Application: test.of})
		h, err := loadHome(c, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Run(t.Context(), test.runs); !errors.Is(err, app.ErrApplication) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}
