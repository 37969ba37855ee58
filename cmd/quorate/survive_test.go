package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/files"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/testnet"
)

// startCluster makes a cluster of real processes, ready, which ends with the test.
func startCluster(t *testing.T, o testnet.Options) *testnet.Cluster {
	t.Helper()
	o.Dir = filepath.Join(t.TempDir(), "net")
	c, err := testnet.Init(o)
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("quorate")
	if err != nil {
		t.Fatal(err)
	}
	c.Command = func(dir string) []string { return append([]string{program}, testnet.Arguments(dir)...) }
	t.Cleanup(func() {
		if err := c.Down(); err != nil {
			t.Errorf("down: %v", err)
		}
		if t.Failed() {
			for i := range c.Size() {
				t.Logf("replica %d:\n%s", i, c.Tail(i))
			}
		}
	})
	must(t, up(t, c))
	return c
}

func up(t *testing.T, c *testnet.Cluster) error {
	if _, err := c.Up(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), testnet.ReadyWithin)
	defer cancel()
	return c.AwaitReady(ctx)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// quick makes checkpoints frequent and view changes early.
func quick(o testnet.Options) testnet.Options {
	o.Adjust = func(g *consensus.Genesis) { g.CheckpointInterval, g.Window = 8, 32 }
	o.Settings = func(_ int, c *home.Config) { c.Engine.Patience = files.Duration(400 * time.Millisecond) }
	return o
}

// quorateCommand runs the program to its end.
func quorateCommand(t *testing.T, args ...string) (stdout string, err error) {
	cmd := exec.CommandContext(t.Context(), "quorate", args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("quorate %s: %w: %s", strings.Join(args, " "), err, problems.String())
	}
	return out.String(), err
}

// awaitApplied waits until replica i has executed up to seq.
func awaitApplied(t *testing.T, c *testnet.Cluster, i int, seq consensus.Seq) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		s := c.Status(t.Context(), i)
		if s.Report != nil && s.Report.Applied >= seq {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("replica %d has not reached %d: %+v", i, seq, s)
		}
	}
}

// settle waits until all replicas have the same state, and passes one more
// checkpoint first, so that the roots that are compared cover everything.
func settle(t *testing.T, c *testnet.Cluster) []testnet.ReplicaStatus {
	t.Helper()
	for i := range int(c.Genesis.CheckpointInterval) {
		_, err := quorateCommand(t, "kv", "put", "--dir", c.Dir, fmt.Sprintf("zz/settle/%d", i), "x")
		must(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	all := settled(ctx, t, c)
	if all[0].Report.RootSeq == 0 {
		t.Fatal("no checkpoint was passed: the roots say nothing")
	}
	return all
}

// settled looks twice: a report is as old as the last tick, and may be of before
// the last request.
func settled(ctx context.Context, t *testing.T, c *testnet.Cluster) []testnet.ReplicaStatus {
	t.Helper()
	for {
		must(t, c.AwaitSettled(ctx))
		all := c.Statuses(ctx)
		if ok, _ := testnet.Settled(all); ok {
			return all
		}
	}
}

// leaderOf is the primary, or the leader, and its view or term.
func leaderOf(t *testing.T, c *testnet.Cluster) (id int, view consensus.View) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		for _, s := range c.Statuses(t.Context()) {
			if r := s.Report; r != nil && r.Primary == r.Replica && !r.Changing {
				return s.Replica, r.View
			}
		}
		if time.Now().After(end) {
			t.Fatal("nobody leads")
		}
	}
}

