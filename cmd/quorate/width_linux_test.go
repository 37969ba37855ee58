package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"quorate.dev/quorate/testnet"
)

// onTerminalOf runs a command on a terminal of so many columns, and answers what it
// shows.
func onTerminalOf(t *testing.T, columns int, args ...string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	defer func() { _ = master.Close() }() // only read
	must(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	must(t, err)
	must(t, unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: uint16(columns)}))
	terminal, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), "quorate", args...)
	cmd.Stdout = terminal
	err = cmd.Start()
	must(t, errors.Join(err, terminal.Close()))
	shown, err := io.ReadAll(master) // ends with EIO when the last one has left
	if err != nil && !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("quorate %s: %v", strings.Join(args, " "), err)
	}
	return strings.ReplaceAll(string(shown), "\r", "")
}

// TestTablesFitTheTerminal: whatever its width is. Where there is no terminal, nothing
// is broken.
func TestTablesFitTheTerminal(t *testing.T) {
	if _, err := os.Stat("/dev/ptmx"); err != nil {
		t.Skip(err)
	}
	c := startCluster(t, quick(testnet.Options{Seed: "width", Replicas: 7}))
	set := filepath.Join(t.TempDir(), "set.toml")
	must(t, os.WriteFile(set, []byte("[[set]]\nrequests = [\"put a b\"]\nprint = [\"log\", \"state\"]\n"), 0o644))
	for _, columns := range []int{40, 60, 80, 120} {
		for _, line := range []string{
			"status --dir DIR", "testnet status --dir DIR", "byzantine list", "byzantine list equivocate", "costs --sizes 4 --decisions 1",
			"bounds --only one-silent", "cap --only lww", "bench --dir DIR --duration 100ms --warmup 0s --clients 1", "byzantine scenario SET",
		} {
			args := strings.Fields(strings.NewReplacer("DIR", c.Dir, "SET", set).Replace(line))
			shown := onTerminalOf(t, columns, args...)
			if len(shown) == 0 {
				t.Errorf("quorate %s shows nothing", line)
			}
			for text := range strings.Lines(shown) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(text, "\n")); n > columns {
					t.Errorf("quorate %s, %d columns: %d in %q", line, columns, n, text)
				}
			}
		}
	}
}
