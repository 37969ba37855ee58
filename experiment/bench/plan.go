package bench

import (
	"context"
	"runtime"
	"slices"
)

// Plan is what is measured: every load with every side, in turns, so that what
// disturbs the machine disturbs all sides.
type Plan struct {
	Loads  []Measurement // their names differ
	Sides  []Side        // the first one is compared with the others
	Rounds int
	Peers  *Peers
	Shared bool                // replicas and callers are on this machine
	Done   func(*Result) error // hears of each result when it is there; it may be of no use
}

// Side is one of those that are measured.
type Side struct {
	Name string // "" = the only one
	// Measure makes one measurement. A result that came with an error counts if it
	// was interrupted.
	Measure func(ctx context.Context, m Measurement) (Result, error)
}

// Report is what came of a plan, or of as much of it as there was time for.
type Report struct {
	Cores   int
	Loads   []Measurement
	Sides   []string
	Rounds  int
	Results []Result
	Peers   *Peers
	Shared  bool
}

// Run measures until all is done, or something fails. The report has what was
// measured until then.
func (p *Plan) Run(ctx context.Context) (*Report, error) {
	r := &Report{Cores: runtime.NumCPU(), Loads: p.Loads, Rounds: p.Rounds, Peers: p.Peers, Shared: p.Shared}
	for _, s := range p.Sides {
		r.Sides = append(r.Sides, s.Name)
	}
	for _, load := range p.Loads {
		for round := 1; round <= p.Rounds; round++ {
			sides := slices.Clone(p.Sides)
			if round%2 == 0 {
				slices.Reverse(sides) // nobody is always the one who goes first
			}
			for _, s := range sides {
				x, err := s.Measure(ctx, load)
				x.Name, x.Side, x.Round = load.Name, s.Name, round
				if err == nil || x.Interrupted {
					r.Results = append(r.Results, x)
				}
				if x.Kind != "" && p.Done != nil {
					if lost := p.Done(&x); err == nil {
						err = lost
					}
				}
				if err != nil {
					return r, err
				}
			}
		}
	}
	return r, nil
}

// figure is a quantity over some rounds.
type figure struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

// figures are the quantities by which sides are compared. One is absent where nobody
// has measured it.
type figures struct {
	Throughput *figure `json:"operations_per_second"`
	P50        *figure `json:"p50_ms"`
	P90        *figure `json:"p90_ms"`
	P99        *figure `json:"p99_ms"`
	Max        *figure `json:"max_ms"`
	Gap        *figure `json:"longest_gap_ms"`
	CPU        *figure `json:"cpu_us_per_operation"`
}

// quantities are the fields of figures.
var quantities = []struct {
	name string
	of   func(*figures) **figure
}{
	{"operations/s", func(f *figures) **figure { return &f.Throughput }},
	{"p50 ms", func(f *figures) **figure { return &f.P50 }},
	{"p90 ms", func(f *figures) **figure { return &f.P90 }},
	{"p99 ms", func(f *figures) **figure { return &f.P99 }},
	{"max ms", func(f *figures) **figure { return &f.Max }},
	{"longest gap ms", func(f *figures) **figure { return &f.Gap }},
	{"CPU µs", func(f *figures) **figure { return &f.CPU }},
}

// sample is what one round has of each quantity; nil where nobody has measured it.
type sample [7]*float64

// sample are a result's quantities. A latency of 0 is none: nobody was answered, or an
// other program does not tell.
func (r *Result) sample() sample {
	s, l := sample{&r.PerSecond}, &r.Latency
	for i, v := range []*float64{&l.P50, &l.P90, &l.P99, &l.Max} {
		if *v > 0 {
			s[i+1] = v
		}
	}
	s[5], s[6] = r.LongestGap, r.CPU
	return s
}

// summary is what one side reached with one load: medians of its rounds.
type summary struct {
	Kind   string `json:"kind"` // summary
	Load   string `json:"load"`
	Side   string `json:"side"`
	Rounds int    `json:"rounds"`
	Failed int    `json:"failed"` // operations, in all rounds
	figures
}

