package bench

import (
	"reflect"
	"testing"
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
