package testnet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"quorate.dev/quorate/internal/files"
)

// Condition is what a replica's process is doing.
type Condition string

// The conditions.
const (
	Running Condition = "running"
	Paused  Condition = "paused" // SIGSTOP
	Stopped Condition = "stopped"
)

// Usage is what a process has used.
type Usage struct {
	CPUSeconds float64
	RSSBytes   int64 // resident now
	PeakBytes  int64 // ... and at most since it started
}

// processFile is a pid file. The first three together name a process for ever: pids
// are given out again, start times are counted from the boot. The last names the
// home, so that a copy of it does not command this one's process; a file of an
// older program does not have it.
type processFile struct {
	Pid   int    `toml:"pid"`
	Start uint64 `toml:"start" comment:"start time, in the system's ticks"`
	Boot  string `toml:"boot"`
	Home  string `toml:"home,omitempty" comment:"the home's directory as the file system numbers it: a copy has another"`
}

// errCopied: the process of a pid file is another home's.
var errCopied = errors.New("the pid file is a copy: its process runs the home that this one was copied from")

// process is a running process that was verified to be ours.
type process struct {
	pid     int
	handle  *os.Process
	unfiled bool // its pid file was removed
}

// find answers the process that runs a home by its pid file, or by the lock of its
// data, which tells the same; nil if it is gone, or its pid is somebody else's by
// now. It is errCopied if it runs another home.
func find(pidFile, home string) (*process, error) {
	var f processFile
	if err := files.ReadTOML(pidFile, &f); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("%w: remove the file: a replica that runs is found by the lock of its data", err)
	}
	// The handle first, then the start time: where the system has handles for
	// processes, this one cannot come to mean another process in between.
	handle, err := os.FindProcess(f.Pid)
	if err != nil {
		return nil, nil
	}
	if start, err := startTime(f.Pid); err != nil || start != f.Start || f.Boot != bootID() || condition(f.Pid) == Stopped {
		return nil, handle.Release()
	}
	if at, err := place(home); f.Home != "" && (err != nil || at != f.Home) {
		return nil, errors.Join(errCopied, handle.Release())
	}
	return &process{pid: f.Pid, handle: handle}, nil
}

// holder is what the lock of a home's data tells of this process besides its pid, if
// that was started here: with it a replica is found whose pid file was removed.
func holder(home string) (string, error) {
	f, err := record(home, os.Getpid())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("start = %d\nboot = %q\nhome = %q\n", f.Start, f.Boot, f.Home), nil
}

// recordProcess writes the pid file of a process that has just started.
func recordProcess(pidFile, home string, pid int) error {
	f, err := record(home, pid)
	if err != nil {
		return err
	}
	return files.WriteTOML(pidFile, "", 0o644, f)
}

// record names a process and the home that it runs.
func record(home string, pid int) (processFile, error) {
	at, err := place(home)
	if err != nil {
		return processFile{}, err
	}
	// One that has ended already has no start time. The file stays as that of any
	// that crashed: no process starts at zero.
	start, err := startTime(pid)
	if err != nil {
		start = 0
	}
	return processFile{Pid: pid, Start: start, Boot: bootID(), Home: at}, nil
}

// spawn starts a command in a session of its own, its output appended to log, and
// its input the other end of the leash.
func spawn(command []string, log, kind string, env ...string) (*exec.Cmd, *leash, error) {
	out, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = out.Close() }() // the child has its own
	in, ours, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = in.Close() }() // so has it here
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, out
	// Of two that are the same, the last counts.
	cmd.Env = append(append(env, childEnv(os.Environ())...), leashVariable+"="+kind)
	cmd.SysProcAttr = ownSession()
	keepDescriptors()
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(err, ours.Close())
	}
	return cmd, &leash{kind: kind, ours: ours}, nil
}

// signal sends a signal. A process that ended meanwhile is no error.
func (p *process) signal(s syscall.Signal) error {
	if err := p.handle.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal process %d: %w", p.pid, err)
	}
	return nil
}

// gone waits until the process has ended, at most so long.
func (p *process) gone(within time.Duration) bool {
	for end := time.Now().Add(within); condition(p.pid) != Stopped; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
