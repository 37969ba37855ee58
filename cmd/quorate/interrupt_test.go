//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/testnet"
)

// interruption is a command that would go on for long, and how it must end.
type interruption struct {
	args  string // DIR is a cluster, STUCK one that cannot answer, TMP a directory of the test's
	says  string // on stderr
	input bool   // stdin is a pipe that never ends
}

// interruptions are commands in the middle of everything that takes long.
var interruptions = map[string]interruption{
	"costs":            {args: "costs --decisions 10000", says: "quorate: interrupted"},
	"sim":              {args: "sim --seeds 100000000", says: "quorate: interrupted"},
	"twins":            {args: "sim twins --twins 2", says: "quorate: interrupted"},
	"bounds":           {args: "bounds --parallel 1", says: "quorate: interrupted: "},
	"cap":              {args: "cap --seeds 1000000", says: "quorate: interrupted: "},
	"profile":          {args: "byzantine run --seeds 100000000 silent", says: "quorate: interrupted"},
	"scenario":         {args: "byzantine scenario TMP/fifo", says: "quorate: interrupted"},
	"compare":          {args: "testnet compare --duration 10m", says: "stopping both clusters"},
	"bounds, real":     {args: "bounds --real", says: "quorate: interrupted"},
	"profile, real":    {args: "byzantine run --real silent", says: "quorate: interrupted"},
	"bench, temporary": {args: "bench --temporary --duration 10m", says: "quorate: interrupted"},
	"bench":            {args: "bench --dir DIR --duration 10m", says: "quorate: interrupted"},
	"bench, stuck":     {args: "bench --dir STUCK --duration 10m", says: "keys below bench/ are left in the store: `quorate bench --sweep --dir STUCK` removes them"},
	"put":              {args: "kv put --dir STUCK k v", says: "the operation may have been executed: read before writing again"},
	"put, stdin":       {args: "kv put --dir DIR k", says: "quorate: interrupted", input: true},
	"put, file":        {args: "kv put --dir DIR --file TMP/fifo k", says: "quorate: interrupted"},
	"get":              {args: "kv get --dir STUCK k", says: "nothing was changed, it only reads"},
	"range":            {args: "kv range --dir STUCK", says: "nothing was changed, it only reads"},
	"txn":              {args: "kv txn --dir STUCK", says: "", input: true},
	"invoke":           {args: "invoke --dir STUCK hex:00", says: "the operation may have been executed"},
	"import":           {args: "kv import --dir STUCK TMP/tree", says: "0 of 3 files are stored, and up to 3 more may be: run the same import again"},
	"export":           {args: "kv export --dir STUCK TMP/out", says: "nothing was written"},
	"settled":          {args: "testnet status --settled --timeout 1h --dir STUCK", says: "quorate: interrupted"},
	"key":              {args: "keys show TMP/fifo", says: "quorate: interrupted"},
	"up":               {args: "testnet up --dir TMP/net", says: "stopping"},
	"node":             {args: "node --home TMP/one/replica-0", says: ""},
}

// stuckCluster is one of which too many are paused to answer anything.
func stuckCluster(t *testing.T) *testnet.Cluster {
	c := startCluster(t, testnet.Options{Seed: "stuck"})
	must(t, c.Pause(1))
	must(t, c.Pause(2))
	return c
}

// begin starts a command with its own directory for temporary files.
func begin(t *testing.T, tmp string, input bool, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	cmd, stderr = exec.Command("quorate", args...), &bytes.Buffer{}
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	cmd.Stdout, cmd.Stderr = io.Discard, stderr
	if input {
		_, err := cmd.StdinPipe()
		must(t, err)
	}
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended, or the test has failed
	return cmd, stderr
}

// interrupt runs a command and ends it by a signal when it listens. One that was so
// slow to begin that the signal came before is given more time.
func interrupt(t *testing.T, s syscall.Signal, tmp string, input bool, args ...string) (code int, stderr string) {
	t.Helper()
	for wait := 500 * time.Millisecond; ; wait *= 2 {
		cmd, said := begin(t, tmp, input, args...)
		time.Sleep(wait)
		must(t, cmd.Process.Signal(s))
		_ = cmd.Wait() // the code says it
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || wait > time.Minute {
			return cmd.ProcessState.ExitCode(), said.String()
		}
	}
}

