package bounds

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"quorate.dev/quorate/experiment/live"
	"quorate.dev/quorate/experiment/simulate"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/internal/files"
)

// Options say how cells are run.
type Options struct {
	Parallel int                        // cells at once, in the simulator; 0 = 1
	Real     bool                       // as processes, one cell after the other, those that can
	Dir      string                     // for Real: where clusters are made, one directory for each cell
	Command  func(home string) []string // for Real: see testnet.Cluster; nil = this program
	Done     func(r *Result)            // hears of each cell that ended, one at a time; may be nil
}

// ErrNothing is what the error of a matrix without cells wraps.
var ErrNothing = errors.New("no cell was run")

// Run runs the cells and returns their results in the same order. It fails only
// if ctx ends, or with ErrNothing; a cell that cannot be run says so in its result.
func Run(ctx context.Context, cells []Cell, o Options) ([]Result, error) {
	if o.Real {
		cells, o.Parallel = slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool { return !c.Real }), 1
	}
	if len(cells) == 0 {
		return nil, fmt.Errorf("bounds: %w: none of those that were chosen can be run", ErrNothing)
	}
	results := make([]Result, len(cells))
	var told sync.Mutex
	var running errgroup.Group
	running.SetLimit(max(1, o.Parallel))
	for i := range cells {
		running.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			results[i] = run(ctx, &cells[i], &o)
			if o.Done != nil {
				told.Lock()
				defer told.Unlock()
				o.Done(&results[i])
			}
			return ctx.Err()
		})
	}
	if err := running.Wait(); err != nil {
		return nil, fmt.Errorf("bounds: %w", err)
	}
	return results, nil
}

// run runs one cell.
func run(ctx context.Context, c *Cell, o *Options) Result {
	r := Result{Cell: *c}
	if o.Real {
		r.Outcome, r.Err = live.Run(ctx, c.Spec, live.Options{Dir: filepath.Join(o.Dir, c.ID()), Command: o.Command})
	} else {
		r.Outcome, r.Err = simulate.Run(c.Spec)
	}
	if r.Err == nil {
		r.Complaint = c.judge(&r.Outcome)
	}
	return r
}

// Agree reports whether there are cells, and every one ended as theory says.
func Agree(results []Result) bool {
	return len(results) > 0 && !slices.ContainsFunc(results, func(r Result) bool { return !r.Agrees() })
}

// WriteEvidence leaves what the runs prove below dir: for each cell with
// evidence a directory of its name, with genesis.toml and one file for each
// piece, as quorate evidence verify reads them. It returns the files of evidence.
func WriteEvidence(dir string, results []Result) ([]string, error) {
	var written []string
	for i := range results {
		r := &results[i]
		if len(r.Outcome.Verdict.Evidence) == 0 {
			continue
		}
		folder := filepath.Join(dir, r.ID())
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, fmt.Errorf("write evidence: %w", err)
		}
		file := genesis.File{Genesis: r.Outcome.Genesis}
		if err := genesis.Save(filepath.Join(folder, "genesis.toml"), &file); err != nil {
			return nil, fmt.Errorf("write evidence of %s: %w", r.ID(), err)
		}
		for n, e := range r.Outcome.Verdict.Evidence {
			path := filepath.Join(folder, fmt.Sprintf("%d-replica-%d.evidence", n, e.Fault.Replica))
			if err := files.Write(path, e.Encoded, 0o644); err != nil {
				return nil, fmt.Errorf("write evidence of %s: %w", r.ID(), err)
			}
			written = append(written, path)
		}
	}
	return written, nil
}
