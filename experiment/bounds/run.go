package bounds

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"quorate.dev/quorate/experiment/live"
	"quorate.dev/quorate/experiment/simulate"
)

// Options say how cells are run.
type Options struct {
	Parallel int                        // cells at once, in the simulator; 0 = 1
	Real     bool                       // as processes, one cell after the other, those that can
	Dir      string                     // for Real: where clusters are made, one directory for each cell
	Command  func(home string) []string // for Real: see testnet.Cluster; nil = this program
	Done     func(r *Result)            // hears of each cell that ended, one at a time; may be nil
}

// Run runs the cells and returns their results in the same order. It fails only
// if ctx ends; a cell that cannot be run says so in its result.
func Run(ctx context.Context, cells []Cell, o Options) ([]Result, error) {
	if o.Real {
		cells, o.Parallel = realOnes(cells), 1
	}
	results := make([]Result, len(cells))
	var workers sync.WaitGroup
	var told sync.Mutex
	next := make(chan int)
	for range max(1, o.Parallel) {
		workers.Go(func() {
			for i := range next {
				results[i] = run(ctx, &cells[i], &o)
				if o.Done != nil {
					told.Lock()
					o.Done(&results[i])
					told.Unlock()
				}
			}
		})
	}
	for i := range cells {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("bounds: %w", err)
	}
	return results, nil
}

// realOnes are the cells that processes can do.
func realOnes(cells []Cell) []Cell {
	var out []Cell
	for _, c := range cells {
		if c.Real {
			out = append(out, c)
		}
	}
	return out
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

// Agree reports whether every cell ended as theory says.
func Agree(results []Result) bool {
	for i := range results {
		if !results[i].Agrees() {
			return false
		}
	}
	return true
}
