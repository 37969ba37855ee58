package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"quorate.dev/quorate/protocol"
)

// spareable are the columns that a narrow terminal does without, the first one
// first: what is told below the table, or by others, before what is told nowhere.
var spareable = []string{"ADDRESS", "HEARS", "STATE ROOT", "STABLE", "PENDING"}

// printStatus is the table, for a terminal of so many columns (0 = any width),
// and below it what it means.
func printStatus(w io.Writer, width int, answers []answer, why []string, p protocol.Protocol) error {
	rows := [][]string{{"REPLICA", "ADDRESS", "ROLE", strings.ToUpper(p.Words.View), "EXECUTED", "STABLE", "PENDING", "STATE ROOT", "HEARS"}}
	for _, a := range answers {
		rows = append(rows, statusRow(a, p))
	}
	rows, left := fit(rows, width, spareable)
	t := newTable(w)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, line := range why {
		fmt.Fprintln(w, line)
	}
	if len(left) > 0 {
		fmt.Fprintf(w, "Left out for want of room: %s.\n", strings.ToLower(strings.Join(left, ", ")))
	}
	return nil
}

// statusRow is what one replica says of itself.
func statusRow(a answer, p protocol.Protocol) []string {
	id := fmt.Sprint(a.Replica)
	s := a.Status
	if s == nil {
		return []string{id, a.Address, noAnswer, "-", "-", "-", "-", "-", "-"}
	}
	root, is := "-", role(&s.Status, p)
	if s.RootSeq > 0 {
		root = fmt.Sprintf("%s @ %d", s.Root.Short(), s.RootSeq)
	}
	if len(s.Stalled) > 0 {
		is = "stands still"
	}
	return []string{id, a.Address, is, fmt.Sprint(s.View), fmt.Sprint(s.Applied), fmt.Sprint(s.Stable), fmt.Sprint(s.Pending), root, ids(s.Heard)}
}

// fit drops columns, named in its first row, until a table is no wider than the
// terminal, and says which.
func fit(rows [][]string, width int, spareable []string) (fitting [][]string, left []string) {
	for _, name := range spareable {
		if width <= 0 || tableWidth(rows) <= width {
			break
		}
		at := slices.Index(rows[0], name)
		if at < 0 {
			continue
		}
		left = append(left, name)
		for i := range rows {
			rows[i] = slices.Delete(slices.Clone(rows[i]), at, at+1)
		}
	}
	return rows, left
}

// tableWidth is how wide newTable prints the rows.
func tableWidth(rows [][]string) int {
	total := 0
	for at := range rows[0] {
		widest := 0
		for _, row := range rows {
			widest = max(widest, utf8.RuneCountInString(row[at]))
		}
		total += widest
		if at+1 < len(rows[0]) {
			total += 2
		}
	}
	return total
}
