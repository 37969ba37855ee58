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

// ended counts an operation that ended at a moment of the load: with an answer that
// was waited for so long, or, failed, because its caller gave it up or was turned
// away.
func (c *count) ended(at, waited time.Duration, failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at < 0 || at >= c.whole {
		return
	}
	b := &c.seconds[at/time.Second]
	if failed {
		b.failed++
		return
	}
	c.silent(at)
	b.waits = append(b.waits, waited)
}

// silent keeps the longest time without an answer. Callers that were answered at
// once may be heard out of order, which makes no silence.
func (c *count) silent(at time.Duration) {
	if gap := at - c.last; gap > c.silence.Lasted {
		c.silence = Silence{From: c.last, Lasted: gap}
	}
	c.last = max(c.last, at)
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
		all[i] = Second{At: i, Done: len(b.waits), Failed: b.failed, Available: len(b.waits) > 0}
		all[i].P50, all[i].P99 = quantiles(b.waits)
	}
	return all
}

// total sums up what came until a moment of the load; a silence that goes on
// counts.
func (c *count) total(at time.Duration) Total {
	c.mu.Lock()
	defer c.mu.Unlock()
	at = min(at, c.whole)
	t := Total{Silence: c.silence}
	var waits []time.Duration
	for _, b := range c.seconds {
		waits = append(waits, b.waits...)
		t.Failed += b.failed
	}
	t.Done = len(waits)
	t.P50, t.P99 = quantiles(waits)
	if gap := at - c.last; gap > t.Silence.Lasted {
		t.Silence = Silence{From: c.last, Lasted: gap}
	}
	if at > 0 {
		t.PerSecond = float64(t.Done) / at.Seconds()
	}
	return t
}

// quantiles are the median and the least that 99 percent do not exceed; 0 of none.
func quantiles(waits []time.Duration) (p50, p99 float64) {
	n := len(waits)
	if n == 0 {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(waits))
	return milliseconds(sorted[n/2]), milliseconds(sorted[n*99/100])
}

// milliseconds is a duration as people read it.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
