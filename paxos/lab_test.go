package paxos

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/enginetest"
	"quorate.dev/quorate/paxos/synod"
)

// lab moves replicas by hand. A test may say anything in a member's name. In names of
// tests and comments A, B, C, D, E are the replicas 0 to 4: of three, A owns the
// ballots 3, 6, 9, B 1, 4, 7 and C 2, 5, 8.
type lab struct {
	*enginetest.Lab[*replica]
}

type (
	desk  = enginetest.Replica[*replica]
	frame = enginetest.Frame
)

const labTick = enginetest.Tick

var only = enginetest.Only

func newLab(t testing.TB, n int, change ...func(*Config)) *lab {
	l := &lab{enginetest.New[*replica](t, "paxos", n)}
	l.Genesis.Limits.BatchRequests = 4
	l.Open(func(i int) (consensus.Protocol, error) {
		c := DefaultConfig(l.Genesis, consensus.ReplicaID(i))
		c.Election, c.Heartbeat, c.Pipeline, c.CheckEachStep = 10, 2, 4, true
		for _, f := range change {
			f(&c)
		}
		return New(c)
	})
	return l
}

// loose lets members answer whoever has a higher ballot.
func loose(c *Config) { c.Sticky = false }

func (l *lab) engine(i int) *replica { return l.Replicas[i].Engine }

// say lets a member say something to another. It answers why that had no effect.
func (l *lab) say(from, to int, frame []byte) consensus.Reason {
	l.T.Helper()
	return l.Give(to, consensus.ReplicaPeer(consensus.ReplicaID(from)), frame)
}

// said are the messages of one type that wait to be delivered to replica i.
func said[M any](l *lab, to int) (list []M) {
	for _, f := range l.Sent {
		if int(f.To) != to {
			continue
		}
		if m, err := Decode(f.Bytes); err == nil {
			if m, ok := m.(M); ok {
				list = append(list, m)
			}
		}
	}
	return list
}

// elect lets time pass at one replica only, until it leads.
func (l *lab) elect(i int, keep ...func(frame) bool) {
	l.T.Helper()
	for range 60 {
		if l.engine(i).office.leading {
			l.Deliver(keep...)
			return
		}
		l.Ticks(1, []int{i}, keep...)
	}
	l.T.Fatalf("R%d does not lead: %+v", i, l.engine(i).Status())
}

// forget ends what members think of who leads.
func (l *lab) forget(at ...int) {
	for _, i := range at {
		for range l.engine(i).cfg.Election {
			l.engine(i).clock.countdown = 1 << 20
			l.Step(i, consensus.Tick{})
		}
		l.engine(i).rest()
	}
	l.Sent = nil
}

// agree lets n requests be executed by way of replica i.
func (l *lab) agree(i, n int, keep ...func(frame) bool) {
	for range n {
		l.Submit(l.Request(), i)
		l.Deliver(keep...)
	}
}

func (l *lab) ballot(i int) synod.Ballot { return l.engine(i).office.round.Ballot() }

// batch is one with a new request.
func (l *lab) batch() *consensus.Batch {
	return &consensus.Batch{Stamp: l.Now, Requests: []*consensus.Request{l.Request()}}
}

// accept lets the owner of b propose a batch to a member.
func (l *lab) accept(b synod.Ballot, n consensus.Seq, batch *consensus.Batch, to ...int) (why consensus.Reason) {
	l.T.Helper()
	m := Accept{Ballot: b, Slot: n, Batch: batch}
	for _, i := range to {
		why = l.say(int(b.Owner(len(l.Replicas))), i, m.Encode())
	}
	return why
}

// commit lets the owner of b say what is chosen.
func (l *lab) commit(b synod.Ballot, n consensus.Seq, to ...int) (why consensus.Reason) {
	l.T.Helper()
	m := Commit{Ballot: b, UpTo: n}
	for _, i := range to {
		why = l.say(int(b.Owner(len(l.Replicas))), i, m.Encode())
	}
	return why
}

// kinds lets through frames of these kinds only.
func kinds(of ...byte) func(frame) bool {
	return func(f frame) bool { return slices.Contains(of, f.Bytes[0]) }
}

// without loses frames of these kinds.
func without(of ...byte) func(frame) bool {
	return func(f frame) bool { return !slices.Contains(of, f.Bytes[0]) }
}

// last is the last output of a replica.
func (l *lab) last(i int) *consensus.Output {
	d := l.Replicas[i]
	return &d.Outs[len(d.Outs)-1]
}

// sends are the frames of a kind among some sends.
func sends(of []consensus.Send, kind byte) (list [][]byte) {
	for _, s := range of {
		if s.Bytes[0] == kind {
			list = append(list, s.Bytes)
		}
	}
	return list
}

// noted reports whether a replica has given a reason.
func noted(d *desk, why consensus.Reason) bool {
	return slices.ContainsFunc(d.Notes, func(n consensus.Note) bool { return n.Reason == why })
}

// executed is the digest-less history of a replica: which batch at n, as the lab saw.
func (l *lab) executed(i int, n consensus.Seq) consensus.Commit {
	l.T.Helper()
	d := l.Replicas[i]
	if int(n) > len(d.Executed) {
		l.T.Fatalf("R%d has executed %d batches, want one at %d; it waits for %v", i, len(d.Executed), n, d.Engine.Status().Waiting)
	}
	return d.Executed[n-1]
}
