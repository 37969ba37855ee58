package decree

import (
	"fmt"
	"io"
	"strings"

	"quorate.dev/quorate/internal/table"
)

// WriteText prints both sides beside each other, for a terminal of so many columns;
// 0 is any.
func (b *Break) WriteText(w io.Writer, columns int) error {
	t := table.Table{Rows: [][]string{{"with the rule", "without it"}}}
	for _, row := range beside(b.With.Steps, b.Off.Steps) {
		if row[0] == row[1] {
			row[1] = "same"
		}
		t.Row(row[0], row[1])
	}
	t.Row("", "")
	for i := range max(len(b.With.Decided), len(b.Off.Decided)) {
		t.Row(at(b.With.Decided, i), at(b.Off.Decided, i))
	}
	if _, err := fmt.Fprintf(w, "%s: %s\nwithout: %s\n\n", b.Rule, b.Says, b.Without); err != nil {
		return err
	}
	if err := t.Write(w, columns); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nWith the rule: %s. Without it: %s.\n", b.With.outcome(), b.Off.outcome())
	return err
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// outcome is the side in a few words.
func (s *Side) outcome() string {
	for _, d := range s.Decided {
		if strings.Contains(d, "never") {
			return d
		}
	}
	if s.Decided[0] == undecided {
		return undecided
	}
	if s.Broken {
		return "two values for one slot"
	}
	return "one value for each slot"
}

// beside pairs the steps of both sides: what is the same stands in one row.
func beside(left, right []string) (rows [][2]string) {
	// longest[i][j] is the length of the longest common subsequence of left[i:] and
	// right[j:].
	longest := make([][]int, len(left)+1)
	for i := range longest {
		longest[i] = make([]int, len(right)+1)
	}
	for i := len(left) - 1; i >= 0; i-- {
		for j := len(right) - 1; j >= 0; j-- {
			if longest[i][j] = max(longest[i+1][j], longest[i][j+1]); left[i] == right[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			}
		}
	}
	i, j, open := 0, 0, 0 // open is the first row of a difference that has no right side yet
	for i < len(left) || j < len(right) {
		switch {
		case i < len(left) && j < len(right) && left[i] == right[j]:
			rows = append(rows, [2]string{left[i], right[j]})
			i, j, open = i+1, j+1, len(rows)
		case i < len(left) && (j == len(right) || longest[i+1][j] >= longest[i][j+1]):
			rows = append(rows, [2]string{left[i], "–"})
			i++
		default:
			if open < len(rows) && rows[open][1] == "–" {
				rows[open][1] = right[j]
			} else {
				rows = append(rows, [2]string{"–", right[j]})
				open = len(rows) - 1
			}
			j, open = j+1, open+1
		}
	}
	return rows
}

// WriteRules prints a row for each of some executions, for a terminal of so many
// columns; 0 is any.
func WriteRules(w io.Writer, all []*Break, columns int) error {
	t := table.Table{Rows: [][]string{{"rule", "what it says", "switched off", "what becomes of it"}}}
	for _, b := range all {
		t.Row(b.Rule, b.Says, b.Without, b.Off.outcome())
	}
	return t.Write(w, columns)
}

// Shows reports whether the execution is one that the rule prevents: it is right with
// it, and wrong without.
func (b *Break) Shows() bool { return !b.With.Broken && b.Off.Broken }
