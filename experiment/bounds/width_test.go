package bounds

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestTableIsAsWideAsTheTerminal: the whole matrix, in terminals of several widths.
func TestTableIsAsWideAsTheTerminal(t *testing.T) {
	cells, err := Cells(All)
	if err != nil {
		t.Fatal(err)
	}
	var results []Result
	for _, c := range cells {
		results = append(results, Result{Cell: c, Complaint: "it did not end as theory says, and this is why in many words"})
	}
	for _, columns := range []int{40, 60, 80, 120} {
		var b bytes.Buffer
		if err := WriteTable(&b, results, columns); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(line) - 1; n > columns {
				t.Errorf("%d columns: %d in %q", columns, n, line)
			}
		}
	}
}
