package bench

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/internal/table"
)

// Result is what came of a measurement.
type Result struct {
	Kind string `json:"kind"` // measurement
	Side string `json:"side"` // who was measured, where there are several
	// Round is from 1.
	Round int `json:"round"`
	Measurement
	Interrupted  bool            `json:"interrupted"` // it was not measured to its end
	Seconds      float64         `json:"seconds"`
	Operations   int             `json:"operations"`
	PerSecond    float64         `json:"operations_per_second"`
	Failed       int             `json:"failed"`     // the sum of the next three
	Refused      int             `json:"refused"`    // not executed: too many waited already
	Unknown      int             `json:"unknown"`    // perhaps executed
	Unanswered   int             `json:"unanswered"` // of callers that were never answered
	UnderWay     int             `json:"under_way_at_the_end"`
	Oldest       float64         `json:"oldest_under_way_ms"`
	LongestGap   *float64        `json:"longest_gap_ms"` // without any answer; absent = an older program measured
	GapsInAll    int             `json:"gaps_of_100_ms"` // or longer
	Gaps         []Gap           `json:"gaps"`           // the longest of them
	Latency      latency         `json:"latency_ms"`
	ReadLatency  *latency        `json:"read_latency_ms,omitempty"` // where reads are mixed with writes
	WriteLatency *latency        `json:"write_latency_ms,omitempty"`
	Course       Course          `json:"over_time"`
	ClientCPU    float64         `json:"client_cpu_percent"`
	CPU          *float64        `json:"cpu_us_per_operation"` // of callers and replicas together; absent = not known
	Each         decision        `json:"per_decision"`
	Processes    []replicaResult `json:"replica_processes"`
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
	m := l.meter
	all, longest := m.reads, milliseconds(m.longest)
	all.join(&m.writes)
	r := Result{
		Kind: "measurement", Round: 1, Measurement: l.Measurement, Seconds: (m.until - m.from).Seconds(), Operations: int(all.n), Refused: m.refused, Unknown: m.unknown,
		UnderWay: m.underWay, Oldest: milliseconds(m.oldest), LongestGap: &longest, GapsInAll: m.gapsInAll, Gaps: append([]Gap{}, m.gaps...), Course: m.course,
		Latency: all.latency(), Processes: rates(before, after),
	}
	if m.reads.n > 0 && m.writes.n > 0 {
		reads, writes := m.reads.latency(), m.writes.latency()
		r.ReadLatency, r.WriteLatency = &reads, &writes
	}
	for i := range l.callers {
		r.Unanswered += l.callers[i].inVain
	}
	r.Failed = r.Refused + r.Unknown + r.Unanswered
	r.PerSecond = float64(r.Operations) / max(r.Seconds, 1e-9)
	r.ClientCPU = 100 * (after.clientS - before.clientS) / max(after.at.Sub(before.at).Seconds(), 1e-9)
	r.Each, r.CPU = decisionOf(r.Operations, r.Processes), r.cpu()
	return r
}

