package bounds

import (
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/experiment/spec"
)

// TestClaimsAreHeld: where a claim does not hold, the cell disagrees with theory; and
// what is claimed of one protocol does not hold of the next by chance.
func TestClaimsAreHeld(t *testing.T) {
	opposite := map[string]Claim{
		inOrder.Text: outOfOrder, outOfOrder.Text: inOrder, keepsBeyondGap.Text: losesBeyondGap, losesBeyondGap.Text: keepsBeyondGap,
		oldValueStays.Text: oldValueGoes, oldValueGoes.Text: oldValueStays,
		stays(faultAt).Text: moves(faultAt), moves(faultAt).Text: stays(faultAt), nobodyLeads(starAt).Text: moves(starAt), leads(1).Text: leads(2),
	}
	tried := map[string]bool{}
	for _, r := range runs(t) {
		for _, x := range r.Claims {
			other, known := opposite[x.Text]
			if !known {
				continue
			}
			tried[x.Text] = true
			c := r.Cell
			c.Claims = []Claim{other}
			if got := c.judge(&r.Outcome); !strings.Contains(got, other.Text) {
				t.Errorf("%s: both %q and %q hold: %q", r.ID(), x.Text, other.Text, got)
			}
		}
	}
	if len(tried) < len(opposite)-1 {
		t.Errorf("claims that no cell makes: %d of %d were tried", len(tried), len(opposite))
	}
}

// TestClaimsNeedARun: of a run in which nothing happened only what says so holds.
func TestClaimsNeedARun(t *testing.T) {
	for _, x := range []Claim{outOfOrder, keepsBeyondGap, losesBeyondGap, oldValueStays, oldValueGoes, moves(0), outbids(0), takesOver, leads(0)} {
		if x.Holds(&spec.Outcome{}) {
			t.Errorf("%q holds of nothing", x.Text)
		}
	}
}

// TestChartOfPaxos: who accepted is named at the leader's execution, by who sent it.
func TestChartOfPaxos(t *testing.T) {
	results := runs(t)
	at := slices.IndexFunc(results, func(r Result) bool { return r.ID() == "paxos-n-3-nobody-is-faulty" })
	c, err := newMessageChart(&results[at])
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, r := range c.Rows {
		text += r.Text + "\n"
	}
	for _, want := range []string{"ACCEPT b3", "ACCEPTED b3", "stored by R0 R1", "on the word of R0", "accepts r1 of n=1"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
