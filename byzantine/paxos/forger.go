package paxos

import (
	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos"
	"quorate.dev/quorate/paxos/synod"
)

// forger is what a traitor may speak under. It holds no key, for nothing between
// members is signed; but nobody hears it under another's ballot.
type forger struct {
	self    consensus.ReplicaID
	members int
}

// newForger makes the forger of a traitor.
func newForger(e *byzantine.Env) *forger {
	return &forger{self: e.Self, members: len(e.Genesis.Replicas)}
}

// above is the traitor's lowest ballot above b; 0 if there is none.
func (f *forger) above(b synod.Ballot) synod.Ballot { return b.Next(f.self, f.members) }

// last is the traitor's last ballot of all.
func (f *forger) last() synod.Ballot { return f.above(synod.MaxBallot - synod.Ballot(f.members)) }

// faults is how many crashes the members tolerate.
func (f *forger) faults() int { return (f.members - 1) / 2 }

var rivals = []string{"empty", "stamp", "order", "subset", "null"}

// rival is another batch for a slot, made of the same requests or of none: whoever
// votes for it cannot tell. The null batch has no rival.
func rival(n consensus.Seq, b *consensus.Batch, how string) (other *consensus.Batch, ok bool) {
	if b == nil {
		return nil, false
	}
	if how = byzantine.InTurn(how, rivals, uint64(n)); how == "null" {
		return nil, true
	}
	return byzantine.RivalBatch(b, how), true
}

// decode reads what a member says; nil if a frame is none of Paxos' kinds.
func decode(frame []byte) any {
	m, err := paxos.Decode(frame)
	if err != nil {
		return nil
	}
	return m
}

// leads is the ballot under which somebody speaks who leads, or means to.
func leads(message any) (b synod.Ballot, ok bool) {
	switch m := message.(type) {
	case *paxos.Accept:
		return m.Ballot, true
	case *paxos.Commit:
		return m.Ballot, true
	case *paxos.Heartbeat:
		return m.Ballot, true
	}
	return 0, false
}
