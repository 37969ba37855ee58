package bench

import (
	"math"
	"testing"
	"time"
)

// TestBuckets: every duration has one, in order, whose middle is within one percent.
func TestBuckets(t *testing.T) {
	last := -1
	for d := time.Duration(0); d < 3*time.Hour; d += 1 + d/50 {
		b := bucketOf(d)
		if b < last {
			t.Fatalf("%v is counted before shorter ones", d)
		}
		last = b
		if d > time.Hour {
			continue // the last bucket takes everything
		}
		if off := middleOf(b) - d; off.Abs() > max(d/100, time.Microsecond) {
			t.Errorf("%v is counted as %v", d, middleOf(b))
		}
	}
	if b := bucketOf(-time.Second); b != 0 {
		t.Errorf("a negative duration is in bucket %d", b)
	}
	if b := bucketOf(math.MaxInt64); b != len(histogram{}.counts)-1 {
		t.Errorf("the longest duration is in bucket %d", b)
	}
}

// TestLatencies: percentiles of a hundred known durations, in two halves.
func TestLatencies(t *testing.T) {
	var odd, even histogram
	for i := range 100 {
		h := &odd
		if i%2 == 0 {
			h = &even
		}
		h.add(time.Duration(100-i) * time.Millisecond)
	}
	odd.join(&even)
	got, want := odd.latency(), latency{Mean: 50.5, P50: 51, P90: 91, P99: 100, Max: 100}
	for _, x := range [][2]float64{{got.P50, want.P50}, {got.P90, want.P90}, {got.P99, want.P99}} {
		if math.Abs(x[0]-x[1]) > x[1]/100 {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if got.Mean != want.Mean || got.Max != want.Max {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if none := (&histogram{}).latency(); none != (latency{}) {
		t.Errorf("of nothing: %+v", none)
	}
}