// cpu is the processor time of an operation, callers and replicas together, in
// microseconds. It depends less on what else a machine does than anything else here.
func (r *Result) cpu() *float64 {
	if len(r.Processes) == 0 || r.Operations == 0 {
		return nil
	}
	percent := r.ClientCPU
	for _, p := range r.Processes {
		percent += p.CPU
	}
	each := percent / 100 * r.Seconds * 1e6 / float64(r.Operations)
	return &each
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

// load says who asks for what.
func (m *Measurement) load() string {
	parts := []string{noun.Several(m.Clients, "caller")}
	if m.Rate > 0 {
		parts = []string{fmt.Sprintf("%d operations/s, at most %d under way", m.Rate, m.Clients)}
	}
	if m.Sessions > 1 {
		parts = append(parts, noun.Several(m.Sessions, "session"))
	}
	if m.OneEach {
		parts = append(parts, "one signature each")
	}
	switch {
	case m.Operation != nil:
		return strings.Join(append(parts, "an operation of "+noun.Several(len(m.Operation), "byte")), ", ")
	case m.Reads == 100:
		parts = append(parts, "reads")
	case m.Reads > 0:
		parts = append(parts, fmt.Sprintf("%d %% reads", m.Reads))
	}
	parts = append(parts, "values of "+noun.Several(m.ValueBytes, "byte"))
	switch {
	case m.Keys == 0:
		parts = append(parts, "ever new keys")
	case m.Keys != UsualKeys(m.Clients, m.Rate) || m.Fill:
		parts = append(parts, noun.Several(m.Keys, "key"))
	}
	return strings.Join(parts, ", ")
}

// failures says what failed, and how.
func (r *Result) failures() string {
	if r.Failed == 0 {
		return "0 failed"
	}
	var parts []string
	for _, x := range []struct {
		n    int
		what string
	}{{r.Refused, "refused"}, {r.Unknown, "unknown"}, {r.Unanswered, "never answered"}} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	return fmt.Sprintf("%d failed: %s", r.Failed, strings.Join(parts, ", "))
}

// WriteText writes a result for people. How well work was gathered stands beside
// what a replica used: operations per batch, and batches per sync, are what
// throughput is made of.
// Lines are broken for a terminal of so many columns; 0 = any width.
func (r *Result) WriteText(w io.Writer, columns int) error {
	var b bytes.Buffer
	line := func(format string, args ...any) {
		b.WriteString(strings.Join(table.Wrap(fmt.Sprintf(format, args...), columns), "\n") + "\n")
	}
	line("%s: %s, %s, %s", r.title(), r.Protocol, noun.Several(r.Replicas, "replica"), r.load())
	early := ""
	if r.Interrupted {
		early = ", then interrupted"
	}
	line("  %.0f operations/s (%d in %.1fs, %s)%s", r.PerSecond, r.Operations, r.Seconds, r.failures(), early)
	if r.LongestGap != nil {
		line("  longest time without an answer: %s ms%s", brief(*r.LongestGap), r.gaps())
	}
	latencies := func(name string, l *latency) {
		line("  %s ms: p50 %.2f  p90 %.2f  p99 %.2f  max %.2f  mean %.2f", name, l.P50, l.P90, l.P99, l.Max, l.Mean)
	}
	if r.Operations > 0 || r.Latency.Max > 0 {
		latencies("latency", &r.Latency)
	} else {
		line("  nothing was answered in that time: there are no latencies")
	}
	if r.ReadLatency != nil && r.WriteLatency != nil {
		latencies("of reads", r.ReadLatency)
		latencies("of writes", r.WriteLatency)
	}
	if r.Oldest > r.Latency.Max {
		line("  under way at the end: %s, one for %s ms", noun.Several(r.UnderWay, "operation"), brief(r.Oldest))
	}
	if e := r.Each; e.Frames > 0 {
		line("  per decision: %.1f operations, %.1f messages and %.0f bytes between replicas, %.1f syncs", e.Operations, e.Frames, e.Bytes, e.Syncs)
	}
	if r.CPU != nil {
		line("  client CPU %.0f%%, %s µs of CPU for each operation, replicas included", r.ClientCPU, brief(*r.CPU))
	} else {
		line("  client CPU %.0f%%", r.ClientCPU)
	}
	if err := r.processes().Write(&b, columns); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}

// title names a result among others.
func (r *Result) title() string {
	name := r.Name
	if r.Side != "" {
		name += ", " + r.Side
	}
	if r.Round > 1 {
		name += fmt.Sprintf(", round %d", r.Round)
	}
	return name
}

// gaps says how many there were.
func (r *Result) gaps() string {
	if r.GapsInAll == 0 {
		return ""
	}
	return fmt.Sprintf("; %d of 100 ms or more", r.GapsInAll)
}

// processes is the table of what each replica used.
func (r *Result) processes() *table.Table {
	t := &table.Table{Indent: "  "}
	if len(r.Processes) > 0 {
		t.Row("REPLICA", "CPU", "RSS MiB", "PEAK MiB", "BATCHES/s", "REQUESTS/BATCH", "OPERATIONS/BATCH", "SYNCS/s", "SYNC ms")
	}
	for _, x := range r.Processes {
		perBatch, seconds := float64(r.Operations)/max(x.Batches, 1), max(r.Seconds, 1e-9)
		t.Row(strings.Split(fmt.Sprintf("%d\t%.0f%%\t%d\t%d\t%.0f\t%.1f\t%.1f\t%.0f\t%.2f", x.Replica, x.CPU, x.RSS>>20, x.Peak>>20,
			x.Batches/seconds, x.BatchSize, perBatch, x.Syncs/seconds, 1e3*x.SyncSeconds), "\t")...)
	}
	return t
}

// brief prints a figure with as many digits as say something.
func brief(v float64) string {
	switch {
	case v >= 100 || v == 0:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// median is the middle one, of an even number the mean of the two.
func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	half := len(values) / 2
	if len(values)%2 == 1 {
		return values[half]
	}
	return (values[half-1] + values[half]) / 2
}
