package raft

import (
	"fmt"
	"math/rand/v2"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
)

// clock is the election clock, which the engine owns: the library's draws its
// timeouts from a global source, and no run could be repeated. So only a leader
// gets the library's ticks; all others run a countdown of their own.
type clock struct {
	random     *rand.Rand
	tick       int // of this life
	countdown  int // ticks until this replica campaigns
	lease      int // ... until it forgets its leader
	leaderless int // ticks for which there has been no leader
	led        int // ... for which this replica has led without its state
	told       int // tick in which it last said what its clock shows; 0 never
	quiet      int // tick until which nobody is alarmed of terms again
}

// rest begins the countdown anew: a leader was heard, a vote was given, or a
// campaign has begun.
func (r *replica) rest() {
	r.clock.lease = r.cfg.Election
	r.clock.countdown = r.cfg.Election + r.clock.random.IntN(r.cfg.Election)
}

// onTick: a leader counts heartbeats and whether a majority hears it. Others
// count down to a campaign, and a little before forget their leader: with
// CheckQuorum the library ignores candidates while it believes in a leader, and
// its own count, which would end that, does not run.
func (r *replica) onTick() {
	r.clock.tick++
	r.compareClocks()
	r.moved(r.state.Tick())
	r.clock.leaderless++
	if r.node.BasicStatus().Lead != raft.None {
		r.clock.leaderless = 0
	}
	if r.leading() {
		r.node.Tick()
		r.tickSnapshots()
		r.handOver()
		return
	}
	r.askState()
	r.clock.lease--
	if r.clock.lease == 0 {
		_, _ = r.survive(r.node.ForgetLeader) // a follower's word to itself
	}
	r.clock.countdown--
	if r.clock.countdown <= 0 {
		r.rest()
		r.giveUp()
		if !r.state.Active() && (!r.lacking() || r.lastResort()) { // whoever lacks a state lacks what was agreed
			if _, err := r.survive(r.node.Campaign); err != nil {
				r.alarm(fmt.Sprintf("cannot campaign: %v", err)) // there is no later term
			}
		}
	}
	r.requests.Tick(r.clock.tick, r.led(), r.state.Active())
}

// compareClocks looks what time it is, for all. A leader says now and then what
// its clock shows, and those who hear it say what theirs do: whoever follows
// nobody says nothing.
func (r *replica) compareClocks() {
	r.clocks.Tick()
	if r.leading() && r.clocks.Due() {
		r.tellClock()
	}
	if text := r.clocks.Alarm(); text != "" {
		r.alarm(text)
	}
}

// onClock hears what a member's clock shows, and answers a leader.
func (r *replica) onClock(from consensus.ReplicaID, m *consensus.Clock) {
	r.clocks.Hear(from, m)
	r.now = r.clocks.Time()
	if r.node.BasicStatus().Lead == id(from) {
		r.tellClock()
	}
}

// tellClock says what this replica's clock shows, once in a tick, however often
// it is asked.
func (r *replica) tellClock() {
	if r.clock.told == r.clock.tick {
		return
	}
	r.clock.told = r.clock.tick
	r.out.SendEarly(consensus.Peer{Kind: consensus.Everyone}, consensus.Votes, r.clocks.Own().Encode())
}

// watch restarts the countdown if the message that was stepped came from the
// leader of this term, or got this replica's vote.
func (r *replica) watch(m *pb.Message, before raft.BasicStatus) {
	after := r.node.BasicStatus()
	leads := (m.Type == pb.MsgApp || m.Type == pb.MsgHeartbeat || m.Type == pb.MsgSnap) && m.Term >= before.Term
	voted := m.Type == pb.MsgVote && after.Vote == m.From && (before.Vote != after.Vote || before.Term != after.Term)
	if leads || voted {
		r.rest()
	}
}

// tickSnapshots lets the library try again with followers whom a snapshot was
// sent: it waits for ever for an answer that may be lost.
func (r *replica) tickSnapshots() {
	if r.clock.tick%r.cfg.Election != 0 {
		return
	}
	for i := range r.heard {
		if uint64(i)+1 != id(r.id) {
			r.node.ReportSnapshot(uint64(i)+1, raft.SnapshotFailure) // has no effect on others
		}
	}
}
