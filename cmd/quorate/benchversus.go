package main

import (
	"fmt"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/protocol"
)

// maxRounds bounds --rounds.
const maxRounds = 100

// ratio is what Raft reaches of PBFT in one measurement: medians of all rounds.
type ratio struct {
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

// versus measures both protocols on equal terms: the same faults to withstand,
// the same load, the same machine, in turns, so that what disturbs the machine
// disturbs both.
func versus(c *cli.Context, t measurement) error {
	kinds := comparison(t)[:3]
	outcomes := make([]map[string][]measured, len(kinds))
	for i, kind := range kinds {
		outcomes[i] = map[string][]measured{}
		for range c.Int("rounds") {
			for _, name := range []string{protocol.Raft, protocol.PBFT} {
				p, err := protocol.Lookup(name)
				if err != nil {
					return err
				}
				kind.Protocol, kind.Replicas = name, p.Model.Least(c.Int("faults"))
				o, err := temporary(c, kind)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", kind.Name, name, err)
				}
				outcomes[i][name] = append(outcomes[i][name], o)
			}
		}
	}
	var ratios []ratio
	for i, kind := range kinds {
		ratios = append(ratios, ratioOf(kind.Name, c.Int("faults"), outcomes[i]))
	}
	return printRatios(c, ratios)
}

// ratioOf compares the rounds of one kind of measurement.
func ratioOf(name string, faults int, outcomes map[string][]measured) ratio {
	r := ratio{Name: name, Rounds: len(outcomes[protocol.Raft]), Faults: faults, Raft: pairOf(outcomes[protocol.Raft]), PBFT: pairOf(outcomes[protocol.PBFT])}
	r.Throughput = r.Raft.PerSecond / max(r.PBFT.PerSecond, 1e-9)
	r.Median = r.Raft.P50 / max(r.PBFT.P50, 1e-9)
	return r
}

// pairOf takes the medians of one protocol's rounds; there is at least one.
func pairOf(rounds []measured) pair {
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

// printRatios ends the report.
func printRatios(c *cli.Context, ratios []ratio) error {
	machine, err := benchJSON(c)
	if err != nil {
		return err
	}
	if machine {
		for _, r := range ratios {
			if err := printJSON(r); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "Raft, %d replicas, to PBFT, %d replicas (medians of %d):\n", ratios[0].Raft.Replicas, ratios[0].PBFT.Replicas, ratios[0].Rounds)
	fmt.Fprintln(t, "  MEASUREMENT\tOPERATIONS/s\tRATIO\tP50 ms\tRATIO")
	for _, r := range ratios {
		fmt.Fprintf(t, "  %s\t%.0f : %.0f\t%.2f\t%.2f : %.2f\t%.2f\n", r.Name, r.Raft.PerSecond, r.PBFT.PerSecond, r.Throughput, r.Raft.P50, r.PBFT.P50, r.Median)
	}
	return t.Flush()
}
