package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/cap"
	"quorate.dev/quorate/internal/noun"
)

// Seeds of cap.
const (
	maxCapSeeds = 1_000_000
	abdSeeds    = 100 // that --abd takes if nobody says how many
)

// capCommand is quorate cap.
func capCommand() *cli.Command {
	return &cli.Command{
		Name: "cap", Usage: "run the same clients above systems that refuse and a store that answers, while the network is cut",
		Description: "Runs each protocol, and a store without a leader under several settings, in the\n" +
			"simulator: the same calls, the same cut, judged by what callers were told. Shows who\n" +
			"answers on which side, what is lost or old, and whether one order explains it; then\n" +
			"what an answer takes when nothing is cut. --abd shows R+W>N without a fault.\n" +
			"Exit code 1 if a column does not end as theory says.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "replicas", Value: 5, Usage: "3 or 5; a protocol that tolerates lies takes as many as that needs"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "the first seed `S`"},
			numberFlag("seeds", 1, 1, maxCapSeeds, "run each column with `N` seeds, and count"),
			&cli.StringFlag{Name: "only", Usage: "only columns whose id contains `TEXT`, such as lww"},
			&cli.BoolFlag{Name: "trace", Usage: "with --only one column: print every message"},
			&cli.BoolFlag{Name: "abd", Usage: "R+W>N on a whole network, without and with reads that write back", DefaultText: "100 seeds"},
			&cli.BoolFlag{Name: "forget-deletes", Usage: "let the store forget after 2s what was deleted"},
			&cli.BoolFlag{Name: "rough", Usage: "seeds also crash a replica, and lose and double frames"},
			&cli.DurationFlag{Name: "skew", Value: 20 * time.Millisecond, Usage: "how far clocks are off, at most", Action: checkSkew},
			outputFlag("table", "json"),
			&cli.PathFlag{Name: "html", Usage: "write one self-contained page with a time line for each side to `FILE`"},
			coresFlag("how many runs at once"),
		},
		Action: does(0, 0, runCap),
	}
}

// maxSkew is how far clocks may be off: more than the cut lasts shows nothing more.
const maxSkew = 5 * time.Second

func checkSkew(_ *cli.Context, d time.Duration) error {
	if d < 0 || d > maxSkew {
		return usageError("--skew %v: choose 0s to %v", d, maxSkew)
	}
	return nil
}

// capJob is one column with one seed.
type capJob struct {
	column int
	seed   uint64
}

// capRun is what came of it.
type capRun struct {
	column int
	result *cap.Result
}

// runCap runs the columns and writes what was asked for.
func runCap(c *cli.Context, _ []string) error {
	columns, err := capColumns(c)
	if err != nil {
		return err
	}
	if err := writable(c); err != nil {
		return err
	}
	if c.Bool("trace") {
		return traceColumn(c, columns)
	}
	sums, err := runColumns(c, columns)
	if err != nil {
		return err
	}
	if err := writeCap(c, sums); err != nil {
		return err
	}
	if !cap.Agree(sums) {
		return fmt.Errorf("a column did not end as theory says")
	}
	return nil
}

// capColumns reads what is to be run.
func capColumns(c *cli.Context) ([]cap.Column, error) {
	s := cap.Setting{
		Replicas: c.Int("replicas"), Skew: consensus.Time(c.Duration("skew")),
		Rough: c.Bool("rough"), ForgetDeletes: c.Bool("forget-deletes"),
	}
	var columns []cap.Column
	switch {
	case !slices.Contains(cap.Sizes, s.Replicas):
		return nil, usageError("--replicas %d: choose 3 or 5", s.Replicas)
	case c.Bool("abd"):
		for _, flag := range []string{"forget-deletes", "rough", "skew"} {
			if c.IsSet(flag) {
				return nil, usageError("--abd is about a network and clocks without a fault: leave out --%s", flag)
			}
		}
		if !c.IsSet("replicas") {
			s.Replicas = 3
		}
		columns = cap.Quorums(s)
	default:
		columns = cap.Columns(s)
		if !s.ForgetDeletes && !s.Rough {
			columns = append(columns, cap.Whole(s)...)
		}
	}
	only := c.String("only")
	var ids []string
	for _, x := range columns {
		ids = append(ids, x.ID)
	}
	columns = slices.DeleteFunc(columns, func(x cap.Column) bool { return !strings.Contains(x.ID, only) })
	if len(columns) == 0 {
		slices.Sort(ids)
		return nil, usageError("--only %q: no column has that in its id; they are %s", only, strings.Join(slices.Compact(ids), ", "))
	}
	return columns, nil
}

