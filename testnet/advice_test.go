//go:build unix

package testnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/home"
)

// harm is a damage to the home of a replica that is down, in the order of how bad it
// is: what it does, and which advice is to be given; "" = it starts without a word.
type harm struct {
	name  string
	do    func(dir string) error
	wants string
}

// garble changes a byte of a file, from its start or, if negative, from the end of
// what was written.
func garble(at int, path ...string) func(string) error {
	return func(dir string) error {
		file := newest(filepath.Join(append([]string{dir}, path...)...))
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		end := len(b)
		for end > 0 && b[end-1] == 0 {
			end--
		}
		if at < 0 {
			at = end/2 + at
		}
		b[at] ^= 0xff
		return os.WriteFile(file, b, 0o600)
	}
}

// newest is the last file that a pattern matches.
func newest(pattern string) string {
	all, err := filepath.Glob(pattern)
	if err != nil || len(all) == 0 {
		return pattern
	}
	return slices.Max(all)
}

func without(path ...string) func(string) error {
	return func(dir string) error { return os.RemoveAll(newest(filepath.Join(append([]string{dir}, path...)...))) }
}

func overwritten(text string, path ...string) func(string) error {
	return func(dir string) error {
		return os.WriteFile(newest(filepath.Join(append([]string{dir}, path...)...)), []byte(text), 0o600)
	}
}

// shorter cuts a file in the middle.
func shorter(path ...string) func(string) error {
	return func(dir string) error {
		file := newest(filepath.Join(append([]string{dir}, path...)...))
		stat, err := os.Stat(file)
		if err != nil {
			return err
		}
		return os.Truncate(file, stat.Size()/2)
	}
}

// What advice asks for, in the words of the errors.
const (
	movesState   = `move (\S+) away and start again`
	removesData  = `keep a copy of the data directory, remove it and start again`
	putsBack     = `put .*back|copy the cluster's there`
	removesPid   = `remove the file`
	movesSegment = `(\S+) is not a segment of the log: move it elsewhere`
)

var harms = []harm{
	{"state is gone", without("data", "state"), ""},
	{"CURRENT is empty", overwritten("", "data", "state", "CURRENT"), movesState},
	{"CURRENT is garbled", overwritten("\x00\x01", "data", "state", "CURRENT"), movesState},
	{"CURRENT names nothing", overwritten("MANIFEST-999999\n", "data", "state", "CURRENT"), movesState},
	{"manifest is garbled", garble(3, "data", "state", "MANIFEST-*"), movesState},
	{"manifest is gone", without("data", "state", "MANIFEST-*"), movesState},
	{"journal is garbled", garble(9, "data", "state", "*.log"), movesState},
	{"segment is garbled", garble(-9, "data", "log", "*.seg"), removesData},
	{"segment is gone", without("data", "log", "*.seg"), removesData},
	{"base is gone", without("data", "log", "base"), removesData},
	{"base is cut", shorter("data", "log", "base"), removesData},
	{"log is gone", without("data", "log"), removesData},
	{"birth record is gone", without("data", "birth"), removesData},
	{"birth record is garbled", garble(20, "data", "birth"), removesData},
	{"a file beside the segments", overwritten("x", "data", "log", "notes.seg"), movesSegment},
	{"key is gone", without("key"), putsBack},
	{"key is garbled", shorter("key"), putsBack},
	{"key is a client's", func(dir string) error {
		b, err := os.ReadFile(filepath.Join(dir, "..", "client.key"))
		return errors.Join(err, os.WriteFile(filepath.Join(dir, "key"), b, 0o600))
	}, putsBack},
	{"genesis is gone", without("genesis.toml"), putsBack},
	{"settings are gone", without("config.toml"), putsBack},
	{"pid file is garbled", overwritten("pid =", "pid"), removesPid},
	{"record for judges is garbled", garble(40, "transcript", "*"), ""},
	{"record for judges is cut", shorter("transcript", "*"), ""},
	{"directory of data is gone", without("data"), ""},
}

// follow does what an error says, and no more.
func (h *harm) follow(t *testing.T, text, dir, whole string) {
	t.Helper()
	found := regexp.MustCompile(h.wants).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("it says %q, want %q", text, h.wants)
	}
	if removes, moves := regexp.MustCompile(removesData).MatchString(text), regexp.MustCompile(movesState).MatchString(text); removes && moves {
		t.Errorf("two pieces of advice that contradict each other: %q", text)
	}
	var err error
	switch h.wants {
	case movesState, movesSegment:
		err = os.Rename(found[1], filepath.Join(t.TempDir(), "away"))
	case removesData:
		copyAll(t, filepath.Join(dir, "data"), filepath.Join(t.TempDir(), "copy"))
		err = os.RemoveAll(filepath.Join(dir, "data"))
	case removesPid:
		err = os.Remove(filepath.Join(dir, "pid"))
	case putsBack:
		for _, name := range []string{"key", "genesis.toml", "config.toml"} {
			b, read := os.ReadFile(filepath.Join(whole, name))
			err = errors.Join(err, read, os.WriteFile(filepath.Join(dir, name), b, 0o600))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func copyAll(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// Whatever happens to a home, the error names the file and says what to do; who does
// that has the replica back, and the cluster has lost nothing.
func TestAdviceHelps(t *testing.T) {
	for _, protocol := range []string{"pbft", "raft"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel() // replicas wait most of the time
			c := made(t, Options{Protocol: protocol,
				Adjust:   func(g *consensus.Genesis) { g.CheckpointInterval, g.Window = 4, 16 },
				Settings: func(_ int, h *home.Config) { h.Disk.SegmentBytes = 16 << 10 }})
			if _, err := c.Up(); err != nil {
				t.Fatal(err)
			}
			ready(t, c)
			caller, err := c.Dial(t.Context(), c.ClientKey())
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := caller.Close(); err != nil {
					t.Error(err)
				}
			}()
			store := client.KV{Invoker: caller}
			var kept []string
			for k := range harms {
				kept = append(kept, harms[k].befall(t, c, k%c.Size(), store, len(kept)))
			}
			for i, want := range kept {
				if v, found, err := store.Get(t.Context(), fmt.Appendf(nil, "key %d", i)); err != nil || !found || string(v.Value) != want {
					t.Errorf("key %d is lost: %v, %v", i, found, err)
				}
			}
		})
	}
}

