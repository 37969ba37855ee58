package testnet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/protocol"
)

// remembered is a configuration with a key's file, of one cluster.
func remembered(cluster byte, keyFile string) *client.Config {
	cfg := &client.Config{Genesis: &consensus.Genesis{Name: string(rune('a' + cluster))}}
	Remember(cfg, keyFile)
	return cfg
}

func newKeyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "client.key")
	if err := os.WriteFile(path, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEpochsAreKept: of each cluster its own, of as many as have room, and what was
// taken back is gone.
func TestEpochsAreKept(t *testing.T) {
	path := newKeyFile(t)
	for i := range byte(2 * epochClusters) {
		cfg := remembered(i, path)
		if cfg.LastEpoch != 0 {
			t.Fatalf("cluster %d has an epoch of another", i)
		}
		cfg.Accepted(uint64(i) + 100)
		cfg.Accepted(uint64(i) + 50) // what was said last holds
	}
	for i := range byte(2 * epochClusters) {
		want := uint64(i) + 50
		if i < epochClusters {
			want = 0
		}
		if got := remembered(i, path).LastEpoch; got != want {
			t.Errorf("cluster %d: %d, want %d", i, got, want)
		}
	}
	if stat, err := os.Stat(path + ".epoch"); err != nil || stat.Size() > epochBytes || stat.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", stat, err)
	}
	for i := range byte(2 * epochClusters) {
		remembered(i, path).Accepted(0)
	}
	if _, err := os.Stat(path + ".epoch"); !os.IsNotExist(err) {
		t.Errorf("an empty file stays: %v", err)
	}
}

// TestDamagedEpochs: a line that is not whole is none, the others hold, and the next
// epoch that is kept mends the file.
func TestDamagedEpochs(t *testing.T) {
	path := newKeyFile(t)
	for i := range byte(3) {
		remembered(i, path).Accepted(100 + uint64(i))
	}
	whole, err := os.ReadFile(path + ".epoch")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a digit":       strings.Replace(string(whole), " 101 ", " 901 ", 1),
		"half a line":   strings.Replace(string(whole), " 101 ", "\n", 1),
		"another shape": "epoch = 7\n" + strings.Replace(string(whole), " 101 ", " -1 ", 1),
	} {
		if err := os.WriteFile(path+".epoch", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if a, b, c := remembered(0, path).LastEpoch, remembered(1, path).LastEpoch, remembered(2, path).LastEpoch; a != 100 || b != 0 || c != 102 {
			t.Errorf("%s: %d, %d, %d", name, a, b, c)
		}
	}
	for name, text := range map[string]string{"empty": "", "endless": strings.Repeat(string(whole), 100), "binary": "\x00\xff\n\n"} {
		if err := os.WriteFile(path+".epoch", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := remembered(1, path).LastEpoch; got != 0 {
			t.Errorf("%s: %d", name, got)
		}
	}
	remembered(1, path).Accepted(7)
	if got := remembered(1, path).LastEpoch; got != 7 {
		t.Errorf("it is not mended: %d", got)
	}
}

// TestNowhereToKeepEpochs: a directory that may only be read, and a key that is no
// file, cost nothing but the memory.
func TestNowhereToKeepEpochs(t *testing.T) {
	path := newKeyFile(t)
	if err := os.Mkdir(path+".epoch", 0o700); err != nil { // root may write everywhere, but not over a directory
		t.Fatal(err)
	}
	cfg := remembered(0, path)
	cfg.Accepted(7)
	if got := remembered(0, path).LastEpoch; got != 0 {
		t.Errorf("kept %d", got)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	device := newKeyFile(t)
	if err := os.Symlink("/dev/null", device+".epoch"); err != nil {
		t.Fatal(err)
	}
	if cfg := remembered(0, device); cfg.Accepted != nil {
		t.Error("something is kept in a device")
	}
	if cfg := remembered(0, "/dev/null"); cfg.Accepted != nil {
		t.Error("something is kept beside a device")
	}
}

// TestEpochsOfTwoProcesses: two that keep at the same time leave a whole file.
func TestEpochsOfTwoProcesses(t *testing.T) {
	path := newKeyFile(t)
	var both sync.WaitGroup
	for i := range uint64(2) {
		both.Go(func() {
			for range 50 {
				remembered(0, path).Accepted(7 + i)
			}
		})
	}
	both.Wait()
	cluster := consensus.Genesis{Name: "a"}
	if got := epochFile(path + ".epoch").last(cluster.ID()); got != 7 && got != 8 {
		t.Errorf("kept %d", got)
	}
	if text, err := os.ReadFile(path + ".epoch"); err != nil || strings.Count(string(text), "\n") != 1 {
		t.Errorf("%q, %v", text, err)
	}
}

// TestClockIsSetBackAfterARestart: all replicas restart, and the next command's clock
// is an hour behind. It is executed for the epoch that is kept, and without it nobody
// can say what became of it.
func TestClockIsSetBackAfterARestart(t *testing.T) {
	for _, name := range protocol.Names() {
		c := made(t, Options{Protocol: name, Seed: "epochs", Adjust: func(g *consensus.Genesis) { g.CheckpointInterval, g.Window = 4, 16 }})
		put := func(by time.Duration) error {
			if _, err := c.Up(); err != nil {
				t.Fatal(err)
			}
			ready(t, c)
			caller, err := c.Dial(t.Context(), c.ClientKey(), func(cfg *client.Config) {
				cfg.Now = func() time.Time { return time.Now().Add(by) }
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 8 { // beyond a checkpoint: what is before it is executed by nobody again
				if _, e := (client.KV{Invoker: caller}).Put(t.Context(), []byte{byte(i)}, []byte("v")); err == nil {
					err = e
				}
			}
			return errors.Join(err, caller.Close(), c.Down())
		}
		for _, by := range []time.Duration{0, -time.Hour} {
			if err := put(by); err != nil {
				t.Errorf("%s: with a clock that is %v off: %v", name, by, err)
			}
		}
		if err := os.Remove(c.ClientKey() + ".epoch"); err != nil {
			t.Error(err)
		}
		if err := put(-2 * time.Hour); !errors.Is(err, session.ErrStale) || !errors.Is(err, session.ErrUnknown) {
			t.Errorf("%s: nothing is kept, and yet: %v", name, err)
		}
	}
}

// FuzzEpochs: no bytes in the file are believed but those that were written.
func FuzzEpochs(f *testing.F) {
	k := keptEpoch{cluster: crypto.Digest{1}.String(), epoch: 9}
	f.Add(fmt.Sprintf(epochLine, k.cluster, k.epoch, k.check()))
	f.Add("\n%d %s")
	f.Fuzz(func(t *testing.T, text string) {
		file := epochFile(filepath.Join(t.TempDir(), "epoch"))
		if err := os.WriteFile(string(file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, k := range file.read() {
			if want := fmt.Sprintf("%s %d", k.cluster, k.epoch); !strings.Contains(text, k.check()) || len(want) > len(text) {
				t.Errorf("%q is read as %q", text, want)
			}
		}
	})
}
