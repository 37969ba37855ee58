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

// processFile is a pid file. The three together name a process for ever: pids
// are given out again, start times are counted from the boot.
type processFile struct {
	Pid   int    `toml:"pid"`
	Start uint64 `toml:"start" comment:"start time, in the system's ticks"`
	Boot  string `toml:"boot"`
}

// process is a running process that was verified to be ours.
type process struct {
	pid    int
	handle *os.Process
}

// find answers the process of a pid file, or nil if it is gone, or its pid is
// somebody else's by now.
func find(pidFile string) (*process, error) {
	var f processFile
	if err := files.ReadTOML(pidFile, &f); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("%w: remove it if no replica runs", err)
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
	return &process{pid: f.Pid, handle: handle}, nil
}

// recordProcess writes the pid file of a process that has just started.
func recordProcess(pidFile string, pid int) error {
	start, err := startTime(pid)
	if err != nil {
		// It has ended already. The file stays as that of any that crashed: no
		// process has this start time.
		err = fmt.Errorf("start time of process %d: %w", pid, err)
		return errors.Join(err, files.WriteTOML(pidFile, "", 0o644, processFile{Pid: pid, Boot: bootID()}))
	}
	return files.WriteTOML(pidFile, "", 0o644, processFile{Pid: pid, Start: start, Boot: bootID()})
}

// spawn starts a command in a session of its own, its output appended to log.
func spawn(command []string, log string, env ...string) (*exec.Cmd, error) {
	out, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }() // the child has its own
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(env, childEnv(os.Environ())...) // of two that are the same, the last counts
	cmd.SysProcAttr = ownSession()
	return cmd, cmd.Start()
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