// TestInterrupts: every command ends, with its code, says where things stand, and
// leaves neither processes nor files behind.
func TestInterrupts(t *testing.T) {
	c, stuck, shared := startCluster(t, testnet.Options{Seed: "interrupts"}), stuckCluster(t), t.TempDir()
	for i := range 3 {
		must(t, os.MkdirAll(filepath.Join(shared, "tree"), 0o755))
		must(t, os.WriteFile(filepath.Join(shared, "tree", fmt.Sprint(i)), []byte("x"), 0o644))
	}
	must(t, syscall.Mkfifo(filepath.Join(shared, "fifo"), 0o600))
	_, err := testnet.Init(testnet.Options{Dir: filepath.Join(shared, "one")})
	must(t, err)
	names := strings.NewReplacer("DIR", c.Dir, "STUCK", stuck.Dir, "TMP", shared)
	for name, test := range interruptions {
		t.Run(name, func(t *testing.T) {
			tmp := t.TempDir()
			code, said := interrupt(t, syscall.SIGINT, tmp, test.input, strings.Fields(names.Replace(test.args))...)
			if code != exitInterrupted || !strings.Contains(said, names.Replace(test.says)) {
				t.Errorf("exit code %d, %s", code, said)
			}
			if strings.Contains(said, "--sweep") { // it had no time to remove its keys, and says what does
				_, err := quorateCommand(t, "bench", "--sweep", "--dir", c.Dir)
				must(t, err)
			}
			if strings.Contains(said, "interrupted: interrupted") {
				t.Errorf("it says so twice: %s", said)
			}
			if strings.Contains(said, "context canceled") {
				t.Errorf("in the words of a library: %s", said)
			}
			noneLeft(t, tmp)
		})
	}
	if left, err := quorateCommand(t, "kv", "range", "--keys", "--prefix", "bench/", "--dir", c.Dir); err != nil || left != "" {
		t.Errorf("%d keys are left, %v", strings.Count(left, "\n"), err)
	}
	must(t, stuck.Resume(1))
	must(t, stuck.Resume(2))
	_, err = quorateCommand(t, "bench", "--sweep", "--dir", stuck.Dir)
	must(t, err)
	if left, err := quorateCommand(t, "kv", "range", "--keys", "--prefix", "bench/", "--dir", stuck.Dir); err != nil || left != "" {
		t.Errorf("%d keys are left after a sweep, %v", strings.Count(left, "\n"), err)
	}
}

// noneLeft fails if a directory for temporary files still has some, or processes that
// work there.
func noneLeft(t *testing.T, tmp string) {
	t.Helper()
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, p := range processes {
		if line, err := os.ReadFile(p); err == nil && bytes.Contains(line, []byte(tmp)) {
			t.Errorf("a process is left: %q", line)
		}
	}
}

// TestTermination: SIGTERM is an interruption with a code of its own.
func TestTermination(t *testing.T) {
	if code, said := interrupt(t, syscall.SIGTERM, t.TempDir(), false, "sim", "--seeds", "100000000"); code != 143 || !strings.Contains(said, "quorate: terminated") {
		t.Errorf("exit code %d, %s", code, said)
	}
}

// TestSecondInterrupt: who presses Ctrl-C again waits for nothing more.
func TestSecondInterrupt(t *testing.T) {
	tmp := t.TempDir()
	fifo := filepath.Join(tmp, "fifo")
	must(t, syscall.Mkfifo(fifo, 0o600))
	cmd, _ := begin(t, tmp, false, "keys", "show", fifo)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case <-ended:
			if code := cmd.ProcessState.ExitCode(); code != -1 && code != exitInterrupted {
				t.Errorf("exit code %d", code)
			}
			return
		case <-time.After(50 * time.Millisecond):
			_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		}
	}
}
