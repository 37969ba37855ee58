package bench

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/table"
	"quorate.dev/quorate/protocol"
)

// Result is what came of a measurement.
type Result struct {
	Measurement
	Seconds    float64         `json:"seconds"`
	Operations int             `json:"operations"`
	PerSecond  float64         `json:"operations_per_second"`
	Failed     int             `json:"failed"`
	Latency    latency         `json:"latency_ms"`
	ClientCPU  float64         `json:"client_cpu_percent"`
	Each       decision        `json:"per_decision"`
	Processes  []replicaResult `json:"replica_processes"`
}

// decision is what one decision, a batch, took on average, all replicas together,
// with everything that passes between them: upkeep, and requests passed on.
type decision struct {
	Operations float64 `json:"operations"`
	Frames     float64 `json:"frames"`
	Bytes      float64 `json:"bytes"`
	Syncs      float64 `json:"log_syncs"`
}

// result joins what the callers saw, after they have ended, with what the
// processes counted.
func (l *load) result(before, after observation) Result {
	r := Result{Measurement: l.Measurement, Seconds: l.Duration.Seconds(), Processes: rates(before, after)}
	all := l.callers[0].latencies
	r.Failed = l.callers[0].failed
	for _, c := range l.callers[1:] {
		all = append(all, c.latencies...)
		r.Failed += c.failed
	}
	r.Operations, r.Latency = len(all), latencyOf(all)
	r.PerSecond = float64(len(all)) / max(r.Seconds, 1e-9)
	r.ClientCPU = 100 * (after.clientS - before.clientS) / max(after.at.Sub(before.at).Seconds(), 1e-9)
	r.Each = decisionOf(r.Operations, r.Processes)
	return r
}

// decisionOf divides what all replicas did by the decisions of the one that is
// furthest.
func decisionOf(operations int, replicas []replicaResult) (d decision) {
	var decisions float64
	for _, p := range replicas {
		decisions = max(decisions, p.Batches)
		d.Frames, d.Bytes, d.Syncs = d.Frames+p.Frames, d.Bytes+p.Bytes, d.Syncs+p.Syncs
	}
	if decisions == 0 {
		return decision{}
	}
	return decision{Operations: float64(operations) / decisions, Frames: d.Frames / decisions, Bytes: d.Bytes / decisions, Syncs: d.Syncs / decisions}
}

// load says what the callers ask for.
func (m *Measurement) load() string {
	if m.Operation != nil {
		return "an operation of " + several(len(m.Operation), "byte")
	}
	return "values of " + several(m.ValueBytes, "byte")
}

