package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// statusCommand is quorate status.
func statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "ask every replica for its state, and explain why the cluster does not progress",
		Description: "Every replica speaks for itself: no other vouches for what it reports.\nExit code 3 if no replica answers.",
		Flags:       clusterFlags(timeoutFlag(3*time.Second, giveUp), outputFlag()),
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
	return withAccess(c, func(a *access) error {
		p, err := protocol.Of(a.genesis)
		if err != nil {
			return err
		}
		system, err := p.Model.For(&a.genesis)
		if err != nil {
			return err
		}
		return a.withClient(c.Context, session.Config{}, func(cl *client.Client) error {
			answers := askAll(c, a, cl)
			why := explain(answers, system, p)
			if forPrograms(c) {
				err = printSnake(c.App.Writer, map[string]any{"replicas": answers, "progress": why})
			} else {
				err = printStatus(c.App.Writer, answers, why, p)
			}
			if !slices.ContainsFunc(answers, func(r answer) bool { return r.Status != nil }) {
				err = errors.Join(err, unreachable("no replica answered within %v", c.Duration("timeout")))
			}
			return err
		})
	})
}

// askAll asks all replicas at once: a silent one must not hide the others.
func askAll(c *cli.Context, a *access, cl *client.Client) []answer {
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	answers := make([]answer, len(a.addresses))
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			answers[i] = answer{Replica: i, Address: a.addresses[i]}
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
func printStatus(w io.Writer, answers []answer, why []string, p protocol.Protocol) error {
	t := newTable(w)
	fmt.Fprintf(t, "REPLICA\tADDRESS\tROLE\t%s\tEXECUTED\tSTABLE\tPENDING\tSTATE ROOT\tHEARS\n", strings.ToUpper(p.Words.View))
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
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n", a.Replica, a.Address, role(s, p), s.View, s.Applied, s.Stable, s.Pending, root, ids(s.Heard))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, line := range why {
		fmt.Fprintln(w, line)
	}
	return nil
}

// role is the one thing about a replica that matters most at the moment. That
// the primary is one that cannot lead is worth both words.
func role(s *consensus.Status, p protocol.Protocol) string {
	lead, words := "", p.Words
	if s.Primary == s.Replica && !(s.Changing && p.Elected) {
		lead = words.Lead + ", "
	}
	switch {
	case s.Rejoining:
		return lead + "rejoining"
	case s.Fetching > 0:
		return lead + "fetching state"
	case s.Changing:
		return words.Between
	case lead != "":
		return words.Lead
	}
	return words.Follow
}

// withoutIdle leaves out what nobody waits for.
func withoutIdle(s *consensus.Status) {
	s.Waiting = slices.DeleteFunc(s.Waiting, func(l consensus.Lack) bool { return idle(s, l) })
}

// idle reports that what is lacked is only the leader's next proposal, and nobody has
// asked for anything that would have to be proposed.
func idle(s *consensus.Status, l consensus.Lack) bool {
	return s.Pending == 0 && s.InFlight == 0 && !s.Changing && slices.Equal(l.Missing, []consensus.ReplicaID{s.Primary})
}

// ids lists replicas briefly.
func ids(replicas []consensus.ReplicaID) string {
	texts := make([]string, len(replicas))
	for i, r := range replicas {
		texts[i] = fmt.Sprint(r)
	}
	return strings.Join(texts, ",")
}
