package main

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/testnet"
)

// full is a device that takes nothing.
const full = "/dev/full"

// printing is a command line for each command, that prints something; "" prints
// nothing to stdout. DIR is a running cluster's directory, TMP one of the test's.
var printing = map[string]string{
	"testnet up": "testnet up --dir DIR --detach", "testnet init": "", "testnet status": "testnet status --dir DIR",
	"testnet down": "", "testnet kill": "", "testnet pause": "", "testnet resume": "", "testnet restart": "", "testnet wipe": "",
	"testnet corrupt": "", "testnet heal": "", "testnet compare": "testnet compare --duration 1s --scenario TMP/calm.toml",
	"byzantine list": "byzantine list", "byzantine run": "byzantine run --seeds 1 silent", "byzantine scenario": "byzantine scenario TMP/set.toml",
	"bounds": "bounds --only raft-n-3-one", "cap": "cap --only dvv", "costs": "costs --protocol raft --sizes 3 --decisions 1",
	"paxos run": "paxos run", "paxos duel": "paxos duel --runs 1", "paxos flp": "paxos flp --steps 10", "paxos break": "paxos break",
	"check": "check --dir DIR", "evidence list": "evidence list -o json --dir DIR", "evidence verify": "evidence verify --dir DIR TMP/set.toml",
	"evidence collect": "evidence collect -o json --dir DIR --out TMP/proofs", "node": "",
	"keys new": "keys new TMP/new.key", "keys show": "keys show DIR/client.key", "config check": "config check --dir DIR",
	"kv put": "kv put --dir DIR -o json k v", "kv get": "kv get --dir DIR k", "kv del": "kv del --dir DIR -o json nothing",
	"kv cas": "kv cas --dir DIR -o json --expect v k v", "kv range": "kv range --dir DIR", "kv txn": "kv txn --dir DIR TMP/txn",
	"kv import": "kv import --dir DIR TMP/tree", "kv export": "kv export --dir DIR --force TMP/out",
	"invoke": "invoke --dir DIR -o hex hex:00", "status": "status --dir DIR", "bench": "bench --dir DIR --duration 100ms --warmup 0s --clients 1",
	"sim": "sim --seeds 1", "sim twins": "sim twins --limit 1", "completion": "completion bash", "version": "version",
}

// into runs a command with its output in a file, and answers its exit code and
// what it said on stderr.
func into(t *testing.T, stdout *os.File, args ...string) (code int, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "quorate", args...)
	var problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = stdout, &problems
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), problems.String()
}

// open opens a file for writing until the test ends.
func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestLostOutputIsAnError: every command of the tree, and its help, says that its
// output was lost.
func TestLostOutputIsAnError(t *testing.T) {
	if _, err := os.Stat(full); err != nil {
		t.Skip("no ", full)
	}
	device, tmp := open(t, full), t.TempDir()
	for name, text := range map[string]string{
		"calm.toml": "name = \"calm\"\n", "set.toml": "[[set]]\nrequests = [\"put a b\"]\n", "txn": "then put k v\n", "tree/file": "x",
	} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(tmp, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(tmp, name), []byte(text), 0o644))
	}
	c := startCluster(t, quick(testnet.Options{Seed: "lost output"}))
	_, err := quorateCommand(t, "kv", "put", "--dir", c.Dir, "k", "v")
	must(t, err)
	lost := func(args ...string) {
		t.Helper()
		if code, said := into(t, device, args...); code != exitFailure || !strings.Contains(said, "stdout takes no more: no space left on device") {
			t.Errorf("quorate %s: exit code %d, %s", strings.Join(args, " "), code, said)
		}
	}
	names := commandFlags()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		line, known := printing[name]
		if !known {
			t.Errorf("no line for `quorate %s`: add what makes it print", name)
		}
		lost(append(strings.Fields(name), "--help")...)
		if line != "" {
			lost(strings.Fields(strings.NewReplacer("DIR", c.Dir, "TMP", tmp).Replace(line))...)
		}
	}
	lost()
	lost("kv")
	for name := range printing {
		if _, known := names[name]; !known {
			t.Errorf("%q is no command", name)
		}
	}
}

// TestLostNotesAreNone: what people are told besides is not worth failing for.
func TestLostNotesAreNone(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "quorate", "sim", "--seed", "1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, open(t, full)
	if err := cmd.Run(); err != nil || !strings.HasPrefix(out.String(), "seed 1: ") {
		t.Errorf("%v, %q", err, out.String())
	}
}

// TestReaderThatLeaves: as in `quorate ... | head -1`, it has what it wanted. The
// command ends, and says nothing.
func TestReaderThatLeaves(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	must(t, r.Close())
	if code, said := into(t, w, "sim", "--seed", "1", "--trace"); code != exitPipe || said != "" {
		t.Errorf("exit code %d, %q", code, said)
	}
}

// TestNothingPrintsByItself: what goes to stdout goes by the app's writer, which
// remembers what was lost.
func TestNothingPrintsByItself(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	must(t, err)
	around := regexp.MustCompile(`fmt\.Print|os\.Stdout`)
	asks := regexp.MustCompile(`(?:onTerminal|columns)\(os\.Stdout\)|file: os\.Stdout`)
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		b, err := os.ReadFile(path)
		must(t, err)
		for line := range strings.Lines(string(b)) {
			code, _, _ := strings.Cut(line, "//")
			if around.MatchString(asks.ReplaceAllString(code, "")) {
				t.Errorf("%s: %s: print to c.App.Writer", path, strings.TrimSpace(line))
			}
		}
	}
}

// TestOlderFileStays: a file that cannot be written whole leaves the one before as it
// was, whichever flag names it.
func TestOlderFileStays(t *testing.T) {
	for _, line := range []string{
		"bounds --only raft-n-3-one --html FILE", "costs --protocol raft --sizes 3 --decisions 1 --svg FILE",
		"cap --only dvv --html FILE", "paxos run --html FILE", "paxos duel --runs 1 --html FILE", "paxos flp --steps 10 --html FILE", "paxos break --html FILE",
	} {
		t.Run(line, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "old")
			must(t, os.WriteFile(path, []byte("yesterday's"), 0o600))
			link := path + ".link"
			must(t, os.Symlink(path, link))
			if code, said := into(t, open(t, os.DevNull), strings.Fields(strings.Replace(line, "FILE", link, 1))...); code != 0 {
				t.Fatal(said)
			}
			b, err := os.ReadFile(path)
			must(t, err)
			stat, err := os.Lstat(link)
			must(t, err)
			if string(b) == "yesterday's" || stat.Mode()&os.ModeSymlink == 0 {
				t.Errorf("%q behind a link of mode %v", b[:min(len(b), 20)], stat.Mode())
			}
			if stat, err := os.Stat(path); err != nil || stat.Mode().Perm() != 0o600 {
				t.Errorf("its mode is now %v, %v", stat, err)
			}
			if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 2 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}