// befall harms one replica and follows the advice. It answers what was stored before.
func (h *harm) befall(t *testing.T, c *Cluster, i int, store client.KV, number int) (value string) {
	value = fmt.Sprint(h.name, strings.Repeat("x", 2000))
	ctx, cancel := context.WithTimeout(t.Context(), ReadyWithin)
	defer cancel()
	for range 6 {
		if _, err := store.Put(ctx, fmt.Appendf(nil, "key %d", number), []byte(value)); err != nil {
			t.Fatalf("%s: put: %v", h.name, err)
		}
	}
	// A member of Raft that loses its log may take along what one of the others has not
	// got yet; advice cannot help that.
	if err := errors.Join(c.AwaitSettled(ctx), c.Kill(i)); err != nil {
		t.Fatal(err)
	}
	dir, whole := c.Home(i), filepath.Join(t.TempDir(), "whole")
	copyAll(t, dir, whole)
	if err := h.do(dir); err != nil {
		t.Fatalf("%s: %v", h.name, err)
	}
	err := c.Restart(i)
	switch {
	case h.wants == "" && err != nil:
		t.Fatalf("%s: %v", h.name, err)
	case h.wants != "" && err == nil:
		t.Fatalf("%s: it starts", h.name)
	case err != nil:
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %q", h.name, err)
		}
		h.follow(t, err.Error(), dir, whole)
		if err := c.Restart(i); err != nil {
			t.Fatalf("%s: after its advice: %v", h.name, err)
		}
	}
	if err := c.AwaitSettled(ctx); err != nil {
		t.Fatalf("%s: %v", h.name, err)
	}
	return value
}

// Where nobody else has what was lost, nobody is told to give it up: what was there
// is put back.
func TestAdviceToTheOnlyOne(t *testing.T) {
	putsData := `check the disk and put (back what was there|\S+ back as it was)`
	for _, protocol := range []string{"pbft", "raft"} {
		c := made(t, Options{Protocol: protocol, Replicas: 1})
		for _, h := range []harm{
			{"CURRENT is garbled", overwritten("x", "data", "state", "CURRENT"), putsData},
			{"segment is gone", without("data", "log", "*.seg"), putsData},
			{"log is gone", without("data", "log"), putsData},
			{"birth record is gone", without("data", "birth"), putsData + "|restore the disk"}, // of one who never said anything
			{"data are gone", without("data"), "restore the disk"},
		} {
			if _, err := c.Up(); err != nil {
				t.Fatal(err)
			}
			ready(t, c)
			if err := c.Down(); err != nil {
				t.Fatal(err)
			}
			dir, whole := filepath.Join(c.Home(0), "data"), filepath.Join(t.TempDir(), "whole")
			copyAll(t, dir, whole)
			if err := h.do(c.Home(0)); err != nil {
				t.Fatal(err)
			}
			err := c.Restart(0)
			if err == nil || !regexp.MustCompile(h.wants).MatchString(err.Error()) || strings.Contains(err.Error(), "remove") || strings.Contains(err.Error(), "move ") {
				t.Errorf("%s, %s: got %v, want %q", protocol, h.name, err, h.wants)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			copyAll(t, whole, dir)
		}
		if _, err := c.Up(); err != nil {
			t.Fatal(err)
		}
		ready(t, c)
	}
}

// A state that is lost above a log which was cut is fetched, whatever the protocol:
// the log stays.
func TestStateIsFetchedAboveACutLog(t *testing.T) {
	for _, protocol := range []string{"pbft", "raft"} {
		c := made(t, Options{Protocol: protocol, Adjust: func(g *consensus.Genesis) { g.CheckpointInterval, g.Window = 4, 16 }})
		if _, err := c.Up(); err != nil {
			t.Fatal(err)
		}
		ready(t, c)
		caller, err := c.Dial(t.Context(), c.ClientKey())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), ReadyWithin)
		defer cancel()
		store, large := client.KV{Invoker: caller}, make([]byte, 3<<20)
		first := filepath.Join(c.Home(1), "data", "log", "0000000000000001.seg")
		for n := 0; ; n++ {
			if _, err := os.Stat(first); errors.Is(err, fs.ErrNotExist) {
				break
			}
			if _, err := store.Put(ctx, fmt.Append(nil, n), large); err != nil {
				t.Fatalf("put %d: %v", n, err)
			}
		}
		h := harm{"CURRENT is garbled", overwritten("x", "data", "state", "CURRENT"), movesState}
		h.befall(t, c, 1, store, 0)
		b, err := os.ReadFile(c.replica(1).logFile)
		if err != nil || strings.Count(string(b), "msg=fetched") != 1 {
			t.Errorf("%s: the state was not fetched once: %v, %s", protocol, err, c.Tail(1))
		}
		if err := errors.Join(caller.Close(), c.Down()); err != nil {
			t.Fatal(err)
		}
	}
}
