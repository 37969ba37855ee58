package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
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
	found := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(page))
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		name, _, _ := strings.Cut(line[:at], "{")
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			found[name] += v
		}
	}
	return found
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
	var out []replicaResult
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

// measured is a measurement with what the processes used for it.
type measured struct {
	result
	ClientCPU float64         `json:"client_cpu_percent"`
	Each      decision        `json:"per_decision"`
	Processes []replicaResult `json:"replica_processes"`
}

// decision is what one decision, a batch, took on average, all replicas together,
// with everything that passes between them: upkeep, and requests passed on.
type decision struct {
	Operations float64 `json:"operations"`
	Frames     float64 `json:"frames"`
	Bytes      float64 `json:"bytes"`
	Syncs      float64 `json:"log_syncs"`
}

// measuredOf joins what the callers saw with what the processes counted.
func measuredOf(r result, before, after observation) measured {
	o := measured{result: r, Processes: rates(before, after)}
	o.ClientCPU = 100 * (after.clientS - before.clientS) / max(after.at.Sub(before.at).Seconds(), 1e-9)
	var decisions float64
	for _, p := range o.Processes {
		decisions = max(decisions, p.Batches)
		o.Each.Frames, o.Each.Bytes, o.Each.Syncs = o.Each.Frames+p.Frames, o.Each.Bytes+p.Bytes, o.Each.Syncs+p.Syncs
	}
	if decisions > 0 {
		e := &o.Each
		e.Operations, e.Frames, e.Bytes, e.Syncs = float64(r.Operations)/decisions, e.Frames/decisions, e.Bytes/decisions, e.Syncs/decisions
	}
	return o
}

// report prints one measurement.
func (o *measured) report(machine bool) error {
	if machine {
		return printJSON(o)
	}
	l := o.Latency
	fmt.Printf("%s: %s, %s, %s, %s\n", o.Name, o.Protocol, several(o.Replicas, "replica"), several(o.Clients, "caller"), o.load())
	fmt.Printf("  %.0f operations/s (%d in %.1fs, %d failed)\n", o.PerSecond, o.Operations, o.Seconds, o.Failed)
	fmt.Printf("  latency ms: p50 %.2f  p90 %.2f  p99 %.2f  max %.2f  mean %.2f\n", l.P50, l.P90, l.P99, l.Max, l.Mean)
	if e := o.Each; e.Frames > 0 {
		fmt.Printf("  per decision: %.1f operations, %.1f messages and %.0f bytes between replicas, %.1f syncs\n", e.Operations, e.Frames, e.Bytes, e.Syncs)
	}
	fmt.Printf("  client CPU %.0f%%\n", o.ClientCPU)
	return printReplicas(o.result, o.Processes)
}

// printReplicas shows, beside what a replica used, how well work was gathered:
// operations per batch, and batches per sync, are what throughput is made of.
func printReplicas(r result, replicas []replicaResult) error {
	if len(replicas) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  REPLICA\tCPU\tRSS MiB\tPEAK MiB\tBATCHES/s\tREQUESTS/BATCH\tOPERATIONS/BATCH\tSYNCS/s\tSYNC ms")
	for _, x := range replicas {
		perBatch := float64(r.Operations) / max(x.Batches, 1)
		fmt.Fprintf(t, "  %d\t%.0f%%\t%.0f\t%.0f\t%.0f\t%.1f\t%.1f\t%.0f\t%.2f\n", x.Replica, x.CPU, mib(x.RSS), mib(x.Peak),
			x.Batches/r.Seconds, x.BatchSize, perBatch, x.Syncs/r.Seconds, 1e3*x.SyncSeconds)
	}
	return t.Flush()
}
