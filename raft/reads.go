package raft

import (
	"encoding/binary"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
)

// reads are the READs of clients at a leader: those for which the library asks a
// majority whether it still leads, and those that wait for the next such
// question. One question at a time is under way, for all that waited.
type reads struct {
	asked   []*consensus.Query
	waiting []*consensus.Query
	room    consensus.QueryRoom // for those that wait
	round   uint64              // of the question under way, or the last
	heard   quorum.Set          // who has answered it
}

// onAsk takes a READ, if this replica leads: nobody else knows what was answered.
// A refusal says who does.
func (r *replica) onAsk(q *consensus.Query) {
	w := &r.reads
	switch {
	case r.leaderless():
		r.declineRead(q, consensus.RefusedNoLeader)
	case !r.leading() || !w.room.Take(q):
		r.declineRead(q, consensus.RefusedBusy)
	default:
		w.waiting = append(w.waiting, q)
	}
}

func (r *replica) declineRead(q *consensus.Query, code consensus.RefusalCode) {
	no, who := q.Refuse(code), r.led()
	no.View, no.Primary = who.View, who.Primary
	r.out.Refusals = append(r.out.Refusals, no)
}

// askMajority has the library ask, by a heartbeat, whether this is still the
// leader. What was committed when it asked is all that can have been answered
// before; it waits with that until an entry of its own term is committed.
func (r *replica) askMajority() {
	w := &r.reads
	if len(w.asked) > 0 || len(w.waiting) == 0 {
		return
	}
	if !r.leading() {
		r.dropReads() // deposed in this very step: a follower's library would ask the leader, who knows no such message
		return
	}
	w.asked, w.waiting = w.waiting, nil
	w.room.Clear()
	w.round++
	w.heard = 0
	_, _ = r.survive(func() error {
		r.node.ReadIndex(binary.BigEndian.AppendUint64(nil, w.round))
		return nil
	})
}

// readable: a majority has answered. The READs are due at what was committed then.
func (r *replica) readable(index uint64, round []byte) {
	w := &r.reads
	if len(round) != 8 || binary.BigEndian.Uint64(round) != w.round {
		return
	}
	for _, q := range w.asked {
		r.out.Look(q, consensus.Seq(index))
	}
	w.asked = nil
}

// dropReads: this replica has lost its place; whoever leads now knows more.
func (r *replica) dropReads() {
	w := &r.reads
	for _, list := range [][]*consensus.Query{w.asked, w.waiting} {
		for _, q := range list {
			r.declineRead(q, consensus.RefusedBusy)
		}
	}
	w.asked, w.waiting = nil, nil
	w.room.Clear()
}

// answersRead reports whether a message is a member's first answer to the
// question under way.
func (w *reads) answersRead(m *pb.Message) bool {
	return m.Type == pb.MsgHeartbeatResp && len(w.asked) > 0 && len(m.Context) == 8 && binary.BigEndian.Uint64(m.Context) == w.round &&
		w.heard.Add(consensus.ReplicaID(m.From-1))
}