// importThroughCrash imports a tree while the primary, or the leader, is killed
// once it has executed some of it, and restarted later; then exports it and
// compares.
func importThroughCrash(t *testing.T, c *testnet.Cluster, tree string, killAt consensus.Seq, parallel string) {
	lead, view := leaderOf(t, c)
	other := (lead + 1) % c.Size()
	imported := make(chan error, 1)
	go func() {
		out, err := quorateCommand(t, "kv", "import", "--dir", c.Dir, "--prefix", "src/", "--parallel", parallel, tree)
		t.Log(strings.TrimSpace(out))
		imported <- err
	}()
	awaitApplied(t, c, lead, killAt)
	must(t, c.Kill(lead))
	select {
	case err := <-imported:
		t.Fatalf("the import was over before the primary was killed: %v", err)
	default:
	}
	// What the others executed after it is gone, they executed in another view.
	reached := c.Status(t.Context(), other).Report
	if reached == nil {
		t.Fatalf("replica %d does not answer", other)
	}
	awaitApplied(t, c, other, reached.Applied+4)
	must(t, c.Restart(lead))
	must(t, <-imported)
	all := settle(t, c)
	if all[0].Report.View <= view {
		t.Fatalf("still in view %d: the death of replica %d was no hindrance, or came too late", view, lead)
	}
	page, err := c.Metrics(t.Context(), other)
	must(t, err)
	for _, want := range []string{`quorate_info{protocol="` + c.Genesis.Protocol + `"} 1`, `quorate_frames_sent_total{class="votes"} `, `quorate_bytes_sent_total{class="votes"} `} {
		if text := string(page); !strings.Contains(text, want) || strings.Contains(text, want+"0\n") {
			t.Errorf("the metrics do not have %q", want)
		}
	}
	out := filepath.Join(t.TempDir(), "out")
	text, err := quorateCommand(t, "kv", "export", "--dir", c.Dir, "--prefix", "src/", out)
	must(t, err)
	t.Log(strings.TrimSpace(text))
	if diff := compareTrees(tree, out); diff != "" {
		t.Fatal(diff)
	}
	t.Logf("all replicas at %d, root %s at %d, view %d", all[0].Report.Applied, all[0].Report.Root.Short(), all[0].Report.RootSeq, all[0].Report.View)
}

// goSource is the source tree that the toolchain ships.
func goSource(t *testing.T) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	must(t, err)
	return filepath.Join(strings.TrimSpace(string(root)), "src")
}

// ofEach runs a test for a cluster of each protocol.
func ofEach(t *testing.T, test func(t *testing.T, protocol string)) {
	for _, name := range protocol.Names() {
		t.Run(name, func(t *testing.T) { test(t, name) })
	}
}

// TestImportThroughCrash: real input, a real crash of the primary, nothing lost.
func TestImportThroughCrash(t *testing.T) {
	t.Parallel()
	ofEach(t, func(t *testing.T, protocol string) {
		t.Parallel()
		tree := filepath.Join(goSource(t), "net")
		if testing.Short() {
			tree = filepath.Join(tree, "http")
		}
		c := startCluster(t, quick(testnet.Options{Protocol: protocol}))
		importThroughCrash(t, c, tree, 12, "4")
	})
}

// TestPowerLossOfAll: all replicas are killed at once under load; after the
// restart every write that was acknowledged is there.
func TestPowerLossOfAll(t *testing.T) {
	t.Parallel()
	ofEach(t, powerLossOfAll)
}

func powerLossOfAll(t *testing.T, protocol string) {
	t.Parallel()
	c := startCluster(t, quick(testnet.Options{Protocol: protocol}))
	acknowledged := writeUntilDeath(t, c, 300)
	must(t, up(t, c))
	store, done := connect(t, c, c.ClientKey())
	defer done()
	for key, value := range acknowledged {
		e, found, err := store.Get(t.Context(), []byte(key))
		if err != nil || !found || string(e.Value) != value {
			t.Fatalf("%s was acknowledged with %q, and now: %q, found %t, %v", key, value, e.Value, found, err)
		}
	}
	settle(t, c)
	t.Logf("%d acknowledged writes are there", len(acknowledged))
}

