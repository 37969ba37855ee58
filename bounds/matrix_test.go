package bounds

import (
	"path/filepath"
	"slices"
	"testing"

	"quorate/evidence"
	"quorate/sim"
	"quorate/testnet"
	"quorate/trial"
)

// TestMatrixAgreesWithTheory runs the smaller cells: what 3f+1, 3f and a wrong
// quorum come to. The whole matrix is `quorate bounds`.
func TestMatrixAgreesWithTheory(t *testing.T) {
	all, err := Cells("pbft")
	if err != nil {
		t.Fatal(err)
	}
	var cells []Cell
	for _, c := range all {
		if c.Spec.Replicas <= 5 {
			cells = append(cells, c)
		}
	}
	results, err := Run(t.Context(), cells, Options{Parallel: 2})
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]int{}
	for i := range results {
		r := &results[i]
		if words[r.Word()]++; !r.Agrees() {
			t.Errorf("%s, %s: %v %s", r.Column(), r.Row, r.Err, r.Complaint)
		}
		if _, err := NewChart(r); err != nil {
			t.Errorf("%s: %v", r.ID(), err)
		}
	}
	if len(words) != 4 {
		t.Errorf("not every kind of outcome was seen: %v", words)
	}
	wholeEvidence(t, results)
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
			founding, err := testnet.LoadGenesis(filepath.Join(filepath.Dir(files[n]), "genesis.toml"))
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
	cells, err := Cells(Both)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range cells {
		if seen[c.ID()] || c.Why == "" || c.Source == "" || len(c.Theory) == 0 || !c.Spec.RealKeys {
			t.Errorf("%s: not unique, or not whole", c.ID())
		}
		seen[c.ID()] = true
		if (c.Culprits > 0) != (c.Spec.Protocol == "pbft" && slices.Contains(c.Theory, trial.Forked)) {
			t.Errorf("%s: %d culprits of %v", c.ID(), c.Culprits, c.Theory)
		}
		// Whoever votes for both halves of a fork stands in both quorums.
		if shared := 2*c.system().Quorum() - c.Spec.Replicas; c.Culprits > 0 && c.Culprits != shared {
			t.Errorf("%s: %d culprits, but two quorums share %d", c.ID(), c.Culprits, shared)
		}
	}
	if _, err := Cells("paxos"); err == nil {
		t.Error("there is a matrix for paxos")
	}
}

// TestOneThatReturns: its lifeline ends, and begins again.
func TestOneThatReturns(t *testing.T) {
	r := stopped(t)
	r.Spec.Faults = []sim.Fault{{Lasts: sim.Millisecond / 2, Kind: sim.FaultCrash, Replicas: last(4, 1)}}
	c, err := NewChart(r)
	if err != nil {
		t.Fatal(err)
	}
	d := &drawing{chart: c, gap: 100}
	if got := d.alive(4, 999); len(got) != 2 || got[0].to >= got[1].from {
		t.Errorf("R3 lives in %v", got)
	}
	if got := d.alive(3, 999); len(got) != 2 || got[1].from != 999 {
		t.Errorf("R2 lives in %v", got)
	}
}
