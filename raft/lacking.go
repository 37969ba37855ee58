package raft

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
)

// A state that was lost under an intact log is fetched again. The log goes on
// meanwhile: its votes count, and what it acknowledged is still there. So what
// was promised is kept, and all that this replica cannot do is execute, and lead.

// errGap: the log begins behind the state on disk, and it does not say that what
// is missing was committed. Programs before this one forgot it with their logs.
var errGap = errors.New("the log begins behind the state on disk: put back a state of the same moment, or remove the data directory: the replica then starts as one that lost its disk, and what it alone had acknowledged is lost")

// lostState marks the refusal by which a member asks its leader for a snapshot.
// The library takes the refusal for an old one.
const lostState = "lost its state"

// gap reports whether the log begins above what a state at height stands for.
// Of an entry that stands for a snapshot only the place is known.
func (l *replayed) gap(height uint64) bool {
	if len(l.entries) == 0 {
		return l.hard.Commit > height // all of it was forgotten
	}
	first := l.entries[0].Index
	return first > height+1 || first == l.base && first > height
}

// recoverGap begins the log in memory with its first entry, which is committed:
// what was forgotten before it was, and itself by its commit index.
func (r *replica) recoverGap(rec consensus.Recovered, log *replayed) error {
	height := rec.Height
	if len(log.entries) == 0 || log.entries[0].Index > max(log.hard.Commit, log.base) {
		return fmt.Errorf("%w (state at %d, commit index %d)", errGap, height, log.hard.Commit)
	}
	base := &log.entries[0]
	log.entries = log.entries[1:]
	r.exec.Kept = height
	r.exec.FallBack()
	log.hard.Commit = max(log.hard.Commit, base.Index)
	r.alarm(fmt.Sprintf("the state on disk is at %d and the log begins behind %d: the state is fetched from the leader, the log and its votes stay", height, base.Index))
	return r.store.begin(base.Index, base.Term)
}

// begin makes a log that is empty behind an entry of which only the place is
// kept, and that no snapshot stands for yet.
func (s *store) begin(index, term uint64) error {
	if index > 1 {
		if err := s.ApplySnapshot(pb.Snapshot{Metadata: pb.SnapshotMetadata{Index: index - 1, Term: term, ConfState: s.members}}); err != nil {
			return err
		}
	}
	if err := s.Append([]pb.Entry{{Index: index, Term: term}}); err != nil {
		return err
	}
	return s.Compact(index)
}

// base is the place behind which the log in memory begins.
func (s *store) base() consensus.Seq {
	first, _ := s.FirstIndex() // of memory: never fails
	return consensus.Seq(first) - 1
}

// lacking reports whether the state on disk does not reach the log.
func (r *replica) lacking() bool { return r.exec.Kept < r.store.base() }

// askState asks the leader for the handle of its snapshot, as long as the state
// is lacking and nobody is about to serve it.
func (r *replica) askState() {
	st := r.node.BasicStatus()
	if !r.lacking() || r.state.Active() && !r.state.Fruitless() || st.Lead == raft.None || r.clock.tick%r.cfg.Heartbeat != 0 {
		return
	}
	r.send(&pb.Message{Type: pb.MsgAppResp, From: id(r.id), To: st.Lead, Term: st.Term, Reject: true, Context: []byte(lostState)})
}

// nameState answers a member that asks for a snapshot.
func (r *replica) nameState(m *pb.Message) (is bool) {
	if m.Type != pb.MsgAppResp || !m.Reject || string(m.Context) != lostState {
		return false
	}
	snapshot, err := r.store.Snapshot()
	if st := r.node.BasicStatus(); err == nil && len(snapshot.Data) > 0 && st.RaftState == raft.StateLeader && m.Term == st.Term {
		r.send(&pb.Message{Type: pb.MsgSnap, From: m.To, To: m.From, Term: st.Term, Snapshot: &snapshot})
	}
	return true
}

// suits reports whether a state that a leader names closes the gap before the log.
func (r *replica) suits(s *snapshot) bool { return r.lacking() && s.seq >= r.store.base() }

// patience is after how many election timeouts without a leader a replica that
// lacks its state campaigns all the same: its log may be the only one with what
// was agreed, and then nobody else is ever elected.
const patience = 10

func (r *replica) lastResort() bool {
	return r.system.Size() > 1 && r.clock.leaderless >= patience*r.cfg.Election
}

// handOver ends the office of a leader that lacks its state, once a majority has
// all of its log: now another one can be elected. If that takes long, then what the
// others need was in the state that is lost, and all wait for a member who has it.
func (r *replica) handOver() {
	st := r.node.BasicStatus()
	last, err := r.store.LastIndex()
	if !r.lacking() || err != nil {
		return
	}
	if r.clock.led++; st.Commit < last && r.clock.led < patience*r.cfg.Election {
		return
	}
	r.clock.led, r.clock.leaderless = 0, 0
	other := id(consensus.Others(r.system.Size(), r.id)[0])
	r.step(&pb.Message{Type: pb.MsgHeartbeatResp, From: other, To: id(r.id), Term: st.Term + 1}) // carries a term alone
}
