package bench

import (
	"context"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/live"
)

func TestMetricsAreSummedOverTheirLabels(t *testing.T) {
	page := "# HELP quorate_frames_sent_total Frames.\n" +
		"quorate_frames_sent_total{class=\"votes\"} 40\n" +
		"quorate_frames_sent_total{class=\"bodies\"} 2\n" +
		"quorate_ignored_total{reason=\"a vote, twice\"} 7\n" +
		"quorate_batch_requests_sum 1.5e+03\n" +
		"\n" +
		"no number\n"
	want := map[string]float64{"quorate_frames_sent_total": 42, "quorate_ignored_total": 7, "quorate_batch_requests_sum": 1500}
	if got := parseMetrics([]byte(page)); !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
}

// What a decision took is a sum over replicas, divided by the decisions of the
// one that is furthest.
func TestMeasuredPerDecision(t *testing.T) {
	page := func(batches, frames, bytes, syncs float64) observed {
		return observed{metrics: map[string]float64{
			"quorate_batch_requests_count": batches, "quorate_frames_sent_total": frames,
			"quorate_bytes_sent_total": bytes, "quorate_log_sync_seconds_count": syncs,
		}}
	}
	before := observation{replicas: []observed{page(10, 100, 1000, 10), page(10, 100, 1000, 10)}}
	after := observation{replicas: []observed{page(20, 150, 3000, 30), page(18, 130, 2000, 20)}}
	if got, want := decisionOf(50, rates(before, after)), (decision{Operations: 5, Frames: 8, Bytes: 300, Syncs: 3}); got != want {
		t.Errorf("per decision %+v, want %+v", got, want)
	}
	if got := decisionOf(50, rates(observation{}, observation{})); got != (decision{}) {
		t.Errorf("of a cluster elsewhere %+v is said to be known", got)
	}
}

func TestRatiosAreOfMedians(t *testing.T) {
	rounds := func(n int, figures ...[2]float64) (all []Result) {
		for _, f := range figures {
			all = append(all, Result{Measurement: Measurement{Replicas: n}, PerSecond: f[0], Latency: latency{P50: f[1]}})
		}
		return all
	}
	r := ratioOf("x", 1, rounds(3, [2]float64{900, 1}, [2]float64{100, 9}, [2]float64{300, 2}), rounds(4, [2]float64{100, 5}, [2]float64{100, 7}, [2]float64{400, 6}))
	if r.Rounds != 3 || r.Throughput != 3 || math.Abs(r.Median-1.0/3) > 1e-9 || r.Raft.Replicas != 3 || r.PBFT.Replicas != 4 {
		t.Errorf("%+v", r)
	}
	if m := median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("the median of 1 to 4 is said to be %v", m)
	}
}

// TestLatencies: percentiles of a hundred known durations.
func TestLatencies(t *testing.T) {
	var all []time.Duration
	for i := range 100 {
		all = append(all, time.Duration(100-i)*time.Millisecond)
	}
	if got, want := latencyOf(all), (latency{Mean: 50.5, P50: 51, P90: 91, P99: 100, Max: 100}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Only operations within the measured time count, and a refusal ends it.
func TestWhatCounts(t *testing.T) {
	var failed error
	l := &load{Measurement: Measurement{Warmup: 2, Duration: 10}, callers: make([]caller, 1), fail: func(err error) { failed = err }}
	for _, times := range [][2]time.Duration{{1, 3}, {2, 5}, {4, 12}, {11, 13}} {
		l.heard(&live.Call{Asked: times[0], Ended: times[1]})
	}
	if got, want := l.callers[0].latencies, []time.Duration{3, 8}; !reflect.DeepEqual(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	l.heard(&live.Call{Err: session.ErrBusy})
	l.heard(&live.Call{Err: session.ErrClosed, Over: true})
	if l.callers[0].failed != 1 || failed != nil {
		t.Errorf("%d failed, %v", l.callers[0].failed, failed)
	}
	l.heard(&live.Call{Result: client.Result{Result: consensus.Result{Code: consensus.ResultFailed}}})
	if failed == nil {
		t.Error("a refused operation did not end the measurement")
	}
}

// A caller that waits in vain until the end has failed; one whose last answer came
// too late has not.
func TestNoAnswerIsAFailure(t *testing.T) {
	l := &load{Measurement: Measurement{Duration: time.Second}, callers: make([]caller, 2)}
	l.heard(&live.Call{Caller: 0, Err: context.Canceled, Over: true})
	l.heard(&live.Call{Caller: 1, Ended: time.Millisecond})
	l.heard(&live.Call{Caller: 1, Err: context.Canceled, Over: true})
	if l.callers[0].failed != 1 || l.callers[1].failed != 0 {
		t.Errorf("failed: %d and %d", l.callers[0].failed, l.callers[1].failed)
	}
}

func TestCheck(t *testing.T) {
	limits := &consensus.Limits{ValueBytes: 1000, OperationBytes: 500}
	for _, row := range []struct {
		m    Measurement
		fits bool
	}{
		{Measurement{ValueBytes: 436}, true}, {Measurement{ValueBytes: 437}, false},
		{Measurement{Operation: make([]byte, 500)}, true}, {Measurement{Operation: make([]byte, 501)}, false},
	} {
		if err := row.m.Check(limits); (err == nil) != row.fits || !row.fits && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d, %d bytes: %v", row.m.ValueBytes, len(row.m.Operation), err)
		}
	}
}