// writeUntilDeath writes with many callers, kills all replicas once enough
// writes were acknowledged, and answers those that were, up to the last moment.
func writeUntilDeath(t *testing.T, c *testnet.Cluster, enough int) map[string]string {
	store, done := connect(t, c, c.BenchKey())
	defer done()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	acknowledged := map[string]string{}
	reached := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 16 {
		writers.Go(func() {
			for n := 0; ; n++ {
				key, value := fmt.Sprintf("w/%d/%d", w, n), fmt.Sprintf("value %d of %d", n, w)
				if _, err := store.Put(ctx, []byte(key), []byte(value)); err != nil {
					return
				}
				mu.Lock()
				if acknowledged[key] = value; len(acknowledged) == enough {
					close(reached)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-reached:
	case <-time.After(time.Minute):
		t.Error("not enough writes were acknowledged")
	}
	var kills sync.WaitGroup
	for i := range c.Size() {
		kills.Go(func() {
			if err := c.Kill(i); err != nil {
				t.Error(err)
			}
		})
	}
	kills.Wait()
	cancel()
	writers.Wait()
	return acknowledged
}

func connect(t *testing.T, c *testnet.Cluster, keyFile string) (store client.KV, done func()) {
	t.Helper()
	seed, err := home.ReadKey(keyFile, nil)
	must(t, err)
	cl, err := client.Dial(t.Context(), client.Config{Genesis: &c.Genesis, Key: seed, Addresses: c.Addresses()})
	must(t, err)
	return client.KV{Invoker: cl}, func() { _ = cl.Close() }
}

// TestStrangersPidIsNotSignalled: a pid file whose process has another start
// time names nobody.
func TestStrangersPidIsNotSignalled(t *testing.T) {
	t.Parallel()
	c := startCluster(t, quick(testnet.Options{Replicas: 1}))
	pidFile := filepath.Join(c.Home(0), "pid")
	forge := func(path string) (was []byte) {
		was, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, []byte(strings.Replace(string(was), "start = ", "start = 1", 1)), 0o644))
		return was
	}
	was := forge(pidFile)
	if s := c.Status(t.Context(), 0); s.Condition != testnet.Running || !strings.Contains(s.Health, "its pid file names another") {
		t.Errorf("by its lock alone it is %s, %s", s.Condition, s.Health)
	}
	forge(filepath.Join(c.Home(0), "data", "lock"))
	if s := c.Status(t.Context(), 0); s.Condition != testnet.Stopped {
		t.Errorf("a process with another start time counts as %s", s.Condition)
	}
	if err := c.Kill(0); !errors.Is(err, testnet.ErrNotRunning) {
		t.Errorf("kill of a process that nothing names: %v", err)
	}
	must(t, os.WriteFile(pidFile, was, 0o644))
	if s := c.Status(t.Context(), 0); s.Condition != testnet.Running {
		t.Errorf("the process was signalled by a pid file that did not name it: %s", s.Condition)
	}
}

// TestInterruptStopsTheForeground: up without --detach shows plain lines where
// there is no terminal, and an interrupt stops all replicas.
func TestInterruptStopsTheForeground(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "net")
	c, err := testnet.Init(quick(testnet.Options{Dir: dir}))
	must(t, err)
	t.Cleanup(func() { must(t, c.Down()) })
	cmd := exec.Command("quorate", "testnet", "up", "--dir", dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if ok, why := testnet.Settled(c.Statuses(t.Context())); ok {
			break
		} else if time.Now().After(end) {
			t.Fatal(why)
		}
	}
	must(t, cmd.Process.Signal(os.Interrupt))
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("it ended with %v, want exit code %d", err, exitInterrupted)
	}
	for _, s := range c.Statuses(t.Context()) {
		if s.Condition != testnet.Stopped {
			t.Errorf("replica %d is %s", s.Replica, s.Condition)
		}
	}
	if got := out.String(); !strings.Contains(got, "replica 2 127.0.0.1:") || strings.Contains(got, "\x1b") {
		t.Errorf("got %q", got)
	}
}
