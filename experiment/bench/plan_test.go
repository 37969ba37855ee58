package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
)

// TestTurns: every load with every side, and nobody is always the first. What failed
// ends it, and what was measured stays.
func TestTurns(t *testing.T) {
	var order []string
	broken := errors.New("broken")
	side := func(name string) Side {
		return Side{Name: name, Measure: func(_ context.Context, m Measurement) (Result, error) {
			order = append(order, m.Name+name)
			if len(order) == 7 {
				return Result{Kind: "measurement", Interrupted: true}, broken
			}
			return Result{Kind: "measurement", Measurement: m}, nil
		}}
	}
	heard := 0
	p := &Plan{Loads: []Measurement{{Name: "x"}, {Name: "y"}}, Sides: []Side{side("A"), side("B")}, Rounds: 2, Done: func(*Result) error { heard++; return nil }}
	r, err := p.Run(t.Context())
	if want := []string{"xA", "xB", "xB", "xA", "yA", "yB", "yB"}; !errors.Is(err, broken) || !slices.Equal(order, want) || len(r.Results) != 7 || heard != 7 {
		t.Errorf("%v, %d results, %d heard, %v", order, len(r.Results), heard, err)
	}
	if n := len(r.rounds("y", "B")); n != 1 {
		t.Errorf("%d rounds that were measured to their end", n)
	}
	lost := errors.New("lost")
	p.Done = func(*Result) error { return lost }
	if _, err := p.Run(t.Context()); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
}

// round is a result of a side.
func round(load, side string, number int, perSecond, p50 float64, gap *float64) Result {
	return Result{Kind: "measurement", Side: side, Round: number, Measurement: Measurement{Name: load, Protocol: "pbft", Replicas: 4, Clients: 16, Sessions: 1, ValueBytes: 256, Keys: 16 * KeysEach},
		Seconds: 1, PerSecond: perSecond, Latency: latency{P50: p50, P90: 2 * p50, P99: 4 * p50, Max: 8 * p50}, LongestGap: gap}
}

// TestRatios are of medians, with the least and the greatest of one round.
func TestRatios(t *testing.T) {
	gap := 50.0
	r := &Report{Loads: []Measurement{{Name: "x"}}, Sides: []string{"new", "old"}, Rounds: 3, Results: []Result{
		round("x", "new", 1, 900, 1, &gap), round("x", "old", 1, 100, 5, nil), round("x", "old", 2, 100, 7, nil),
		round("x", "new", 2, 100, 9, &gap), round("x", "new", 3, 300, 2, &gap), round("x", "old", 3, 400, 6, nil),
	}}
	ratios := r.ratios()
	if len(ratios) != 1 {
		t.Fatalf("%+v", ratios)
	}
	x := ratios[0]
	if *x.Throughput != (figure{3, 0.75, 9}) || math.Abs(x.P50.Median-1.0/3) > 1e-9 || x.Gap != nil || x.Of != "new" || x.To != "old" || x.Rounds != 3 {
		t.Errorf("%+v, %+v", x, *x.Throughput)
	}
	s := r.summaries()
	if len(s) != 2 || *s[0].Throughput != (figure{300, 100, 900}) || *s[0].Gap != (figure{50, 50, 50}) || s[1].Gap != nil {
		t.Errorf("%+v", s)
	}
	if m := median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("the median of 1 to 4 is said to be %v", m)
	}
}

// TestPeersStandBesideTheirLoad: as many callers, as many signatures, the same protocol.
func TestPeersStandBesideTheirLoad(t *testing.T) {
	three := 3.0
	peer := func(name string, clients int, each bool, protocol string) Peer {
		return Peer{Name: name, Clients: clients, OneEach: each, Protocol: protocol, Rounds: []PeerRound{{PerSecond: 100, P50: &three}, {PerSecond: 300, P50: &three}}}
	}
	r := &Report{Loads: []Measurement{{Name: "x"}}, Sides: []string{""}, Rounds: 1, Results: []Result{round("x", "", 1, 400, 6, &three)},
		Peers: &Peers{Peers: []Peer{peer("a", 16, false, ""), peer("b", 16, false, "pbft"), peer("c", 16, false, "raft"), peer("d", 17, false, ""), peer("e", 16, true, "")}}}
	var found []string
	for _, x := range r.ratios() {
		found = append(found, fmt.Sprint(x.To, x.Throughput.Median, x.P50.Median, x.P99))
	}
	if want := []string{"a2 2 <nil>", "b2 2 <nil>"}; !slices.Equal(found, want) {
		t.Errorf("%q", found)
	}
	for _, change := range []func(*Measurement){func(m *Measurement) { m.Rate = 5 }, func(m *Measurement) { m.Reads = 5 }, func(m *Measurement) { m.Volatile = true }} {
		x := round("x", "", 1, 1, 1, nil)
		change(&x.Measurement)
		r.Results = []Result{x}
		if ratios := r.ratios(); len(ratios) != 0 {
			t.Errorf("another load stands beside %+v", ratios)
		}
	}
}

// TestStandardLoads differ in what their names say, each caller writes as many keys, and no session
// has nobody to use it.
func TestStandardLoads(t *testing.T) {
	m := Measurement{Clients: 16, Sessions: 3, ValueBytes: 256, Keys: UsualKeys(16, 0)}
	all := Standard(m)
	names := map[string]bool{}
	for i, x := range all {
		names[x.Name] = true
		if x.own() != KeysEach || x.OneEach != (i == 1) || (x.Clients == 1) != (i == 2) || x.Volatile != (i == 3) || x.Sessions != min(m.Sessions, x.Clients) {
			t.Errorf("%+v", x)
		}
	}
	if len(all) != 4 || len(names) != 4 {
		t.Errorf("%d loads with %d names", len(all), len(names))
	}
	if m.Keys = 0; Standard(m)[2].Keys != 0 {
		t.Error("ever new keys are no longer new for one caller")
	}
}
