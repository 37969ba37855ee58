package testnet

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/internal/files"
)

func ready(t *testing.T, c *Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ReadyWithin)
	defer cancel()
	if err := c.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestLivesOfAReplica: every condition, every way there, each of them twice.
func TestLivesOfAReplica(t *testing.T) {
	c := made(t, Options{Seed: "lives"})
	if _, err := c.Up(); err != nil {
		t.Fatal(err)
	}
	ready(t, c)
	if started, err := c.Up(); err != nil || len(started) != 0 {
		t.Errorf("up again started %v: %v", started, err)
	}
	steps := []struct {
		name string
		do   func(int) error
		want Condition
	}{
		{"pause", c.Pause, Paused}, {"pause again", c.Pause, Paused}, {"resume", c.Resume, Running}, {"resume again", c.Resume, Running},
		{"kill", c.Kill, Stopped}, {"kill again", c.Kill, Stopped}, {"restart", c.Restart, Running}, {"restart again", c.Restart, Running},
		{"pause before wipe", c.Pause, Paused}, {"wipe", c.Wipe, Running},
	}
	for _, s := range steps {
		if err := s.do(3); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		// A signal is under way for a moment.
		for end := time.Now().Add(5 * time.Second); c.Status(t.Context(), 3).Condition != s.want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: got %s, want %s", s.name, c.Status(t.Context(), 3).Condition, s.want)
			}
		}
	}
	ready(t, c)
	if u, err := c.Usage(3); err != nil || u.RSSBytes < 1<<20 {
		t.Errorf("usage %+v: %v", u, err)
	}
	if page, err := c.Metrics(t.Context(), 3); err != nil || !bytes.Contains(page, []byte("quorate_replica")) {
		t.Errorf("metrics: %v", err)
	}
	for range 2 {
		if err := c.Down(); err != nil {
			t.Fatal(err)
		}
	}
	for _, do := range []func(int) error{c.Pause, c.Resume} {
		if err := do(3); !errors.Is(err, ErrNotRunning) {
			t.Errorf("got %v, want %v", err, ErrNotRunning)
		}
	}
	if err := c.Kill(4); err == nil || !strings.Contains(err.Error(), "has 0 to 3") {
		t.Errorf("got %v", err)
	}
}

// TestEndsOfLogs: a replica that ends at once is found out, with what it said.
func TestEndsOfLogs(t *testing.T) {
	c := made(t, Options{Seed: "tail", Replicas: 1})
	c.Command = func(string) []string { return []string{"sh", "-c", "echo the disk is on fire >&2; exit 7"} }
	_, err := c.Up()
	if err == nil {
		err = c.AwaitReady(t.Context())
	}
	if err == nil || !strings.Contains(err.Error(), "the disk is on fire") {
		t.Errorf("got %v", err)
	}
}

// TestRestartSaysThatItFailed: success is that the process lives, and the status
// of one that does not says why.
func TestRestartSaysThatItFailed(t *testing.T) {
	c := made(t, Options{Seed: "dead at once", Replicas: 1})
	c.Command = func(string) []string {
		return []string{"sh", "-c", "echo first >&2; echo the disk is on fire >&2; exit 7"}
	}
	err := c.Restart(0)
	if err == nil || !strings.Contains(err.Error(), "the disk is on fire") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if s := c.Status(t.Context(), 0); s.Condition != Stopped || !strings.Contains(s.Health, "the disk is on fire") || !strings.Contains(s.Health, c.replica(0).logFile) {
		t.Errorf("got %+v", s)
	}
}

// TestAnotherGenesisIsRefused: a home without data would run unheard for ever.
func TestAnotherGenesisIsRefused(t *testing.T) {
	c, other := made(t, Options{Seed: "one", Replicas: 1}), made(t, Options{Seed: "other", Replicas: 1})
	if err := genesis.Save(c.Home(0)+"/genesis.toml", other.genesisFile()); err != nil {
		t.Fatal(err)
	}
	for name, start := range map[string]func() error{
		"up": func() error { _, err := c.Up(); return err }, "restart": func() error { return c.Restart(0) },
	} {
		err := start()
		ours, theirs := c.Genesis.ID().Short(), other.Genesis.ID().Short()
		if err == nil || !strings.Contains(err.Error(), ours) || !strings.Contains(err.Error(), theirs) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line with %s and %s", name, err, ours, theirs)
		}
	}
}