// ratio is what one side reached of another with one load: the ratio of their medians,
// and the least and greatest ratio of one round.
type ratio struct {
	Kind   string `json:"kind"` // ratio
	Load   string `json:"load"`
	Of     string `json:"of"`
	To     string `json:"to"`
	Rounds int    `json:"rounds"`
	figures
	peer *Peer // nil: to a side
}

// rounds are the results of one side with one load that were measured to their end, in
// the order of rounds.
func (r *Report) rounds(load, side string) (all []*Result) {
	for i := range r.Results {
		if x := &r.Results[i]; x.Name == load && x.Side == side && !x.Interrupted {
			all = append(all, x)
		}
	}
	slices.SortStableFunc(all, func(a, b *Result) int { return a.Round - b.Round })
	return all
}

// samplesOf are the figures of rounds.
func samplesOf(rounds []*Result) (all []sample) {
	for _, r := range rounds {
		all = append(all, r.sample())
	}
	return all
}

// figuresOf summarizes samples. What one of them lacks has no figure.
func figuresOf(samples []sample) (f figures) {
	for i, q := range quantities {
		var values []float64
		for _, s := range samples {
			if s[i] != nil {
				values = append(values, *s[i])
			}
		}
		if n := len(values); n > 0 && n == len(samples) {
			*q.of(&f) = &figure{Median: median(values), Least: slices.Min(values), Most: slices.Max(values)}
		}
	}
	return f
}

// summaries lists every load with every side, as far as there are results.
func (r *Report) summaries() (all []summary) {
	for i := range r.Loads {
		for _, side := range r.Sides {
			rounds := r.rounds(r.Loads[i].Name, side)
			if len(rounds) == 0 {
				continue
			}
			s := summary{Kind: "summary", Load: r.Loads[i].Name, Side: side, Rounds: len(rounds), figures: figuresOf(samplesOf(rounds))}
			for _, x := range rounds {
				s.Failed += x.Failed
			}
			all = append(all, s)
		}
	}
	return all
}

// ratios compares the first side with the others, and all with the peers that bore the
// same load, peer by peer.
func (r *Report) ratios() (all []ratio) {
	add := func(load, of, to string, peer *Peer, a, b []sample) {
		if len(a) > 0 && len(b) > 0 {
			x := ratioOf(a, b)
			x.Load, x.Of, x.To, x.peer = load, of, to, peer
			all = append(all, x)
		}
	}
	for i := range r.Loads {
		load, first := r.Loads[i].Name, r.Sides[0]
		for _, side := range r.Sides[1:] {
			add(load, first, side, nil, samplesOf(r.rounds(load, first)), samplesOf(r.rounds(load, side)))
		}
		for _, p := range r.Peers.all() {
			for _, side := range r.Sides {
				if rounds := r.rounds(load, side); len(rounds) > 0 && p.bore(&rounds[0].Measurement) {
					add(load, side, p.Name, p, samplesOf(rounds), p.samples())
				}
			}
		}
	}
	return all
}

// ratioOf divides the medians of two sides, and their figures round by round as long as
// both have one.
func ratioOf(dividends, divisors []sample) ratio {
	r := ratio{Kind: "ratio", Rounds: min(len(dividends), len(divisors))}
	a, b := figuresOf(dividends), figuresOf(divisors)
	for i, q := range quantities {
		x, y := *q.of(&a), *q.of(&b)
		if x == nil || y == nil || y.Median <= 0 {
			continue
		}
		f := &figure{Median: x.Median / y.Median}
		f.Least, f.Most = f.Median, f.Median
		for k := range r.Rounds {
			if divisor := *divisors[k][i]; divisor > 0 {
				one := *dividends[k][i] / divisor
				f.Least, f.Most = min(f.Least, one), max(f.Most, one)
			}
		}
		*q.of(&r.figures) = f
	}
	return r
}
