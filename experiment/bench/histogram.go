package bench

import (
	"math/bits"
	"time"
)

// A histogram's shape: durations below exactBelow microseconds have a bucket each,
// and each doubling beyond has parts of them, up to more than an hour.
const (
	exactBelow = 2 * parts
	parts      = 64
	doublings  = 26
)

// histogram counts durations in buckets. It is of one size however many there are,
// and a quantile is wrong by less than one percent.
type histogram struct {
	counts [exactBelow + doublings*parts]uint64
	n      uint64
	sum    time.Duration
	max    time.Duration
}

// bucketOf is where a duration is counted.
func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0)) / uint64(time.Microsecond)
	if v < exactBelow {
		return int(v)
	}
	doubling := bits.Len64(v) - bits.Len64(exactBelow-1)
	return min(doubling*parts+int(v>>doubling), len(histogram{}.counts)-1)
}

// middleOf is the duration in the middle of a bucket.
func middleOf(bucket int) time.Duration {
	if bucket < exactBelow {
		return time.Duration(bucket) * time.Microsecond
	}
	doubling := bucket/parts - 1
	low := uint64(bucket-doubling*parts) << doubling
	return time.Duration(low+1<<doubling/2) * time.Microsecond
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.n++
	h.sum += d
	h.max = max(h.max, d)
}

// join adds what another one has counted.
func (h *histogram) join(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.n, h.sum, h.max = h.n+other.n, h.sum+other.sum, max(h.max, other.max)
}

// quantile is the duration that a part of all, from 0 to 1, does not exceed.
func (h *histogram) quantile(part float64) time.Duration {
	before, want := uint64(0), uint64(part*float64(h.n))
	for i, n := range h.counts {
		if before += n; before > want {
			return min(middleOf(i), h.max)
		}
	}
	return h.max
}

// latency summarizes durations, in milliseconds.
type latency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
}

func (h *histogram) latency() latency {
	if h.n == 0 {
		return latency{}
	}
	return latency{
		Mean: milliseconds(h.sum) / float64(h.n), P50: milliseconds(h.quantile(0.5)), P90: milliseconds(h.quantile(0.9)),
		P99: milliseconds(h.quantile(0.99)), Max: milliseconds(h.max),
	}
}

// milliseconds is a duration as people read it.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
