package bench

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// outcome is how an operation ended.
type outcome int

const (
	answered outcome = iota
	refused          // not executed: too many wait already
	unknown          // it may have been executed
	cut              // the load ended before the answer came
)

// Bounds of what is remembered of the course of a measurement.
const (
	sliceLeast = 100 * time.Millisecond
	slicesMost = 600
	gapLeast   = 100 * time.Millisecond // a shorter one is the pace, and no gap
	gapsMost   = 32
)

// Gap is a time within a measurement in which nobody was answered.
type Gap struct {
	From   float64 `json:"from_seconds"` // since the measurement began
	Lasted float64 `json:"ms"`
}

// Course is what came over time, in slices of equal length.
type Course struct {
	Slice    float64 `json:"slice_ms"`
	Answered []int   `json:"answered"`
	Failed   []int   `json:"failed"`
}

// meter counts what becomes of operations. Times are since the load began. It is safe
// for concurrent use, and of bounded size.
type meter struct {
	mu               sync.Mutex
	from, until      time.Duration // what is measured
	reads, writes    histogram     // of operations that lie wholly within
	refused, unknown int
	underWay         int           // at the end
	oldest           time.Duration // ... for how long, then
	slice            time.Duration
	course           Course        // of all answers within, whenever they were asked for
	last             time.Duration // when somebody was answered last
	longest          time.Duration
	gaps             []Gap // the longest, at least gapLeast
	gapsInAll        int
}

// newMeter measures from one moment to another.
func newMeter(from, until time.Duration) *meter {
	m := &meter{from: from, until: until, slice: sliceOf(until - from), last: from}
	n := int((until - from + m.slice - 1) / m.slice)
	m.course = Course{Slice: milliseconds(m.slice), Answered: make([]int, n), Failed: make([]int, n)}
	return m
}

// sliceOf is how long slices are: a round number, and not too many of them.
func sliceOf(whole time.Duration) time.Duration {
	for power := sliceLeast; ; power *= 10 {
		for _, digit := range []time.Duration{1, 2, 5} {
			if whole <= slicesMost*digit*power {
				return digit * power
			}
		}
	}
}

// ended counts an operation that was asked for, or was to be, at one moment, and ended
// at another.
func (m *meter) ended(asked, at time.Duration, how outcome, read bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if asked < m.until && (how == cut || at > m.until) {
		m.underWay++
		m.oldest = max(m.oldest, min(m.until, at)-asked) // an interruption is the end
	}
	if how == cut || at < m.from || at > m.until || len(m.course.Answered) == 0 {
		return
	}
	slice := min(int((at-m.from)/m.slice), len(m.course.Answered)-1)
	switch how {
	case answered:
		m.course.Answered[slice]++
		m.silence(at)
		if asked < m.from {
			return
		}
		if read {
			m.reads.add(at - asked)
		} else {
			m.writes.add(at - asked)
		}
		return
	case refused:
		m.refused++
	default:
		m.unknown++
	}
	m.course.Failed[slice]++
}

// late counts the operations that an open loop had no room to send before it ended at a
// moment, from the n-th on.
func (m *meter) late(n, rate int, at time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	end := min(m.until, at)
	if first := due(n, rate); first < end {
		m.underWay += int((end-first-1)*time.Duration(rate)/time.Second) + 1
		m.oldest = max(m.oldest, end-first)
	}
}

// silence ends the time without an answer.
func (m *meter) silence(at time.Duration) {
	lasted := at - m.last
	if lasted <= 0 {
		return // answers overtake each other on their way here
	}
	m.longest = max(m.longest, lasted)
	if lasted >= gapLeast {
		m.gapsInAll++
		m.gaps = append(m.gaps, Gap{From: (m.last - m.from).Seconds(), Lasted: milliseconds(lasted)})
		if len(m.gaps) > gapsMost {
			least := 0
			for i, g := range m.gaps {
				if g.Lasted < m.gaps[least].Lasted {
					least = i
				}
			}
			m.gaps = slices.Delete(m.gaps, least, least+1)
		}
	}
	m.last = at
}

// stop ends what is measured, perhaps before its time. A silence that goes on counts.
func (m *meter) stop(at time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until = max(m.from, min(m.until, at))
	m.silence(m.until)
	n := min(int((m.until-m.from+m.slice-1)/m.slice), len(m.course.Answered))
	m.course.Answered, m.course.Failed = m.course.Answered[:n], m.course.Failed[:n]
	slices.SortFunc(m.gaps, func(a, b Gap) int { return cmp.Compare(a.From, b.From) })
}
