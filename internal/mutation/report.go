package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// The table in the documentation stands between these lines.
const (
	beginMark = "<!-- mutation: written by make mutation -->"
	endMark   = "<!-- /mutation -->"
)

// table lays out the findings for people and for the documentation.
func table(found []Finding) string {
	var b strings.Builder
	b.WriteString("| bug | from | what is wrong | rule test | simulator, seeds |\n|---|---|---|---|---|\n")
	for _, f := range found {
		rule := "survives " + f.bug.Rule.Package + " " + f.bug.Rule.Test
		if f.Rule {
			rule = f.bug.Rule.Package + " " + f.By
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", f.bug.Name, f.bug.From, f.bug.What, rule, f.seeds())
	}
	return b.String()
}

// seeds is the median number of seeds, or how far the simulator got in vain.
func (f *Finding) seeds() string {
	if len(f.Seeds) == 0 {
		return "–"
	}
	// A trial in vain counts as more than it ran.
	counts := slices.Clone(f.Seeds)
	for i, n := range counts {
		if n == 0 {
			counts[i] = 1 << 62
		}
	}
	slices.Sort(counts)
	if median := counts[len(counts)/2]; median < 1<<62 {
		return fmt.Sprint(median)
	}
	vain := fmt.Sprintf("> %d", f.vain())
	if !f.clean() {
		return fmt.Sprintf("%s, %d of %d trials at %d", vain, f.caught(), len(f.Seeds), counts[0])
	}
	return vain
}

// vain is the fewest seeds that a trial ran in vain.
func (f *Finding) vain() uint64 {
	least := uint64(1 << 62)
	for i, took := range f.Seeds {
		if took == 0 {
			least = min(least, f.Tried[i])
		}
	}
	return least
}

// summary says in one line how it went, and in how many ways.
func summary(found []Finding) string {
	rule, both, simulator, survived := 0, 0, 0, 0
	var medians []uint64
	for _, f := range found {
		seeds := !f.clean()
		switch {
		case f.Rule && seeds:
			both++
		case f.Rule:
			rule++
		case seeds:
			simulator++
		default:
			survived++
		}
		for _, n := range f.Seeds {
			if n > 0 {
				medians = append(medians, n)
			}
		}
	}
	text := fmt.Sprintf("%d bugs: %d caught by a rule test alone, %d by a rule test and the simulator, %d by the simulator alone, %d survive.",
		len(found), rule, both, simulator, survived)
	if len(medians) > 0 {
		slices.Sort(medians)
		text += fmt.Sprintf(" Where the simulator catches, the median trial takes %d seeds, the longest %d.", medians[len(medians)/2], medians[len(medians)-1])
	}
	return text
}

// rewrite puts the text between the marks of the file.
func rewrite(path, text string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	head, rest, ok := strings.Cut(string(raw), beginMark)
	_, tail, closed := strings.Cut(rest, endMark)
	if !ok || !closed {
		return errors.New("write the table: " + path + " has no lines " + beginMark + " and " + endMark)
	}
	return os.WriteFile(path, []byte(head+beginMark+"\n\n"+text+"\n"+endMark+tail), 0o644)
}

// kept is what is known of each bug, by name.
type kept map[string]Finding

// readKept reads the file of -keep. None is no error: there is nothing yet.
func readKept(path string) (kept, error) {
	k := kept{}
	if path == "" {
		return k, nil
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &k)
	}
	if err != nil {
		return nil, fmt.Errorf("what was found before: %w", err)
	}
	return k, nil
}

func (k kept) write(path string) error {
	if path == "" {
		return nil
	}
	raw, err := json.MarshalIndent(k, "", "\t")
	if err != nil {
		return fmt.Errorf("keep what was found: %w", err)
	}
	return os.WriteFile(path, raw, 0o644)
}

// findings lists what is known of all bugs, in their order.
func (k kept) findings(all []Bug) (list []Finding) {
	for _, bug := range all {
		if f, ok := k[bug.Name]; ok {
			f.bug = bug
			list = append(list, f)
		}
	}
	return list
}
