package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Limits of one bug.
const (
	ruleTime  = 3 * time.Minute // to build and run a rule test
	buildTime = 5 * time.Minute // to build the simulator
)

// errTable says that a bug is wrong, not the code under test.
var errTable = errors.New("the files of bugs are wrong")

// bench tries bugs against the sources at root.
type bench struct {
	root   string
	rules  bool          // run rule tests
	trials int           // of the simulator
	seeds  uint64        // of one trial, at most
	budget time.Duration // of one trial, at most
}

// Finding is what became of a bug.
type Finding struct {
	bug   Bug
	Rule  bool     // a rule test caught it
	By    string   // the first test that failed
	Seeds []uint64 `json:",omitempty"` // how many each trial of the simulator took; 0 = not caught
	Tried []uint64 `json:",omitempty"` // how many each trial ran
	Why   string   `json:",omitempty"` // the first violation that the simulator reported
}

// Caught reports whether anything caught the bug.
func (f *Finding) Caught() bool { return f.Rule || !f.clean() }

// try seeds the bug, runs what is to catch it, and cleans up. Of what is not
// run, it answers what was found before.
func (b *bench) try(ctx context.Context, bug Bug, before Finding) (Finding, error) {
	found := before
	found.bug = bug
	dir, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return found, fmt.Errorf("bug %s: %w", bug.Name, err)
	}
	defer os.RemoveAll(dir)
	overlay, err := bug.overlay(b.root, dir)
	if err != nil {
		return found, err
	}
	if b.rules {
		if found.Rule, found.By, err = b.rule(ctx, overlay, bug.Rule); err != nil {
			return found, fmt.Errorf("bug %s: %w", bug.Name, err)
		}
	}
	if bug.Sim != "" && b.trials > 0 {
		found.Seeds, found.Tried, found.Why = nil, nil, ""
		if err := b.simulate(ctx, bug.Sim, overlay, dir, &found); err != nil {
			return found, fmt.Errorf("bug %s: %w", bug.Name, err)
		}
	}
	return found, nil
}

// command runs a program in root until it ends or its time is up.
func (b *bench) command(ctx context.Context, limit time.Duration, name string, args ...string) (output string, failed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.root, &out, &out
	cmd.Env = append(os.Environ(), "RAPID_NOFAILFILE=1") // what a bug breaks is not to be tried again without it
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out.String(), true, nil
	}
	return out.String(), err != nil, err
}

// wholePackage is a Rule's test that stands for all of them.
const wholePackage = "Test.*"

// pattern matches exactly the tests that the rule names.
func (r Rule) pattern() string { return "^(" + r.Test + ")$" }

// rule runs a rule test and answers whether it failed, and which one first. A
// test that runs for ever has failed, too.
func (b *bench) rule(ctx context.Context, overlay string, r Rule) (failed bool, by string, err error) {
	out, failed, err := b.command(ctx, ruleTime, "go", "test", "-overlay", overlay, "-count=1", "-vet=off", "-failfast", "-timeout=60s",
		"-run", r.pattern(), "./"+r.Package)
	switch {
	case ctx.Err() != nil:
		return false, "", ctx.Err()
	case err != nil:
		return false, "", err
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"):
		return false, "", fmt.Errorf("%w: it does not compile:\n%s", errTable, out)
	case strings.Contains(out, "no tests to run"):
		return false, "", fmt.Errorf("%w: %s has no test %s", errTable, r.Package, r.Test)
	}
	return failed, firstFailure(out, r), nil
}

// firstFailure finds the name of the first test that failed.
func firstFailure(out string, r Rule) string {
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(line, "--- FAIL: "); ok {
			name, _, _ = strings.Cut(name, " ")
			return name
		}
	}
	return r.Test // it panicked, or ran for ever
}

// baseline runs all rule tests without a bug: each must be there and pass.
func (b *bench) baseline(ctx context.Context, all []Bug) error {
	tests := map[string][]string{}
	for _, bug := range all {
		for _, name := range strings.Split(bug.Rule.Test, "|") {
			if !slices.Contains(tests[bug.Rule.Package], name) {
				tests[bug.Rule.Package] = append(tests[bug.Rule.Package], name)
			}
		}
	}
	for pkg, names := range tests {
		out, failed, err := b.command(ctx, ruleTime, "go", "test", "-count=1", "-vet=off", "-v", "-run", Rule{Test: strings.Join(names, "|")}.pattern(), "./"+pkg)
		if err != nil {
			return err
		}
		if failed {
			return fmt.Errorf("without any bug the tests of %s fail:\n%s", pkg, out)
		}
		for _, name := range names {
			if name != wholePackage && !strings.Contains(out, "--- PASS: "+name+" ") {
				return fmt.Errorf("%w: %s has no test %s", errTable, pkg, name)
			}
		}
	}
	return nil
}

// soundness runs the trials of the simulator without a bug: a seed that fails
// anyhow would catch everything.
func (b *bench) soundness(ctx context.Context, protocol string) error {
	dir, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	defer os.RemoveAll(dir)
	var found Finding
	if err := b.simulate(ctx, protocol, "", dir, &found); err != nil {
		return err
	}
	if !found.clean() {
		return fmt.Errorf("without any bug the simulator of %s reports %q, after so many seeds: %v", protocol, found.Why, found.Seeds)
	}
	return nil
}

// caught counts the trials of the simulator that caught the bug.
func (f *Finding) caught() (n int) {
	for _, took := range f.Seeds {
		if took > 0 {
			n++
		}
	}
	return n
}

// clean reports whether no trial of the simulator caught anything.
func (f *Finding) clean() bool { return f.caught() == 0 }

// simulate builds the simulator with the bug in it and counts the seeds that
// each trial needs of a protocol. Trials begin at seeds far apart.
func (b *bench) simulate(ctx context.Context, protocol, overlay, dir string, found *Finding) error {
	program := filepath.Join(dir, "simulator")
	build := []string{"build", "-o", program}
	if overlay != "" {
		build = append(build, "-overlay", overlay)
	}
	out, failed, err := b.command(ctx, buildTime, "go", append(build, "./internal/mutation")...)
	if err != nil || failed {
		return errors.Join(err, fmt.Errorf("%w: the simulator does not compile:\n%s", errTable, out))
	}
	for trial := range b.trials {
		from := 1 + uint64(trial)*100_000
		out, failed, err := b.command(ctx, b.budget, program, "-seeds", fmt.Sprint(b.seeds), "-from", fmt.Sprint(from), "-protocol", protocol)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		took, tried, why := readSeeds(out)
		if failed && took == 0 && err == nil && tried < b.seeds && strings.Contains(out, "goroutine ") {
			took, why = tried+1, "the simulator itself panics"
		}
		found.Seeds, found.Tried = append(found.Seeds, took), append(found.Tried, max(took, tried))
		if found.Why == "" {
			found.Why = why
		}
		if vain := len(found.Seeds) - found.caught(); 2*vain > b.trials {
			break // the others cannot change the median
		}
	}
	return nil
}
