//go:build acceptance

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// refusals are the commands of the README that are meant to end without success, by
// what stands behind them.
var refusals = regexp.MustCompile(`# (?:no leader|forked|reads what all replicas wrote down)`)

// TestAcceptanceReadme runs what the README tells readers to type, word for word and
// in its order, in an empty directory with the program in bin.
func TestAcceptanceReadme(t *testing.T) {
	program, err := exec.LookPath("quorate")
	must(t, err)
	root, err := filepath.Abs("../..")
	must(t, err)
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	must(t, os.Symlink(program, filepath.Join(dir, "bin", "quorate")))
	for _, name := range []string{"docs", "examples"} {
		must(t, os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)))
	}
	t.Cleanup(func() { stopClusters(t, dir) })
	environment := os.Environ()
	run := func(line string) error {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", line)
		cmd.Dir, cmd.Env = dir, environment
		out, err := cmd.CombinedOutput()
		t.Logf("%s\n%s", line, out)
		return err
	}
	must(t, run("./bin/quorate testnet up --detach")) // make testnet
	commands := 0
	for line := range strings.Lines(readDocument(t, "README.md")) {
		line, indented := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "    ")
		switch {
		case !indented:
		case strings.HasPrefix(line, "export "):
			setting, _, _ := strings.Cut(strings.TrimPrefix(line, "export "), " ")
			environment = append(environment, setting)
		case strings.HasPrefix(line, "unset "):
			environment = append(environment, strings.TrimPrefix(line, "unset ")+"=")
		case strings.HasPrefix(line, "./bin/quorate "), strings.HasPrefix(line, "rm "):
			commands++
			err := run(line)
			var ended *exec.ExitError
			if errors.As(err, &ended) && ended.ExitCode() != exitUsage && refusals.MatchString(line) {
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	if commands < 40 {
		t.Errorf("%d commands: does this test still read the README?", commands)
	}
}
