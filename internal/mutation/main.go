package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/protocol"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

// command is the whole program: with -from it is the simulator of one bug.
func command(ctx context.Context) error {
	run := flag.String("run", "", "try only the bugs whose name or origin matches this regular `expression`")
	trials := flag.Int("trials", 3, "trials of the simulator per bug, each from other seeds; 0 leaves it out")
	seeds := flag.Uint64("seeds", 300, "seeds of one trial, at most")
	budget := flag.Duration("budget", 20*time.Second, "time of one trial, at most")
	whole := flag.Bool("whole", false, "run all tests of a bug's package instead of those that it names")
	rules := flag.Bool("rules", true, "run the rule tests")
	keep := flag.String("keep", "", "keep what was found in this JSON `file`, and take from it what is not tried now")
	write := flag.String("write", "", "rewrite the table in this `file`; needs all bugs, tried now or kept")
	from := flag.Uint64("from", 0, "run -seeds seeds from this one in this very process, and stop at the first that breaks a promise")
	of := flag.String("protocol", protocol.PBFT, "with -from: whose systems")
	flag.Parse()
	if *from > 0 {
		return runSeeds(os.Stdout, *of, *from, *seeds)
	}
	some, err := regexp.Compile(*run)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	if *write != "" && *keep == "" && (*run != "" || !*rules) {
		return errors.New("-write needs all bugs tried, now or in the file of -keep")
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	all, err := readBugs(root)
	if err != nil {
		return err
	}
	var chosen []Bug
	for _, bug := range all {
		if some.MatchString(bug.Name) || some.MatchString(bug.From) {
			if *whole {
				bug.Rule.Test = wholePackage
			}
			chosen = append(chosen, bug)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("-run %q: no bug has that in its name or origin, so that nothing would be tried", *run)
	}
	kept, err := readKept(*keep)
	if err != nil {
		return err
	}
	b := &bench{root: root, rules: *rules, trials: *trials, seeds: *seeds, budget: *budget}
	err = b.all(ctx, chosen, kept, func() error { return kept.write(*keep) })
	found := kept.findings(all)
	fmt.Print(table(found), "\n", summary(found), "\n")
	if err == nil && *write != "" {
		err = rewrite(*write, summary(found)+"\n\n"+table(found))
	}
	if err == nil && len(found) < len(chosen) {
		err = fmt.Errorf("only %d of %d bugs were tried", len(found), len(chosen))
	}
	return errors.Join(err, survivors(found))
}

// all tries the bugs one after the other and enters what it finds; save is
// called after each. A bug that is wrong stops nothing.
func (b *bench) all(ctx context.Context, chosen []Bug, into kept, save func() error) (err error) {
	if b.rules {
		if err := b.baseline(ctx, chosen); err != nil {
			return err
		}
	}
	if b.trials > 0 {
		for _, name := range protocol.Names() {
			if !slices.ContainsFunc(chosen, func(bug Bug) bool { return bug.Sim == name }) {
				continue
			}
			if err := b.soundness(ctx, name); err != nil {
				return err
			}
		}
	}
	for i, bug := range chosen {
		begun := time.Now()
		f, failed := b.try(ctx, bug, into[bug.Name])
		if ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if failed != nil {
			fmt.Fprintf(os.Stderr, "%d/%d %s: %v\n", i+1, len(chosen), bug.Name, failed)
			err = errors.Join(err, failed)
			continue
		}
		into[bug.Name] = f
		if err := save(); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%d/%d %s: rule test %v %s, seeds %s %s (%.0fs)\n", i+1, len(chosen), bug.Name, f.Rule, f.By, f.seeds(), f.Why, time.Since(begun).Seconds())
	}
	return err
}

// survivors is an error if there are any.
func survivors(found []Finding) error {
	var names []string
	for i := range found {
		if !found[i].Caught() {
			names = append(names, found[i].bug.Name)
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("nothing catches %s: close the hole with a test", strings.Join(names, ", "))
	}
	return nil
}

// moduleRoot is where go.mod stands.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	path := strings.TrimSpace(string(out))
	if path == "" || path == os.DevNull {
		return "", errors.New("find the module: run this within it")
	}
	return filepath.Dir(path), nil
}
