package bounds

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/experiment/report"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// small are the cells that tests run: all but the larger ones of PBFT, of which
// each has a smaller one beside it, unless the document names them.
func small(t *testing.T) []Cell {
	t.Helper()
	cells, err := Cells(All)
	if err != nil {
		t.Fatal(err)
	}
	_, named, _ := document(t)
	return slices.DeleteFunc(cells, func(c Cell) bool { return c.Spec.Replicas > 5 && named[c.ID()] == "" })
}

// once runs the small cells for all tests together.
var once struct {
	sync.Once
	results []Result
	err     error
}

func runs(t *testing.T) []Result {
	t.Helper()
	cells := small(t)
	once.Do(func() { once.results, once.err = Run(context.Background(), cells, Options{Parallel: 2}) })
	if once.err != nil {
		t.Fatal(once.err)
	}
	return once.results
}

// TestMatrixAgreesWithTheory: what 2f+1, 3f+1, 3f and a wrong quorum come to. The
// whole matrix is `quorate bounds`.
func TestMatrixAgreesWithTheory(t *testing.T) {
	results := runs(t)
	words := map[string]int{}
	for i := range results {
		r := &results[i]
		if words[r.Word()]++; !r.Agrees() {
			t.Errorf("%s, %s: %v %s", r.Column(), r.Row, r.Err, r.Complaint)
		}
		if _, err := newMessageChart(r); err != nil {
			t.Errorf("%s: %v", r.ID(), err)
		}
	}
	if len(words) < 4 {
		t.Errorf("not every kind of outcome was seen: %v", words)
	}
	wholeEvidence(t, results)
}

// TestMatrixSetsOneLiarApart: the liar that forks Raft does nothing to PBFT, and
// where PBFT forks, it takes f+1, all of whom are convicted.
func TestMatrixSetsOneLiarApart(t *testing.T) {
	forks := map[string]int{}
	for _, r := range runs(t) {
		if r.Section != sectionBoth || r.Word() != spec.Forked {
			continue
		}
		forks[r.Spec.Protocol]++
		v := &r.Outcome.Verdict
		switch {
		case len(v.Violations) == 0 || v.ForkAt == 0:
			t.Errorf("%s forks without a violation", r.ID())
		case !r.Spec.UnderTest().Signed && (len(v.Culprits) > 0 || len(v.Evidence) > 0):
			t.Errorf("%s convicts %v", r.ID(), v.Culprits)
		case r.Spec.UnderTest().Signed && (len(r.Spec.Traitors) != r.system().Faults()+1 || len(v.Culprits) != len(r.Spec.Traitors)):
			t.Errorf("%s forks with %d liars, of whom %v are convicted", r.ID(), len(r.Spec.Traitors), v.Culprits)
		}
		c, err := newMessageChart(&r)
		if err != nil {
			t.Fatal(err)
		}
		marked := 0
		for _, row := range c.Rows {
			if row.Fork {
				marked++
			}
		}
		if marked < 2 {
			t.Errorf("the chart of %s marks %d executions that exclude each other", r.ID(), marked)
		}
	}
	if forks[protocol.Raft] < 12 || forks[protocol.PBFT] < 2 {
		t.Errorf("forks: %v", forks)
	}
}

// TestSplitTellsItsSides: a side without a quorum that answered would be found,
// and so would one that never told its client why.
func TestSplitTellsItsSides(t *testing.T) {
	for _, r := range runs(t) {
		if r.Split == nil || len(r.Split.Answered) == 0 {
			continue
		}
		for name, change := range map[string]func(*spec.Call){
			"C0 is with no quorum and got": func(c *spec.Call) { c.Client = 0 },
			"C1 is with a quorum and got no": func(c *spec.Call) {
				if c.Client == 1 {
					c.Ended = 0
				}
			},
			"C0 is with no quorum and was told nothing": func(c *spec.Call) {
				if c.Client == 0 {
					c.Ended = 0
				}
			},
		} {
			o := r.Outcome
			o.Calls = slices.Clone(o.Calls)
			for i := range o.Calls {
				change(&o.Calls[i])
			}
			if got := r.split(&o); !strings.HasPrefix(got, name) {
				t.Errorf("%s: got %q, want %q", r.ID(), got, name)
			}
		}
		if calls, _ := r.splitCalls(); len(calls.Rows) == 0 || !slices.ContainsFunc(calls.Rows, func(c []report.Cell) bool { return strings.Contains(c[4].Text, "outcome unknown") }) {
			t.Errorf("%s: the calls have no unknown outcome: %v", r.ID(), calls)
		}
	}
}