// TestExchangedHomesAreRefused: a command to the one replica would do it to the other.
func TestExchangedHomesAreRefused(t *testing.T) {
	c := made(t, Options{Seed: "two", Replicas: 2})
	aside := filepath.Join(c.Dir, "aside")
	for _, move := range [][2]string{{c.Home(0), aside}, {c.Home(1), c.Home(0)}, {aside, c.Home(1)}} {
		if err := os.Rename(move[0], move[1]); err != nil {
			t.Fatal(err)
		}
	}
	up := func() error { _, err := c.Up(); return err }
	for name, err := range map[string]error{"up": up(), "restart": c.Restart(1), "check": c.Fits(0)} {
		if err == nil || !strings.Contains(err.Error(), "is the home of replica ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c.AnyRunning() {
		t.Error("one of them runs")
	}
}

// TestNobodyElseIsSignalled: a pid that belongs to somebody who started at
// another time, or before the last boot, is nobody of ours.
func TestNobodyElseIsSignalled(t *testing.T) {
	home := t.TempDir()
	path := home + "/pid"
	if err := recordProcess(path, home, os.Getpid()); err != nil {
		t.Fatal(err)
	}
	var f processFile
	if err := files.ReadTOML(path, &f); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		file  processFile
		found bool
	}{
		"ours":         {f, true},
		"started late": {processFile{f.Pid, f.Start + 1, f.Boot, f.Home}, false},
		"other boot":   {processFile{f.Pid, f.Start, f.Boot + "x", f.Home}, false},
		"other pid":    {processFile{1, f.Start, f.Boot, f.Home}, false},
		"no pid":       {processFile{1 << 30, f.Start, f.Boot, f.Home}, false},
		"older file":   {processFile{f.Pid, f.Start, f.Boot, ""}, true},
	} {
		if err := files.WriteTOML(path, "", 0o644, test.file); err != nil {
			t.Fatal(err)
		}
		if p, err := find(path, home); err != nil || (p != nil) != test.found {
			t.Errorf("%s: found %v, %v", name, p, err)
		}
	}
}

// TestOneCommandAtATime: who starts and stops a cluster has it alone.
func TestOneCommandAtATime(t *testing.T) {
	c := made(t, Options{Seed: "hold", Replicas: 1})
	release, err := c.hold()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Up(); err == nil || !strings.Contains(err.Error(), "another quorate testnet command") {
		t.Errorf("got %v", err)
	}
	release()
	if err := c.Down(); err != nil {
		t.Error(err)
	}
}

// TestWipeWhereNoneMayForget: nothing is removed that could not come back.
func TestWipeWhereNoneMayForget(t *testing.T) {
	c := made(t, Options{Seed: "three", Replicas: 3})
	if err := c.Wipe(1); err == nil || !strings.Contains(err.Error(), "nothing was removed") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(c.Home(1) + "/data/birth"); err != nil {
		t.Error(err)
	}
}

// TestTableAndScreen: the same rows, plainly and redrawn in place.
func TestTableAndScreen(t *testing.T) {
	report := &consensus.Report{Ready: true}
	report.View, report.Applied, report.RootSeq, report.Primary = 3, 70, 64, 0
	report.Root[0] = 0xab
	all := []ReplicaStatus{
		{Replica: 0, Protocol: "pbft", Address: "127.0.0.1:1", Condition: Running, Ready: true, Health: "ready", Report: report},
		{Replica: 1, Address: "127.0.0.1:2", Condition: Stopped, Health: "stopped"},
	}
	var plainTable, drawn bytes.Buffer
	if err := WriteTable(&plainTable, all, 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0 primary", "70", "ab000000 @ 64", "stopped"} {
		if !strings.Contains(plainTable.String(), want) {
			t.Errorf("no %q in\n%s", want, plainTable.String())
		}
	}
	var ofRaft bytes.Buffer
	all[0].Protocol = "raft"
	if err := WriteTable(&ofRaft, all, 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0 leader", "TERM", "INDEX"} {
		if !strings.Contains(ofRaft.String(), want) {
			t.Errorf("no %q in\n%s", want, ofRaft.String())
		}
	}
	if line := plain(all[0]); !strings.Contains(line, "term 3, leader 0") {
		t.Errorf("got %q", line)
	}
	var s screen
	for range 2 {
		if err := s.draw(&drawn, all); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(drawn.String(), "\x1b[3A"); got != 1 {
		t.Errorf("the cursor went up %d times, want once: %q", got, drawn.String())
	}
	known := make([]string, 2)
	var lines bytes.Buffer
	for range 3 {
		if err := show(&lines, false, &s, known, all); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(lines.String(), "\n"); got != 2 {
		t.Errorf("%d plain lines, want one per replica:\n%s", got, lines.String())
	}
}

// TestTableFitsANarrowTerminal: all columns of a usual row within 80.
func TestTableFitsANarrowTerminal(t *testing.T) {
	report := &consensus.Report{Ready: true}
	report.View, report.Applied, report.RootSeq = 12, 70000, 64000
	all := []ReplicaStatus{{Protocol: "pbft", PeerID: "12D3KooWabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNTAILTAIL", Address: "127.0.0.1:12345", Ready: true, Health: "ready", Report: report}}
	var table bytes.Buffer
	if err := WriteTable(&table, all, 80); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(table.String()) {
		if len(line) > 81 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
	if !strings.Contains(table.String(), " TAILTAIL ") || len(all[0].PeerID) < 20 {
		t.Errorf("got\n%s", table.String())
	}
}

// TestSettledNamesWhoDiffers: readiness first, then height and root.
func TestSettledNamesWhoDiffers(t *testing.T) {
	at := func(seq consensus.Seq, root byte) ReplicaStatus {
		r := &consensus.Report{Ready: true}
		r.Applied, r.RootSeq, r.Root[0] = seq, seq/8*8, root
		return ReplicaStatus{Ready: true, Report: r}
	}
	for name, test := range map[string]struct {
		second ReplicaStatus
		want   bool
	}{
		"same": {at(9, 1), true}, "behind": {at(8, 1), false}, "other root": {at(9, 2), false}, "silent": {ReplicaStatus{Health: "no answer"}, false},
	} {
		if got, why := Settled([]ReplicaStatus{at(9, 1), test.second}); got != test.want || got == (why != "") {
			t.Errorf("%s: got %t, %q", name, got, why)
		}
	}
}
