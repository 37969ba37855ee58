package decree

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Each rule prevents what its execution shows: one value for each slot with it, two
// without, or, of the gap, none for ever.
func TestRules(t *testing.T) {
	want := []string{
		"quorum", "owner", "new-life", "durable-promise", "whole-promise", "stale-promise", "highest-vote", "base", "gap",
		"own-vote", "accept-promises", "one-value", "one-ballot", "order", "commit-ballot", "commit-own", "kept-promise", "kept-votes", "wiped",
	}
	if got := Rules(); !slices.Equal(got, want) {
		t.Errorf("rules: %v", got)
	}
	var all []*Break
	for _, rule := range Rules() {
		r, err := RunBreak(rule)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
		var text strings.Builder
		if err := r.WriteText(&text, 0); err != nil {
			t.Fatal(err)
		}
		if !r.Shows() || slices.Equal(r.With.Steps, r.Off.Steps) {
			t.Errorf("%s", text.String())
		}
		if stuck := r.Off.outcome() != "two values for one slot"; stuck != (rule == "gap") {
			t.Errorf("%s: without it %s", rule, r.Off.outcome())
		}
	}
	var text strings.Builder
	if err := WriteRules(&text, all, 0); err != nil || strings.Count(text.String(), "\n") != len(want)+1 {
		t.Errorf("%v\n%s", err, text.String())
	}
	var page strings.Builder
	if err := WriteRulesHTML(&page, all); err != nil || strings.Count(page.String(), "<section") != len(want) {
		t.Errorf("%v, %d sections", err, strings.Count(page.String(), "<section"))
	}
	if _, err := RunBreak("golden"); !errors.Is(err, ErrRule) {
		t.Errorf("a rule that is none: %v", err)
	}
}

// Both sides are told whole, in order, and what is the same stands in one row.
func TestBeside(t *testing.T) {
	for _, c := range []struct {
		left, right string
		rows        int
	}{{"", "", 0}, {"a", "a", 1}, {"abc", "abc", 3}, {"abc", "axc", 3}, {"abcd", "ad", 4}, {"ad", "abcd", 4}, {"ab", "xyz", 3}, {"axbyc", "abzc", 5}, {"abc", "", 3}} {
		rows := beside(strings.Split(c.left, ""), strings.Split(c.right, ""))
		var left, right string
		for _, r := range rows {
			left += strings.TrimPrefix(r[0], "–")
			right += strings.TrimPrefix(r[1], "–")
		}
		if left != c.left || right != c.right || len(rows) != c.rows {
			t.Errorf("%q beside %q: %v", c.left, c.right, rows)
		}
	}
}
