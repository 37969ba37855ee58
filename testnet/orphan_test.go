package testnet

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pids are the processes of a cluster.
func pids(t *testing.T, c *Cluster) (all []int) {
	t.Helper()
	for i := range c.Size() {
		p, err := c.replica(i).process()
		if err != nil || p == nil {
			t.Fatalf("replica %d: process %v, %v", i, p, err)
		}
		all = append(all, p.pid)
	}
	return all
}

// ends waits until processes have ended.
func ends(t *testing.T, pids []int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); slices.ContainsFunc(pids, func(pid int) bool { return condition(pid) != Stopped }); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("processes of %v are still running", pids)
		}
	}
}

// A process whose pid file cannot be written is ended: nothing could stop it later.
func TestUnregisteredProcessIsEnded(t *testing.T) {
	c := made(t, Options{Replicas: 1})
	told := filepath.Join(c.Dir, "told")
	c.Command = func(string) []string { return []string{"sh", "-c", "echo $$ >" + told + "; exec sleep 1000"} }
	c.Manifest.Replicas[0].Pid = "full/pid" // there is no room: no directory
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	_, err := c.Up()
	if err == nil || !strings.Contains(err.Error(), "its pid file cannot be written") || strings.Contains(err.Error(), "as soon as") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if b, err := os.ReadFile(told); err == nil && len(b) > 0 {
		t.Logf("it ran as %s", b)
		if out, err := exec.Command("ps", "-o", "stat=", "-p", strings.TrimSpace(string(b))).Output(); err == nil {
			t.Errorf("it runs: %s", out)
		}
	}
	// The advice: make room, and start again.
	if err := os.Mkdir(filepath.Join(c.Dir, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.Command = nil
	if _, err := c.Up(); err != nil {
		t.Fatal(err)
	}
	ready(t, c)
}

// A replica whose starter dies before it has written the pid file ends.
func TestProcessWithoutItsStarterEnds(t *testing.T) {
	c := made(t, Options{Replicas: 1})
	command, err := c.command(c.Home(0))
	if err != nil {
		t.Fatal(err)
	}
	cmd, leash, err := spawn(command, c.replica(0).logFile, leashLoose)
	if err != nil {
		t.Fatal(err)
	}
	if err := leash.ours.Close(); err != nil { // as its end would
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || !strings.Contains(c.Tail(0), errUnregistered.Error()) {
		t.Errorf("ended with %v: %s", err, c.Tail(0))
	}
}

// Replicas that are tied to their starter end with it, killed as it may be.
func TestTiedReplicasEndWithTheirStarter(t *testing.T) {
	c := made(t, Options{})
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), superviseDir+"="+c.Dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "up: <nil>\n" {
		t.Errorf("the starter says %q, %v", line, err)
	}
	running := pids(t, c)
	ready(t, c)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	ends(t, running)
}

// A cluster whose directory is removed, or moved, ends by itself, and is not made
// again by whoever would stop it.
func TestClusterWithoutItsDirectoryEnds(t *testing.T) {
	for name, take := range map[string]func(dir string) error{
		"removed":      os.RemoveAll,
		"moved":        func(dir string) error { return os.Rename(dir, dir+"-elsewhere") },
		"data removed": func(dir string) error { return os.RemoveAll(filepath.Join(dir, "replica-0", "data")) },
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Init(Options{Dir: filepath.Join(t.TempDir(), "net"), Replicas: 1})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Up(); err != nil {
				t.Fatal(err)
			}
			ready(t, c)
			log, err := os.Open(c.replica(0).logFile)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			running := pids(t, c)
			if err := take(c.Dir); err != nil {
				t.Fatal(err)
			}
			ends(t, running)
			b := make([]byte, 1<<16)
			n, _ := log.Read(b)
			if !strings.Contains(string(b[:n]), "home is gone") {
				t.Errorf("its log does not say why it ended: %s", b[:n])
			}
			if name == "data removed" {
				return
			}
			if err := c.Down(); !errors.Is(err, ErrNoCluster) {
				t.Errorf("down: %v", err)
			}
			if _, err := os.Stat(c.Dir); err == nil {
				t.Error("the directory is there again")
			}
		})
	}
}

