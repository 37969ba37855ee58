package main

import (
	"fmt"
	"io"
	"strings"

	"quorate.dev/quorate/protocol"
)

// printStatus is the table, and below it what it means.
func printStatus(w io.Writer, answers []answer, why []string, p protocol.Protocol) error {
	t := newTable(w)
	fmt.Fprintf(t, "REPLICA\tADDRESS\tROLE\t%s\tEXECUTED\tSTABLE\tPENDING\tSTATE ROOT\tHEARS\n", strings.ToUpper(p.Words.View))
	for _, a := range answers {
		fmt.Fprintln(t, strings.Join(statusRow(a, p), "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, line := range why {
		if err := sentence(w, line); err != nil {
			return err
		}
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
