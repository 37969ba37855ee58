package driver

import (
	"testing"

	"quorate.dev/quorate/consensus"
)

// A cut of the log rides with the next append, whatever is put out in between,
// and with that one only.
func TestCutWaitsForTheNextAppend(t *testing.T) {
	e := &babbler{}
	d, h := newDisk(e, true)
	for _, step := range []struct {
		name    string
		out     consensus.Output
		appends int
		forget  consensus.Seq // with the last append
	}{
		{"a cut", consensus.Output{Forget: 7}, 0, 0},
		{"nothing to write", full("a", 1), 0, 0},
		{"an earlier cut", consensus.Output{Forget: 5}, 0, 0},
		{"a record", full("b", 2, record(9, false)), 1, 7},
		{"another", full("c", 3, record(9, false)), 2, 0},
	} {
		e.next = step.out
		d.Step(consensus.Burst{})
		var forget consensus.Seq
		if n := len(h.appends); n > 0 {
			forget = h.forgets[h.appends[n-1]]
		}
		if len(h.appends) != step.appends || forget != step.forget {
			t.Errorf("%s: %d appends, the last cuts at %d, want %d and %d", step.name, len(h.appends), forget, step.appends, step.forget)
		}
	}
}