// several is a number with its noun.
func several(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// WriteText writes a result for people. How well work was gathered stands beside
// what a replica used: operations per batch, and batches per sync, are what
// throughput is made of.
// Lines are broken for a terminal of so many columns; 0 = any width.
func (r *Result) WriteText(w io.Writer, columns int) error {
	l := r.Latency
	var b bytes.Buffer
	line := func(format string, args ...any) {
		b.WriteString(strings.Join(table.Wrap(fmt.Sprintf(format, args...), columns), "\n") + "\n")
	}
	line("%s: %s, %s, %s, %s", r.Name, r.Protocol, several(r.Replicas, "replica"), several(r.Clients, "caller"), r.load())
	line("  %.0f operations/s (%d in %.1fs, %d failed)", r.PerSecond, r.Operations, r.Seconds, r.Failed)
	line("  latency ms: p50 %.2f  p90 %.2f  p99 %.2f  max %.2f  mean %.2f", l.P50, l.P90, l.P99, l.Max, l.Mean)
	if e := r.Each; e.Frames > 0 {
		line("  per decision: %.1f operations, %.1f messages and %.0f bytes between replicas, %.1f syncs", e.Operations, e.Frames, e.Bytes, e.Syncs)
	}
	line("  client CPU %.0f%%", r.ClientCPU)
	t := table.Table{Indent: "  "}
	if len(r.Processes) > 0 {
		t.Row("REPLICA", "CPU", "RSS MiB", "PEAK MiB", "BATCHES/s", "REQUESTS/BATCH", "OPERATIONS/BATCH", "SYNCS/s", "SYNC ms")
	}
	for _, x := range r.Processes {
		perBatch := float64(r.Operations) / max(x.Batches, 1)
		t.Row(strings.Split(fmt.Sprintf("%d\t%.0f%%\t%d\t%d\t%.0f\t%.1f\t%.1f\t%.0f\t%.2f", x.Replica, x.CPU, x.RSS>>20, x.Peak>>20,
			x.Batches/r.Seconds, x.BatchSize, perBatch, x.Syncs/r.Seconds, 1e3*x.SyncSeconds), "\t")...)
	}
	if err := t.Write(&b, columns); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}

// Ratio is what Raft reaches of PBFT in one measurement: medians of all rounds.
type Ratio struct {
	Name       string  `json:"name"`
	Rounds     int     `json:"rounds"`
	Faults     int     `json:"faults"`
	Raft       pair    `json:"raft"`
	PBFT       pair    `json:"pbft"`
	Throughput float64 `json:"throughput_raft_to_pbft"`
	Median     float64 `json:"p50_raft_to_pbft"`
}

// pair is what one protocol reached.
type pair struct {
	Replicas  int      `json:"replicas"`
	PerSecond float64  `json:"operations_per_second"`
	P50       float64  `json:"p50_ms"`
	Each      decision `json:"per_decision"` // of the last round
}

// Ratios measures both protocols on equal terms: the same faults to withstand,
// the same load, the same machine, in turns, so that what disturbs the machine
// disturbs both. run makes one measurement.
func Ratios(m Measurement, faults, rounds int, run func(Measurement) (Result, error)) ([]Ratio, error) {
	var ratios []Ratio
	for _, kind := range Standard(m)[:3] {
		results := map[string][]Result{}
		for range rounds {
			for _, name := range []string{protocol.Raft, protocol.PBFT} {
				p, err := protocol.Lookup(name)
				if err != nil {
					return nil, err
				}
				kind.Protocol, kind.Replicas = name, p.Model.Least(faults)
				r, err := run(kind)
				if err != nil {
					return nil, err
				}
				results[name] = append(results[name], r)
			}
		}
		ratios = append(ratios, ratioOf(kind.Name, faults, results[protocol.Raft], results[protocol.PBFT]))
	}
	return ratios, nil
}

// ratioOf compares the rounds of one kind of measurement.
func ratioOf(name string, faults int, raft, pbft []Result) Ratio {
	r := Ratio{Name: name, Rounds: len(raft), Faults: faults, Raft: pairOf(raft), PBFT: pairOf(pbft)}
	r.Throughput = r.Raft.PerSecond / max(r.PBFT.PerSecond, 1e-9)
	r.Median = r.Raft.P50 / max(r.PBFT.P50, 1e-9)
	return r
}

// pairOf takes the medians of one protocol's rounds; there is at least one.
func pairOf(rounds []Result) pair {
	var perSecond, p50 []float64
	for _, o := range rounds {
		perSecond, p50 = append(perSecond, o.PerSecond), append(p50, o.Latency.P50)
	}
	last := rounds[len(rounds)-1]
	return pair{Replicas: last.Replicas, PerSecond: median(perSecond), P50: median(p50), Each: last.Each}
}

// median is the middle one, of an even number the mean of the two.
func median(values []float64) float64 {
	slices.Sort(values)
	half := len(values) / 2
	if len(values)%2 == 1 {
		return values[half]
	}
	return (values[half-1] + values[half]) / 2
}

// WriteRatios writes them as a table for a terminal of so many columns; 0 = any width.
func WriteRatios(w io.Writer, ratios []Ratio, columns int) error {
	head := fmt.Sprintf("Raft, %d replicas, to PBFT, %d replicas (medians of %d):", ratios[0].Raft.Replicas, ratios[0].PBFT.Replicas, ratios[0].Rounds)
	if _, err := fmt.Fprintln(w, strings.Join(table.Wrap(head, columns), "\n")); err != nil {
		return err
	}
	t := table.Table{Indent: "  "}
	t.Row("MEASUREMENT", "OPERATIONS/s", "RATIO", "P50 ms", "RATIO")
	for _, r := range ratios {
		t.Row(r.Name, fmt.Sprintf("%.0f : %.0f", r.Raft.PerSecond, r.PBFT.PerSecond), fmt.Sprintf("%.2f", r.Throughput),
			fmt.Sprintf("%.2f : %.2f", r.Raft.P50, r.PBFT.P50), fmt.Sprintf("%.2f", r.Median))
	}
	return t.Write(w, columns)
}
