package main

import (
	"errors"
	"iter"
	"math"
	"sync"
	"time"

	"github.com/urfave/cli/v2"
)

// tellEvery is how often people hear how far it is.
const tellEvery = 5 * time.Second

// sideBySide runs jobs on as many workers as --parallel says, until there are no
// more, one fails, or the command is interrupted: then nobody waits for those under
// way, and nothing more is taken. Results are taken one at a time; every few seconds
// tell says how far it is.
func sideBySide[J, R any](c *cli.Context, jobs iter.Seq[J], run func(J) (R, error), take func(R), tell func() string) error {
	next, stop := iter.Pull(jobs)
	var mu sync.Mutex
	var failed error
	over, told := false, time.Now().Add(time.Second-tellEvery) // for the first time after a second
	fetch := func() (j J, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if over || failed != nil || c.Context.Err() != nil {
			return j, false
		}
		return next()
	}
	finish := func(r R, err error) {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		if err != nil {
			failed = errors.Join(failed, err)
			return
		}
		take(r)
		if time.Since(told) > tellEvery {
			told = time.Now()
			note("%s", tell())
		}
	}
	var workers sync.WaitGroup
	for range c.Int("parallel") {
		workers.Go(func() {
			for j, ok := fetch(); ok; j, ok = fetch() {
				finish(run(j))
			}
		})
	}
	ended := make(chan struct{})
	go func() { workers.Wait(); stop(); close(ended) }()
	select {
	case <-ended:
	case <-c.Context.Done():
	}
	mu.Lock()
	defer mu.Unlock()
	over = true
	return failed
}

// errNoRun is for a command that judges runs and made none.
var errNoRun = errors.New("nothing was judged: no run was made")

// checkSeeds refuses a range of seeds that is empty, or goes beyond the last one.
func checkSeeds(c *cli.Context) error {
	switch from, n := c.Uint64("from"), c.Uint64("seeds"); {
	case n == 0:
		return usageError("--seeds must be at least 1")
	case n-1 > math.MaxUint64-from:
		return usageError("--from %d --seeds %d: the last seed is %d", from, n, uint64(math.MaxUint64))
	}
	return nil
}

// seedsOf are the seeds of --from and --seeds.
func seedsOf(c *cli.Context) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for n := range c.Uint64("seeds") {
			if !yield(c.Uint64("from") + n) {
				return
			}
		}
	}
}
