package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/experiment/bounds"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
)

// boundsCommand is quorate bounds.
func boundsCommand() *cli.Command {
	return &cli.Command{
		Name: "bounds", Usage: "run the matrix of what 2f+1 and 3f+1 replicas withstand, and compare it with theory",
		Description: "Every cell is a run, judged by the checkers: safe and live, safe but stopped, forked\n" +
			"(with the culprits named, where there is proof), or a client deceived. All protocols\n" +
			"get the same faults. Exit code 1 if a cell disagrees with theory.",
		Flags: []cli.Flag{
			outputFlag("table", "json"),
			&cli.PathFlag{Name: "html", Usage: "write one self-contained page with a chart for each cell to `FILE`"},
			&cli.PathFlag{Name: "evidence", Usage: "write what the runs prove into `DIR`, for quorate evidence verify"},
			choiceFlag("protocol", bounds.All, "whose columns: "+noun.Either(append(protocol.Names(), bounds.All)), append(protocol.Names(), bounds.All)...),
			&cli.StringFlag{Name: "only", Usage: "only cells whose id contains `TEXT`, such as raft-n-3-one"},
			&cli.BoolFlag{Name: "real", Usage: "run cells as processes over libp2p where possible, one after the other"},
			coresFlag("how many cells at once, in the simulator"),
		},
		Action: does(0, 0, runBounds),
	}
}

// runBounds runs the matrix and writes what was asked for.
func runBounds(c *cli.Context, _ []string) error {
	cells, err := bounds.Cells(c.String("protocol"))
	if err != nil {
		return usageError("%w", err)
	}
	only := c.String("only")
	cells = slices.DeleteFunc(cells, func(c bounds.Cell) bool { return !strings.Contains(c.ID(), only) })
	if len(cells) == 0 {
		return usageError("--only %q: no cell of this matrix has that in its id; quorate bounds -o json lists ids", only)
	}
	if err := writable(c); err != nil {
		return err
	}
	begun := time.Now()
	done := waits("running %s", noun.Several(len(cells), "cell"))
	results, err := runCells(c, cells)
	done()
	if errors.Is(err, bounds.ErrNothing) {
		return usageError("%w: without --real, the simulator runs them", err)
	}
	if err != nil {
		return err
	}
	if err := writeBounds(c, results); err != nil {
		return err
	}
	note("%s in %.1fs", noun.Several(len(results), "cell"), time.Since(begun).Seconds())
	if !bounds.Agree(results) {
		return fmt.Errorf("the matrix disagrees with theory")
	}
	return nil
}

// runCells runs them, telling how far it is.
func runCells(c *cli.Context, cells []bounds.Cell) (results []bounds.Result, err error) {
	done := 0
	o := bounds.Options{Parallel: c.Int("parallel"), Real: c.Bool("real"), Done: func(r *bounds.Result) {
		done++
		leaves(c, "%d of %s had run; nothing was written", done, noun.Several(len(cells), "cell"))
		if c.Bool("real") || onTerminal(os.Stderr) || !r.Agrees() {
			note("%d: %s, %s: %s", done, r.Column(), r.Row, r.Word())
		}
	}}
	if !o.Real {
		return bounds.Run(c.Context, cells, o)
	}
	err = temporarily(c, "quorate-bounds-", func(dir string) (err error) {
		o.Dir = dir
		results, err = bounds.Run(c.Context, cells, o)
		return err
	})
	return results, err
}

// writeBounds writes the table, and then page and evidence: if these fail, the
// table is there.
func writeBounds(c *cli.Context, results []bounds.Result) error {
	var err error
	if forPrograms(c) {
		err = bounds.WriteJSON(c.App.Writer, results)
	} else {
		err = bounds.WriteTable(c.App.Writer, results, columns(os.Stdout))
	}
	if err != nil {
		return err
	}
	if err := writeFile(c, "html", "page", func(w io.Writer) error { return bounds.WriteHTML(w, results, c.Bool("real")) }); err != nil {
		return err
	}
	if dir := c.Path("evidence"); dir != "" {
		files, err := bounds.WriteEvidence(dir, results)
		if err != nil {
			return err
		}
		note("%d pieces of evidence in %s", len(files), dir)
		if len(files) > 0 {
			note("verify one by `quorate evidence verify --genesis %s %s`", filepath.Join(filepath.Dir(files[0]), "genesis.toml"), files[0])
		}
	}
	return nil
}