// TestPageOfBoth: what the same fault does to either protocol stands in one row.
func TestPageOfBoth(t *testing.T) {
	results := runs(t)
	var b strings.Builder
	if err := WriteHTML(&b, results, false); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if got := strings.Count(page, "<svg"); got != len(results) {
		t.Errorf("%d charts of %d cells", got, len(results))
	}
	together := 0
	for _, row := range strings.Split(page, `<section class="scenario`)[1:] {
		columns := regexp.MustCompile(`<h4>(\w+) n=`).FindAllStringSubmatch(row, -1)
		names := map[string]bool{}
		for _, c := range columns {
			names[c[1]] = true
		}
		if len(names) != len(columns) || strings.HasPrefix(row, " wide") != (len(columns) > 1) {
			t.Errorf("%v in %.200s", columns, row)
		}
		if names["Raft"] && names["PBFT"] {
			together++
		}
	}
	if together < 20 {
		t.Errorf("the protocols stand side by side in %d rows", together)
	}
	for _, want := range []string{"Nobody can be convicted", "Convicted: R0 R3", "Nobody lied", "leads term", "What each side answered", "refused, not executed: no leader"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page says nowhere %q", want)
		}
	}
}

// wholeEvidence: what is written to files is proof by the genesis beside it, and
// none any more with a flipped byte.
func wholeEvidence(t *testing.T, results []Result) {
	files, err := WriteEvidence(t.TempDir(), results)
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	n := 0
	for i := range results {
		for _, e := range results[i].Outcome.Verdict.Evidence {
			founding, err := genesis.Load(filepath.Join(filepath.Dir(files[n]), "genesis.toml"))
			if err != nil {
				t.Fatal(err)
			}
			encoded := append([]byte{}, e.Encoded...)
			if _, err := evidence.Verify(&founding.Genesis, encoded); err != nil {
				t.Errorf("%s: %v", files[n], err)
			}
			encoded[len(encoded)/2] ^= 1
			if fault, err := evidence.Verify(&founding.Genesis, encoded); err == nil {
				t.Errorf("%s with a flipped byte proves %v", files[n], fault)
			}
			n++
		}
	}
}

// TestCellsAreWellFormed: names are unique, everything is explained, and what is
// to fork names how many are to be convicted.
func TestCellsAreWellFormed(t *testing.T) {
	cells, err := Cells(All)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range cells {
		if seen[c.ID()] || c.Why == "" || c.Source == "" || len(c.Theory) == 0 || !c.Spec.RealKeys {
			t.Errorf("%s: not unique, or not whole", c.ID())
		}
		seen[c.ID()] = true
		if (c.Culprits > 0) != (c.Spec.Protocol == "pbft" && slices.Contains(c.Theory, spec.Forked)) {
			t.Errorf("%s: %d culprits of %v", c.ID(), c.Culprits, c.Theory)
		}
		// Whoever votes for both halves of a fork stands in both quorums.
		if shared := 2*c.system().Quorum() - c.Spec.Replicas; c.Culprits > 0 && c.Culprits != shared {
			t.Errorf("%s: %d culprits, but two quorums share %d", c.ID(), c.Culprits, shared)
		}
	}
	if _, err := Cells("zab"); err == nil {
		t.Error("there is a matrix for zab")
	}
}

// TestOneThatReturns: its chart says that it is down, and that it is back.
func TestOneThatReturns(t *testing.T) {
	r := stopped(t)
	r.Spec.Faults = []spec.Fault{{Lasts: sim.Millisecond / 2, Kind: spec.Crash, Replicas: last(4, 1)}}
	c, err := newMessageChart(r)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(c.Rows, func(x report.Row) bool { return x.Kind == report.Return && c.Lifelines[x.From].Name == "R3" }) {
		t.Errorf("R3 does not return in %+v", c.Rows)
	}
}
