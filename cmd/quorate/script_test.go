package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"quorate.dev/quorate/testnet"
)

// TestMain puts this very program in the path of scripts and tests as quorate,
// which is also how replicas' processes start.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"quorate": main, "counter": counterMain, "slack": slackMain})
}

// TestScripts runs the sessions in testdata, each in a directory of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			// Scripts that wait for a view change should not wait long.
			e.Vars = append(e.Vars, "QUORATE_ENGINE_PATIENCE=400ms")
			e.Defer(func() { stopClusters(t, e.WorkDir) })
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"replace": replaceInFile, "occupy": occupy, "bytes": writeBytes, "same": sameTrees, "exits": exits,
			"awaits": awaits, "flip": flipByte, "first": firstFile, "kill-leader": killLeader, "leader": leader,
		},
	})
}

// stopClusters ends whatever a script has left running.
func stopClusters(t *testing.T, dir string) {
	all, err := filepath.Glob(filepath.Join(dir, "*", "testnet.toml"))
	if err != nil {
		t.Error(err)
	}
	for _, manifest := range all {
		stopCluster(t, filepath.Dir(manifest))
	}
}

// stopCluster ends whatever a test has left running of one cluster.
func stopCluster(t *testing.T, dir string) {
	c, err := testnet.OpenManifest(dir)
	if err != nil {
		return // damaged before anything was started
	}
	if err := c.Down(); err != nil {
		t.Errorf("down: %v", err)
	}
}

// exits: exits CODE COMMAND ARG... runs a command that must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	var failed *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); !errors.As(err, &failed) || strconv.Itoa(failed.ExitCode()) != args[0] {
		ts.Fatalf("got %v, want exit code %s", err, args[0])
	}
}

// replaceInFile: replace FILE OLD NEW puts NEW in the place of the first OLD,
// which must be there.
func replaceInFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	if !bytes.Contains(b, []byte(args[1])) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, bytes.Replace(b, []byte(args[1]), []byte(args[2]), 1), 0o600))
}

// occupy: occupy DIR N listens on the address of replica N until the script's end.
func occupy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: occupy DIR N")
	}
	c, err := testnet.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	l, err := net.Listen("tcp", c.Manifest.Replicas[args[1][0]-'0'].Address)
	ts.Check(err)
	ts.Defer(func() { ts.Check(l.Close()) })
}

// writeBytes: bytes FILE writes every byte value, twice, in two orders.
func writeBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: bytes FILE")
	}
	var b []byte
	for i := range 512 {
		b = append(b, byte(i*(1+i/256*6)))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}

// awaits: awaits REGEXP COMMAND ARG... runs a command again and again until its
// output has the expression, however it ends.
func awaits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: awaits REGEXP COMMAND ARG...")
	}
	want := regexp.MustCompile("(?m)" + args[0])
	for end := time.Now().Add(testnet.ReadyWithin); ; time.Sleep(100 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if out := ts.ReadFile("stdout"); want.MatchString(out) {
			return
		} else if time.Now().After(end) {
			ts.Fatalf("gave up waiting for %q in (%v):\n%s", args[0], err, out)
		}
	}
}

// flipByte: flip FILE changes one bit in the middle of it.
func flipByte(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flip FILE")
	}
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	b[len(b)/2] ^= 1
	ts.Check(os.WriteFile(path, b, 0o644))
}

// firstFile: first DIR FILE copies the first file of a directory.
func firstFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: first DIR FILE")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) == 0 {
		ts.Fatalf("%s is empty", args[0])
	}
	b, err := os.ReadFile(filepath.Join(ts.MkAbs(args[0]), entries[0].Name()))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o644))
}

// killLeader: kill-leader kills whoever leads the script's cluster.
func killLeader(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: kill-leader")
	}
	c, leader := whoLeads(ts)
	ts.Check(c.Kill(leader))
}

// leader: leader NAME sets the variable NAME to the number of the replica that leads,
// when one does. Which one it is nobody can tell before, on a busy machine.
func leader(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: leader NAME")
	}
	_, leader := whoLeads(ts)
	ts.Setenv(args[0], strconv.Itoa(leader))
}

// whoLeads waits until a replica of the script's cluster leads.
func whoLeads(ts *testscript.TestScript) (c *testnet.Cluster, leader int) {
	c, err := testnet.Open(ts.MkAbs(cmp.Or(ts.Getenv("QUORATE_DIR"), "quorate-testnet")))
	ts.Check(err)
	for end := time.Now().Add(testnet.ReadyWithin); ; time.Sleep(20 * time.Millisecond) {
		for _, s := range c.Statuses(context.Background()) {
			if r := s.Report; r != nil && r.Primary == r.Replica && !r.Changing {
				return c, s.Replica
			}
		}
		if time.Now().After(end) {
			ts.Fatalf("nobody leads")
		}
	}
}

// sameTrees: same A B compares two trees of regular files.
func sameTrees(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: same A B")
	}
	if diff := compareTrees(ts.MkAbs(args[0]), ts.MkAbs(args[1])); diff != "" {
		ts.Fatalf("%s", diff)
	}
}
