package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"quorate/client"
	"quorate/client/session"
	"quorate/consensus"
	"quorate/quorum"
)

// statusCommand is quorate status.
func statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "ask every replica where it is, and say why the cluster does not progress, if it does not",
		Description: "What a replica says of itself is its own word, which no other vouches for.\nExit code 3 if no replica answers.",
		Flags:       clusterFlags(timeoutFlag(3*time.Second), outputFlag()),
		Action:      does(0, 0, status),
	}
}

// answer is one replica's answer.
type answer struct {
	Replica int               `json:"replica"`
	Address string            `json:"address"`
	Status  *consensus.Status `json:"status,omitempty"`
	Error   string            `json:"error,omitempty"`
}

// status asks by the client protocol, so that it works for any cluster that the
// caller may use, wherever it runs.
func status(c *cli.Context, _ []string) error {
	machine, err := asJSON(c)
	if err != nil {
		return err
	}
	a, err := reach(c)
	if err != nil {
		return err
	}
	defer a.release()
	cl, err := a.dial(c.Context, session.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = cl.Close() }()
	answers := askAll(c, a, cl)
	system, err := quorum.For(a.founding.Genesis)
	if err != nil {
		return err
	}
	why := explain(answers, system)
	if machine {
		err = printSnake(map[string]any{"replicas": answers, "progress": why})
	} else {
		err = printStatus(answers, why)
	}
	for _, r := range answers {
		if r.Status != nil {
			return err
		}
	}
	return errors.Join(err, &codedError{exitUnreachable, fmt.Errorf("no replica answered within %v", c.Duration("timeout"))})
}

// askAll asks all replicas at once: a silent one must not hide the others.
func askAll(c *cli.Context, a *access, cl *client.Client) []answer {
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	answers := make([]answer, len(a.founding.Addresses))
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			answers[i] = answer{Replica: i, Address: a.founding.Addresses[i]}
			s, err := cl.Status(ctx, consensus.ReplicaID(i))
			if err != nil {
				answers[i].Error = "no answer"
				return
			}
			withoutIdle(&s)
			answers[i].Status = &s
		})
	}
	wg.Wait()
	return answers
}

