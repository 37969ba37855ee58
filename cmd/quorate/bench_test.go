package main

import (
	"math"
	"reflect"
	"testing"

	"quorate.dev/quorate/protocol"
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
	o := measuredOf(result{Operations: 50}, before, after)
	if want := (decision{Operations: 5, Frames: 8, Bytes: 300, Syncs: 3}); o.Each != want {
		t.Errorf("per decision %+v, want %+v", o.Each, want)
	}
	if o := measuredOf(result{Operations: 50}, observation{}, observation{}); o.Each != (decision{}) {
		t.Errorf("of a cluster elsewhere %+v is said to be known", o.Each)
	}
}

func TestRatiosAreOfMedians(t *testing.T) {
	round := func(n int, perSecond, p50 float64) measured {
		return measured{result: result{measurement: measurement{Replicas: n}, PerSecond: perSecond, Latency: latency{P50: p50}}}
	}
	r := ratioOf("x", 1, map[string][]measured{
		protocol.Raft: {round(3, 900, 1), round(3, 100, 9), round(3, 300, 2)},
		protocol.PBFT: {round(4, 100, 5), round(4, 100, 7), round(4, 400, 6)},
	})
	if r.Rounds != 3 || r.Throughput != 3 || math.Abs(r.Median-1.0/3) > 1e-9 || r.Raft.Replicas != 3 || r.PBFT.Replicas != 4 {
		t.Errorf("%+v", r)
	}
	if m := median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("the median of 1 to 4 is said to be %v", m)
	}
}
