package bounds

import (
	"bytes"
	"encoding/json"
	"math/bits"
	"os"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/experiment/spec"
)

// TestChartOfAFork: both executions are marked, each with those who signed its
// certificate, and what never arrived is shown as lost.
func TestChartOfAFork(t *testing.T) {
	c, err := newMessageChart(forked(t))
	if err != nil {
		t.Fatal(err)
	}
	var marked []string
	lost := 0
	for _, r := range c.Rows {
		if r.Fork {
			marked = append(marked, c.Lifelines[r.From].Name+" "+r.Text)
		}
		lost += len(r.Lost)
	}
	if want := "R1 executes n=1 A · COMMIT by R0 R1 R3|R2 executes n=1 B · COMMIT by R0 R2 R3"; strings.Join(marked, "|") != want {
		t.Errorf("got %q, want %q", marked, want)
	}
	if lost != 4 || len(c.Values) != 2 || c.Tone != "bad" {
		t.Errorf("%d lost frames, %d values, tone %s", lost, len(c.Values), c.Tone)
	}
	if got := strings.Join(c.Ending, " "); !strings.Contains(got, "R1 executed A, R2 executed B") || !strings.Contains(got, "convicts R0 R3") {
		t.Errorf("ending %q", got)
	}
}

// TestEndingShowsEveryCulprit: however much there is against the first, each one
// who is convicted is shown with a proof.
func TestEndingShowsEveryCulprit(t *testing.T) {
	r := forked(t)
	proofs := r.Outcome.Verdict.Evidence
	slices.SortFunc(proofs, func(a, b evidence.Entry) int { return int(a.Fault.Replica) - int(b.Fault.Replica) })
	r.Outcome.Verdict.Evidence = append(slices.Repeat(proofs[:1], 2*maxLacks), proofs[1])
	c, err := newMessageChart(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Ending) != maxLacks+1 || !strings.Contains(c.Ending[2], "replica 0 ") || !strings.Contains(c.Ending[3], "replica 3 ") {
		t.Errorf("ending %q", c.Ending)
	}
	if got := r.named(); got != "Convicted: R0 R3" {
		t.Errorf("named %q", got)
	}
}

// TestChartOfAStop: it says what is lacking, and whom.
func TestChartOfAStop(t *testing.T) {
	c, err := newMessageChart(stopped(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Ending, " "); !strings.Contains(got, "R0 waits for prepared certificate in view 0, n=1: 2 of 3, lacking R2 R3") {
		t.Errorf("ending %q", got)
	}
}

// TestChartsAreBounded: more messages than a page takes are counted, not drawn.
func TestChartsAreBounded(t *testing.T) {
	r := stopped(t)
	s := newStage(t, 4)
	for i := range 3 * maxArrows {
		s.propose(0, s.batch(uint64(i+1)), "R1")
	}
	r.Outcome.Steps = s.steps
	c, err := newMessageChart(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Rows) != maxArrows || c.Cut != 2*maxArrows {
		t.Errorf("%d rows, %d left out", len(c.Rows), c.Cut)
	}
}

// TestCellsAreHeldAgainstTheory: each way to disagree is found.
func TestCellsAreHeldAgainstTheory(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Result)
		want   string
	}{
		"as it is":         {func(*Result) {}, ""},
		"another outcome":  {func(r *Result) { r.Theory = []string{spec.Live} }, "theory says safe and live, the run was forked"},
		"too few culprits": {func(r *Result) { r.Culprits = 3 }, "names 2 culprits of at least 3"},
		"an honest one":    {func(r *Result) { r.Outcome.Verdict.Culprits = []consensus.ReplicaID{1} }, "R1, which is honest"},
		"a flipped byte":   {func(r *Result) { r.Outcome.Verdict.Evidence[0].Encoded[40] ^= 1 }, "does not hold offline"},
		"another cluster":  {func(r *Result) { r.Outcome.Genesis.Name = "elsewhere" }, "does not hold offline"},
	} {
		r := forked(t)
		test.change(r)
		if got := r.judge(&r.Outcome); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// TestReports: the same cells as table, JSON and page; nothing in the page
// comes from elsewhere. With PAGE=FILE the page is left there to be looked at.
func TestReports(t *testing.T) {
	results := []Result{*forked(t), *stopped(t)}
	results[1].Complaint = "for a change <b>"
	var table, machine, html bytes.Buffer
	if err := WriteTable(&table, results, 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"✓ forked (R0 R3)", "✗ safe but stopped", "PBFT n=4", "✗ PBFT n=4, f+1 crashed: for a change"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
	if err := WriteJSON(&machine, results); err != nil {
		t.Fatal(err)
	}
	var records []record
	if err := json.Unmarshal(machine.Bytes(), &records); err != nil || len(records) != 2 || records[0].Quorum != 3 || records[1].Agrees {
		t.Errorf("got %+v, %v", records, err)
	}
	if err := WriteHTML(&html, results, false); err != nil {
		t.Fatal(err)
	}
	for _, banned := range []string{"http://", "https://", "@import", "url(", "<script", "for a change <b>"} {
		if strings.Contains(strings.ReplaceAll(html.String(), `xmlns="http://www.w3.org/2000/svg"`, ""), banned) {
			t.Errorf("the page contains %q", banned)
		}
	}
	if got := strings.Count(html.String(), "<svg"); got != 2 {
		t.Errorf("%d charts", got)
	}
	if path := os.Getenv("PAGE"); path != "" {
		if err := os.WriteFile(path, html.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCellsFitArithmetic: what a cell expects is what its numbers allow. Of sets of
// members all are tried here: a fork takes two quorums that share liars alone, and
// all whom every such pair shares are convicted, up to f+1; of a protocol that
// tolerates crashes one liar is enough, or one who forgets in a majority.
func TestCellsFitArithmetic(t *testing.T) {
	cells, err := Cells(All)
	if err != nil || len(cells) == 0 {
		t.Fatalf("%d cells, error %v", len(cells), err)
	}
	for i := range cells {
		c := &cells[i]
		s, lies := c.system(), uint(0)
		for _, x := range c.Spec.Traitors {
			lies |= 1 << x.Replica
		}
		forgets := lies
		for _, f := range c.Spec.Faults {
			for _, id := range f.Replicas {
				if f.Kind == spec.Wipe {
					forgets |= 1 << id
				}
			}
		}
		signed := c.Spec.UnderTest().Signed
		fewest := s.Size()
		for a := range uint(1) << s.Size() {
			for b := range uint(1) << s.Size() {
				if bits.OnesCount(a) >= s.Quorum() && bits.OnesCount(b) >= s.Quorum() {
					fewest = min(fewest, bits.OnesCount(a&b))
				}
			}
		}
		forks := fewest <= bits.OnesCount(forgets) || !signed && lies != 0
		name := c.Column() + ", " + c.Row
		if slices.ContainsFunc(c.Theory, func(w string) bool { return w == spec.Forked || w == spec.Unsafe }) && !forks {
			t.Errorf("%s: expects %v, and no fork is possible", name, c.Theory)
		}
		if want := min(s.Faults()+1, fewest); signed && slices.Contains(c.Theory, spec.Forked) && c.Culprits != want {
			t.Errorf("%s: expects %d culprits, want %d", name, c.Culprits, want)
		}
		if slices.Contains(c.Theory, spec.Deceived) && bits.OnesCount(lies) < s.Replies() {
			t.Errorf("%s: expects that a client is deceived, and %d of %d lie", name, bits.OnesCount(lies), s.Replies())
		}
	}
}
