//go:build !linux

package testnet

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os/exec"
	"strconv"
	"strings"
)

// ps asks for one column about a process.
func ps(pid int, column string) (string, error) {
	out, err := exec.Command("ps", "-o", column+"=", "-p", strconv.Itoa(pid)).Output()
	text := strings.TrimSpace(string(out))
	if err != nil || text == "" {
		return "", fmt.Errorf("process %d: not found", pid)
	}
	return text, nil
}

// startTime is a hash of when a process started: to the second, which is what
// ps knows.
func startTime(pid int) (uint64, error) {
	text, err := ps(pid, "lstart")
	if err != nil {
		return 0, err
	}
	h := fnv.New64a()
	_, err = h.Write([]byte(text))
	return h.Sum64(), err
}

func condition(pid int) Condition {
	text, err := ps(pid, "state")
	switch {
	case err != nil || strings.HasPrefix(text, "Z"):
		return Stopped
	case strings.HasPrefix(text, "T"):
		return Paused
	}
	return Running
}

// bootID is unknown here; start times are dates, which a boot does not repeat.
func bootID() string { return "" }

// UsageOf asks the system about a process; where it cannot tell, that is an error.
func UsageOf(int) (Usage, error) { return Usage{}, errors.ErrUnsupported }
