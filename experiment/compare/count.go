package compare

import (
	"slices"
	"sync"
	"time"
)

// count counts answers by the second since the load began. Safe for concurrent
// use.
type count struct {
	mu      sync.Mutex
	whole   time.Duration
	seconds []bucket
	last    time.Duration // of the last answer
	silence Silence
	waits   []time.Duration // of all answers
	failed  int
}

// bucket is one second.
type bucket struct {
	waits  []time.Duration // latencies of the answers that came in it
	failed int
}

// newCount is for a load that lasts so long; what comes later does not count.
func newCount(whole time.Duration) *count {
	seconds := int((whole + time.Second - 1) / time.Second)
	return &count{whole: whole, seconds: make([]bucket, seconds)}
}

// answered counts an answer at a moment of the load, to what was asked so long
// before.
func (c *count) answered(at, waited time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at < 0 || at >= c.whole {
		return
	}
	c.silent(at)
	b := &c.seconds[at/time.Second]
	b.waits = append(b.waits, waited)
	c.waits = append(c.waits, waited)
}

// silent keeps the longest time without an answer. Callers that were answered at
// once may be heard out of order, which makes no silence.
func (c *count) silent(at time.Duration) {
	if gap := at - c.last; gap > c.silence.Lasted {
		c.silence = Silence{From: c.last, Lasted: gap}
	}
	c.last = max(c.last, at)
}

// gaveUp counts an operation whose outcome its caller did not wait for any
// longer, or which was turned away.
func (c *count) gaveUp(at time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at < 0 || at >= c.whole {
		return
	}
	c.seconds[at/time.Second].failed++
	c.failed++
}

// until lists the seconds that are over by then.
func (c *count) until(at time.Duration) []Second {
	c.mu.Lock()
	defer c.mu.Unlock()
	over := int(min(at, c.whole) / time.Second)
	if at >= c.whole {
		over = len(c.seconds) // the last may be shorter than a second
	}
	all := make([]Second, max(over, 0))
	for i := range all {
		b := &c.seconds[i]
		waits := slices.Sorted(slices.Values(b.waits))
		all[i] = Second{
			At: i, Done: len(waits), Failed: b.failed, Available: len(waits) > 0,
			P50: milliseconds(quantile(waits, 50)), P99: milliseconds(quantile(waits, 99)),
		}
	}
	return all
}

// total sums up what came until a moment of the load; a silence that goes on
// counts.
func (c *count) total(at time.Duration) Total {
	c.mu.Lock()
	defer c.mu.Unlock()
	at = min(at, c.whole)
	waits := slices.Sorted(slices.Values(c.waits))
	t := Total{
		Done: len(waits), Failed: c.failed, Silence: c.silence,
		P50: milliseconds(quantile(waits, 50)), P99: milliseconds(quantile(waits, 99)),
	}
	if gap := at - c.last; gap > t.Silence.Lasted {
		t.Silence = Silence{From: c.last, Lasted: gap}
	}
	if at > 0 {
		t.PerSecond = float64(t.Done) / at.Seconds()
	}
	return t
}

// quantile is the least of the sorted values that so many percent do not exceed;
// 0 of none.
func quantile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

// milliseconds is a duration as people read it.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