// capSeeds is how many seeds there are to be.
func capSeeds(c *cli.Context) uint64 {
	if c.Bool("abd") && !c.IsSet("seeds") {
		return abdSeeds
	}
	return uint64(c.Int("seeds"))
}

// traceColumn prints one run.
func traceColumn(c *cli.Context, columns []cap.Column) error {
	for _, x := range columns[1:] {
		if x.ID != columns[0].ID {
			return usageError("--trace prints one column: add --only %s", columns[0].ID)
		}
	}
	for _, flag := range []string{"html", "output"} {
		if c.IsSet(flag) {
			return usageError("--trace prints messages: leave out --%s", flag)
		}
	}
	if capSeeds(c) != 1 && c.IsSet("seeds") {
		return usageError("--trace prints one run: leave out --seeds, or say --seeds 1")
	}
	r := cap.Run(columns[0], c.Uint64("seed"), c.App.Writer)
	if r.Err != nil {
		return r.Err
	}
	for _, text := range r.Tell() {
		note("%s", text)
	}
	if r.Complaint != "" {
		return fmt.Errorf("%s did not end as theory says: %s", r.Column.Title, r.Complaint)
	}
	return c.Context.Err()
}

// runColumns runs each column with each seed, and adds them up.
func runColumns(c *cli.Context, columns []cap.Column) ([]*cap.Sum, error) {
	seeds, first := capSeeds(c), c.Uint64("seed")
	if last := first + seeds - 1; last < first {
		return nil, usageError("--seed %d --seeds %d: the last seed is %d", first, seeds, ^uint64(0))
	}
	sums := make([]*cap.Sum, len(columns))
	for i, x := range columns {
		sums[i] = cap.NewSum(x)
	}
	all, done := noun.Several(len(columns)*int(seeds), "run"), 0
	stands := func() { leaves(c, "%d of %s had ended; nothing was written", done, all) }
	stands()
	quickly()
	jobs := func(yield func(capJob) bool) {
		for n := range seeds {
			for i := range columns {
				if !yield(capJob{i, first + n}) {
					return
				}
			}
		}
	}
	err := sideBySide(c, jobs, func(j capJob) (capRun, error) {
		r := cap.Run(columns[j.column], j.seed, nil)
		return capRun{j.column, &r}, r.Err
	}, func(r capRun) {
		sums[r.column].Add(r.result)
		done++
		stands()
		if r.result.Complaint != "" && seeds > 1 {
			note("%s, seed %d: %s", r.result.Column.Title, r.result.Seed, r.result.Complaint)
		}
	}, func() string { return fmt.Sprintf("%d of %s", done, all) })
	return sums, cmp.Or(err, c.Context.Err())
}

// writeCap writes the tables, and then the page: if that fails, the tables are there.
func writeCap(c *cli.Context, sums []*cap.Sum) error {
	var err error
	if forPrograms(c) {
		err = cap.WriteJSON(c.App.Writer, sums)
	} else {
		err = cap.WriteTable(c.App.Writer, sums, columns(os.Stdout))
	}
	if err != nil {
		return err
	}
	return writeFile(c, "html", "page", func(w io.Writer) error { return cap.WriteHTML(w, sums) })
}