// printStatus is the table, and below it what it means.
func printStatus(answers []answer, why []string) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "REPLICA\tADDRESS\tROLE\tVIEW\tEXECUTED\tSTABLE\tPENDING\tSTATE ROOT\tHEARS")
	for _, a := range answers {
		s := a.Status
		if s == nil {
			fmt.Fprintf(t, "%d\t%s\t%s\t-\t-\t-\t-\t-\t-\n", a.Replica, a.Address, a.Error)
			continue
		}
		root := "-"
		if s.RootSeq > 0 {
			root = fmt.Sprintf("%s @ %d", s.Root.Short(), s.RootSeq)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n", a.Replica, a.Address, role(s), s.View, s.Applied, s.Stable, s.Pending, root, ids(s.Heard))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Println()
	for _, line := range why {
		fmt.Println(line)
	}
	return nil
}

// role is the one thing about a replica that matters most at the moment. That
// the primary is one that cannot lead is worth both words.
func role(s *consensus.Status) string {
	lead := ""
	if s.Primary == s.Replica {
		lead = "primary, "
	}
	switch {
	case s.Rejoining:
		return lead + "rejoining"
	case s.Fetching > 0:
		return lead + "fetching state"
	case s.Changing:
		return "changing view"
	case lead != "":
		return "primary"
	}
	return "backup"
}

// explain says in plain English who leads, and what is missing for progress.
func explain(answers []answer, system quorum.System) []string {
	lines := []string{leader(answers, system)}
	if why := tooFew(answers, system); why != "" {
		lines = append(lines, why)
	}
	waiting := false
	for _, a := range answers {
		if a.Status == nil {
			continue
		}
		for _, l := range a.Status.Waiting {
			waiting = true
			lines = append(lines, fmt.Sprintf("Replica %d waits for %s.", a.Replica, lack(l)))
		}
	}
	if !waiting && len(lines) == 1 {
		lines = append(lines, "Nothing is waited for.")
	}
	return lines
}

// tooFew names those whose votes are missing, and why, if the rest are no
// quorum. A rejoining replica does not vote, however alive it is; one between
// views votes for the next view and for nothing else.
func tooFew(answers []answer, system quorum.System) string {
	var silent, rejoining, between []string
	for _, a := range answers {
		switch id := fmt.Sprint(a.Replica); {
		case a.Status == nil:
			silent = append(silent, id)
		case a.Status.Rejoining:
			rejoining = append(rejoining, id)
		case a.Status.Changing:
			between = append(between, id)
		}
	}
	line, able := "No progress is possible", system.Size()-len(silent)-len(rejoining)
	switch {
	case able-len(between) >= system.Quorum():
		return ""
	case able >= system.Quorum():
		line, able = "No progress until the next view begins", able-len(between)
	default:
		between = nil // they wait for the others, as all do
	}
	line += fmt.Sprintf(": %d of %d replicas take part, %d are needed", able, system.Size(), system.Quorum())
	for _, group := range []struct {
		name string
		ids  []string
	}{{"silent", silent}, {"rejoining", rejoining}, {"between views", between}} {
		if len(group.ids) > 0 {
			line += fmt.Sprintf("; %s: %s", group.name, strings.Join(group.ids, ", "))
		}
	}
	return line + "."
}

// withoutIdle leaves out what nobody waits for.
func withoutIdle(s *consensus.Status) {
	s.Waiting = slices.DeleteFunc(s.Waiting, func(l consensus.Lack) bool { return idle(s, l) })
}

// idle reports that what is lacked is only the next proposal, and nobody has
// asked for anything that would have to be proposed.
func idle(s *consensus.Status, l consensus.Lack) bool {
	return s.Pending == 0 && s.InFlight == 0 && !s.Changing && l.What == "PRE-PREPARE"
}

// leader names the view that a weak quorum is in, so that no single liar's
// word is passed on as the cluster's.
func leader(answers []answer, system quorum.System) string {
	in := map[consensus.View]int{}
	for _, a := range answers {
		if a.Status != nil && !a.Status.Changing {
			in[a.Status.View]++
		}
	}
	best, found := consensus.View(0), false
	for v, n := range in {
		if n >= system.Weak() && (!found || v > best) {
			best, found = v, true
		}
	}
	if !found {
		return "No view is known to be active."
	}
	primary := system.Primary(best)
	return fmt.Sprintf("View %d, primary is replica %d%s.", best, primary, unfit(answers, primary))
}

// unfit says why the primary of a view cannot lead it, if so.
func unfit(answers []answer, primary consensus.ReplicaID) string {
	for _, a := range answers {
		switch {
		case a.Replica != int(primary):
		case a.Status == nil:
			return ", which does not answer"
		case a.Status.Rejoining:
			return ", which is rejoining and does not lead"
		}
	}
	return ""
}

// lack says which certificate lacks whom.
func lack(l consensus.Lack) string {
	var b strings.Builder
	fmt.Fprintf(&b, "the %s", l.What)
	if l.Seq > 0 {
		fmt.Fprintf(&b, " of sequence %d", l.Seq)
	}
	fmt.Fprintf(&b, " in view %d", l.View)
	if l.Need > 0 {
		fmt.Fprintf(&b, ": it has %d of %d", len(l.Have), l.Need)
		if len(l.Have) > 0 {
			fmt.Fprintf(&b, " (from %s)", ids(l.Have))
		}
	}
	if len(l.Missing) > 0 {
		fmt.Fprintf(&b, "; replica %s could supply it", strings.Join(strings.Fields(strings.ReplaceAll(ids(l.Missing), ",", " ")), " or "))
	}
	return b.String()
}

// ids lists replicas briefly.
func ids(replicas []consensus.ReplicaID) string {
	texts := make([]string, len(replicas))
	for i, r := range replicas {
		texts[i] = fmt.Sprint(r)
	}
	return strings.Join(texts, ",")
}
