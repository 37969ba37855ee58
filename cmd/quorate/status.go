package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/p2p"
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
	Status  *consensus.Report `json:"status,omitempty"`
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
				err = errors.Join(err, unreachable("%s", unheard(c, a, answers)))
			}
			return err
		})
	})
}

// unheard says why no replica answered.
func unheard(c *cli.Context, a *access, answers []answer) string {
	if slices.ContainsFunc(answers, func(r answer) bool { return !strings.Contains(r.Error, "refused") }) {
		return fmt.Sprintf("no replica answered within %v", c.Duration("timeout"))
	}
	return fmt.Sprintf("all %d addresses refused at once: no replica runs at %s", len(answers), strings.Join(a.addresses, ", "))
}

// noAnswer is all that is known of a replica that says nothing.
const noAnswer = "no answer"

// askAll asks all replicas at once: a silent one must not hide the others.
func askAll(c *cli.Context, a *access, cl *client.Client) []answer {
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	answers := make([]answer, len(a.addresses))
	var wg sync.WaitGroup
	var silent sync.Map
	slow := time.AfterFunc(time.Second, func() { note("%s", stillAsking(a.addresses, &silent, c.Duration("timeout"))) })
	defer slow.Stop()
	for i := range answers {
		wg.Go(func() {
			answers[i] = answer{Replica: i, Address: a.addresses[i]}
			silent.Store(i, true)
			s, err := cl.Status(ctx, consensus.ReplicaID(i))
			silent.Delete(i)
			if err != nil {
				answers[i].Error = noAnswer
				if why := (*p2p.Unreachable)(nil); errors.As(err, &why) {
					answers[i].Error = why.Reason
				}
				return
			}
			withoutIdle(&s.Status)
			answers[i].Status = &s
		})
	}
	wg.Wait()
	return answers
}

// stillAsking says after a while whom the command waits for, and how long.
func stillAsking(addresses []string, silent *sync.Map, most time.Duration) string {
	var names []string
	for i, address := range addresses {
		if _, is := silent.Load(i); is {
			names = append(names, fmt.Sprintf("replica %d at %s", i, address))
		}
	}
	return fmt.Sprintf("waiting for %s, %v at most", strings.Join(names, ", "), most)
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
// asked for anything that would have to be proposed. A clock, an answer or a checkpoint
// that only the leader owes is no proposal.
func idle(s *consensus.Status, l consensus.Lack) bool {
	return l.InView && l.Need == 0 && s.Pending == 0 && s.InFlight == 0 && !s.Changing && slices.Equal(l.Missing, []consensus.ReplicaID{s.Primary})
}

// ids lists replicas briefly.
func ids(replicas []consensus.ReplicaID) string {
	texts := make([]string, len(replicas))
	for i, r := range replicas {
		texts[i] = fmt.Sprint(r)
	}
	return strings.Join(texts, ",")
}