// A replica whose pid file was removed is found by the lock of its data: it is shown,
// can be commanded and ended, and gets its pid file again.
func TestReplicaWithoutItsPidFileIsFound(t *testing.T) {
	c := made(t, Options{Replicas: 1})
	if _, err := c.Up(); err != nil {
		t.Fatal(err)
	}
	ready(t, c)
	running := pids(t, c)
	unfile := func() {
		t.Helper()
		if err := os.Remove(c.replica(0).pidFile); err != nil {
			t.Fatal(err)
		}
		s := c.Status(t.Context(), 0)
		if s.Pid != running[0] || !s.Ready || !strings.HasPrefix(s.Health, "running, its pid file is gone") || !c.AnyRunning() {
			t.Fatalf("its status is %+v", s)
		}
	}
	unfile()
	if err := c.Pause(0); err != nil || c.Condition(0) != Paused {
		t.Errorf("pause: %v, it is %s", err, c.Condition(0))
	}
	if err := c.Resume(0); err != nil || c.Condition(0) != Running {
		t.Errorf("resume: %v, it is %s", err, c.Condition(0))
	}
	if started, err := c.Up(); err != nil || len(started) > 0 {
		t.Errorf("up started %v, %v", started, err)
	}
	if s := c.Status(t.Context(), 0); s.Health != "ready" || s.Pid != running[0] {
		t.Errorf("after up its status is %+v", s)
	}
	unfile()
	if err := c.Restart(0); err != nil {
		t.Fatal(err)
	}
	ends(t, running)
	ready(t, c)
	running = pids(t, c)
	unfile()
	if err := c.Down(); err != nil {
		t.Fatal(err)
	}
	ends(t, running)
	// What the lock says stays behind, and means nobody.
	if s := c.Status(t.Context(), 0); s.Condition != Stopped || s.Health != "stopped" {
		t.Errorf("after down its status is %+v", s)
	}
}

// A replica that somebody started by hand is shown, and left to who did.
func TestReplicaStartedByHand(t *testing.T) {
	c := made(t, Options{Replicas: 1})
	command, err := c.command(c.Home(0))
	if err != nil {
		t.Fatal(err)
	}
	byHand := exec.Command(command[0], command[1:]...)
	if err := byHand.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = byHand.Process.Kill()
		_ = byHand.Wait()
	}()
	for end := time.Now().Add(time.Minute); c.Elsewhere() == nil && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
	}
	if err := c.Elsewhere(); err == nil || !strings.Contains(err.Error(), "started by hand") {
		t.Fatalf("it runs elsewhere: %v", err)
	}
	if s := c.Status(t.Context(), 0); s.Condition != Stopped || !strings.Contains(s.Health, "by hand") {
		t.Errorf("its status is %+v", s)
	}
	if err := c.Kill(0); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "started by hand") {
		t.Errorf("kill: %v", err)
	}
	if err := c.Down(); err != nil || condition(byHand.Process.Pid) != Running {
		t.Errorf("%v, and it is %s", err, condition(byHand.Process.Pid))
	}
	if err := c.Pause(0); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "started by hand") {
		t.Errorf("pause: %v", err)
	}
}

// A copy of a running cluster commands nothing of the original, whatever of it is
// copied, shared with it, or lost.
func TestCopyDoesNotCommandTheOriginal(t *testing.T) {
	c := made(t, Options{Replicas: 1})
	if _, err := c.Up(); err != nil {
		t.Fatal(err)
	}
	ready(t, c)
	running := pids(t, c)
	for i, copies := range []struct{ flag, lost string }{{"-al", ""}, {"-al", "pid"}, {"-a", "pid"}, {"-a", "data/lock"}, {"-a", ""}} {
		at := c.Dir + strconv.Itoa(i)
		if out, err := exec.Command("cp", copies.flag, c.Dir, at).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		twin, err := Open(at)
		if err != nil {
			t.Fatal(err)
		}
		if copies.lost != "" {
			if err := os.Remove(filepath.Join(twin.Home(0), copies.lost)); err != nil {
				t.Fatal(err)
			}
		}
		commandsNothing(t, twin)
		if s := c.Status(t.Context(), 0); s.Condition != Running || !s.Ready || len(s.Byzantine) > 0 || s.Pid != running[0] {
			t.Errorf("%v: the original's status is %+v", copies, s)
		}
	}
	// The advice: the original is stopped first. The copy is whole.
	twin, err := Open(c.Dir + "4")
	if err := errors.Join(err, c.Down(), twin.Heal(0)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := twin.Down(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := twin.Up(); err != nil {
		t.Fatal(err)
	}
	ready(t, twin)
	// A cluster that was moved while it was down is the same one.
	if err := twin.Down(); err != nil {
		t.Fatal(err)
	}
}

// commandsNothing tries every command in a copy of a running cluster.
func commandsNothing(t *testing.T, twin *Cluster) {
	t.Helper()
	for name, test := range map[string]struct {
		do   func() error
		want string // "" = no error
	}{
		"down":    {twin.Down, ""},
		"kill":    {func() error { return twin.Kill(0) }, "was copied from"},
		"pause":   {func() error { return twin.Pause(0) }, "was copied from"},
		"resume":  {func() error { return twin.Resume(0) }, "was copied from"},
		"restart": {func() error { return twin.Restart(0) }, "was copied from"},
		"up":      {func() error { _, err := twin.Up(); return err }, "was copied from"},
		"init":    {func() error { _, err := Init(Options{Dir: twin.Dir}); return err }, "was copied from"},
		"corrupt": {func() error { return twin.Corrupt(0, []string{"silent"}) }, ""},
	} {
		err := test.do()
		if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if s := twin.Status(t.Context(), 0); s.Condition != Stopped || !strings.Contains(s.Health, "copied") || s.Report != nil {
		t.Errorf("the copy's status is %+v", s)
	}
}
