package testnet

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// procStat reads the fields of /proc/PID/stat behind the command's name, which
// may contain anything: the first one is the state, field 3 of proc(5).
func procStat(pid int) ([]string, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return fields, nil
}

// startTime is when a process started, in clock ticks since the boot: field 22.
func startTime(pid int) (uint64, error) {
	fields, err := procStat(pid)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(fields[22-3], 10, 64)
}

// condition tells what a process does. A zombie has ended, whether or not
// anybody has asked for its exit status, unless threads of it (field 20) are
// still on their way out: they hold its ports and files open.
func condition(pid int) Condition {
	fields, err := procStat(pid)
	switch {
	case err != nil || fields[0] == "X" || fields[0] == "x":
		return Stopped
	case fields[0] == "Z" && (fields[20-3] == "1" || fields[20-3] == "0"):
		return Stopped
	case fields[0] == "T" || fields[0] == "t":
		return Paused
	}
	return Running
}

// bootID changes with every boot of the machine.
var bootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
})

// clockTicks is USER_HZ, which Linux fixes at 100 for all that /proc tells.
const clockTicks = 100

// UsageOf asks the system about a process; where it cannot tell, that is an error.
func UsageOf(pid int) (Usage, error) {
	fields, err := procStat(pid)
	if err != nil {
		return Usage{}, err
	}
	var u Usage
	for _, f := range fields[14-3 : 16-3] { // utime, stime
		ticks, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return u, err
		}
		u.CPUSeconds += float64(ticks) / clockTicks
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(b)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n, err := strconv.ParseInt(kib, 10, 64)
		switch {
		case err != nil:
		case name == "VmRSS":
			u.RSSBytes = n << 10
		case name == "VmHWM":
			u.PeakBytes = n << 10
		}
	}
	return u, nil
}
