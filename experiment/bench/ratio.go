package bench

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"quorate.dev/quorate/protocol"
)

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

// WriteRatios writes them as a table.
func WriteRatios(w io.Writer, ratios []Ratio) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "Raft, %d replicas, to PBFT, %d replicas (medians of %d):\n", ratios[0].Raft.Replicas, ratios[0].PBFT.Replicas, ratios[0].Rounds)
	fmt.Fprintln(t, "  MEASUREMENT\tOPERATIONS/s\tRATIO\tP50 ms\tRATIO")
	for _, r := range ratios {
		fmt.Fprintf(t, "  %s\t%.0f : %.0f\t%.2f\t%.2f : %.2f\t%.2f\n", r.Name, r.Raft.PerSecond, r.PBFT.PerSecond, r.Throughput, r.Raft.P50, r.PBFT.P50, r.Median)
	}
	return t.Flush()
}
