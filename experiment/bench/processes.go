package bench

import (
	"context"
	"os"
	"strings"
	"time"

	"quorate.dev/quorate/testnet"
)

// observation is what is known of the processes at one moment.
type observation struct {
	at       time.Time
	clientS  float64 // CPU seconds of this process
	replicas []observed
}

// observed is one replica at that moment. Metrics are counters since its start:
// only differences mean something.
type observed struct {
	usage   testnet.Usage
	metrics map[string]float64
}

// observe reads the replicas' processes and metrics; of a cluster elsewhere
// nothing is known.
func observe(ctx context.Context, c *testnet.Cluster) observation {
	o := observation{at: time.Now(), clientS: ownCPU()}
	if c == nil {
		return o
	}
	for i := range c.Size() {
		var r observed
		if u, err := c.Usage(i); err == nil {
			r.usage = u
		}
		if page, err := c.Metrics(ctx, i); err == nil {
			r.metrics = parseMetrics(page)
		}
		o.replicas = append(o.replicas, r)
	}
	return o
}

// parseMetrics reads a page of counters. Those with labels are summed up under
// their common name.
func parseMetrics(page []byte) map[string]float64 {
	sums := map[string]float64{}
	for name, v := range testnet.ParseMetrics(page) {
		name, _, _ = strings.Cut(name, "{")
		sums[name] += v
	}
	return sums
}

// ownCPU is what this process has used, or 0 where the system does not tell.
func ownCPU() float64 {
	u, err := testnet.UsageOf(os.Getpid())
	if err != nil {
		return 0
	}
	return u.CPUSeconds
}

// replicaResult is what one replica did during a measurement.
type replicaResult struct {
	Replica     int     `json:"replica"`
	CPU         float64 `json:"cpu_percent"` // of one core
	RSS         int64   `json:"rss_bytes"`
	Peak        int64   `json:"peak_rss_bytes"`
	Batches     float64 `json:"batches"`
	BatchSize   float64 `json:"requests_per_batch"`
	Syncs       float64 `json:"log_syncs"`
	SyncSeconds float64 `json:"log_sync_mean_seconds"`
	Frames      float64 `json:"frames_sent"` // to other replicas
	Bytes       float64 `json:"bytes_sent"`
}

// rates compares two observations of the same processes.
func rates(before, after observation) []replicaResult {
	out := []replicaResult{}
	seconds := max(after.at.Sub(before.at).Seconds(), 1e-9)
	for i := range after.replicas {
		a, b := after.replicas[i], before.replicas[i]
		delta := func(name string) float64 { return a.metrics[name] - b.metrics[name] }
		r := replicaResult{
			Replica: i, CPU: 100 * (a.usage.CPUSeconds - b.usage.CPUSeconds) / seconds, RSS: a.usage.RSSBytes, Peak: a.usage.PeakBytes,
			Batches: delta("quorate_batch_requests_count"), Syncs: delta("quorate_log_sync_seconds_count"),
			Frames: delta("quorate_frames_sent_total"), Bytes: delta("quorate_bytes_sent_total"),
		}
		if r.Batches > 0 {
			r.BatchSize = delta("quorate_batch_requests_sum") / r.Batches
		}
		if r.Syncs > 0 {
			r.SyncSeconds = delta("quorate_log_sync_seconds_sum") / r.Syncs
		}
		out = append(out, r)
	}
	return out
}
