package bounds

import (
	"errors"
	"testing"
)

// TestNoCellsAgreeWithNothing: a matrix that judged nothing is no good news.
func TestNoCellsAgreeWithNothing(t *testing.T) {
	if Agree(nil) {
		t.Error("no results agree with theory")
	}
	for name, o := range map[string]Options{"simulated": {}, "as processes": {Real: true}} {
		cells := []Cell{}
		if o.Real {
			cells = append(cells, Cell{Row: "in the simulator alone"})
		}
		if r, err := Run(t.Context(), cells, o); !errors.Is(err, ErrNothing) {
			t.Errorf("%s: %v, %v, want %v", name, r, err, ErrNothing)
		}
	}
}
