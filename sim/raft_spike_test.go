package sim

import (
	"encoding/binary"
	"io"
	"log"
	"math/rand/v2"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"golang.org/x/crypto/cryptobyte"

	"quorate/consensus"
	"quorate/crypto"
)

// The spike puts etcd-raft behind the contract that PBFT is written for, to
// see where it bends. The log is never compacted and there are no snapshots;
// everything else is as PROTOCOL.md §10 wants it.

const kindRaft = consensus.FirstProtocolKind

// Record kinds of the spike's log.
const (
	recordState byte = iota + 1
	recordEntry
)

// raftSpike is the protocol before it runs.
type raftSpike struct {
	seat  Seat
	roles consensus.Roles
}

func buildRaft(s Seat) (consensus.Protocol, error) {
	return &raftSpike{seat: s, roles: s.Genesis.Roles()}, nil
}

// Open believes the channel for replicas, and signatures for clients.
func (p *raftSpike) Open(v crypto.Verifier, _ consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	out := make([]consensus.Opened, len(in))
	for i, f := range in {
		out[i] = p.openOne(v, f)
	}
	return out
}

func (p *raftSpike) openOne(v crypto.Verifier, f consensus.Frame) consensus.Opened {
	if len(f.Bytes) > 0 && f.Bytes[0] == consensus.KindRequest {
		r, err := consensus.DecodeRequest(f.Bytes)
		if err != nil || !v.Verify([]crypto.Claim{r.Claim(p.seat.Genesis.ID())})[0] {
			return consensus.Opened{Reason: "bad request", Blame: true}
		}
		return consensus.Opened{Event: consensus.Submit{Via: f.From, Request: r}}
	}
	var m pb.Message
	if len(f.Bytes) == 0 || f.Bytes[0] != kindRaft || m.Unmarshal(f.Bytes[1:]) != nil ||
		f.From.Kind != consensus.PeerReplica || m.From != uint64(f.From.Replica)+1 {
		return consensus.Opened{Reason: "malformed", Blame: true}
	}
	return consensus.Opened{Event: consensus.Receive{From: f.From, Message: m}}
}

// storage adds the fixed membership to the library's own storage in memory.
type storage struct {
	*raft.MemoryStorage
	voters []uint64
}

func (s storage) InitialState() (pb.HardState, pb.ConfState, error) {
	hs, _, err := s.MemoryStorage.InitialState()
	return hs, pb.ConfState{Voters: s.voters}, err
}

// raftEngine joins one RawNode to the contract.
type raftEngine struct {
	seat      Seat
	node      *raft.RawNode
	store     storage
	dice      *rand.Rand
	countdown int // ticks until this follower campaigns
	lease     int // ... until it forgets its leader, and answers candidates
	pending   []*consensus.Request
	proposed  map[crypto.Digest]uint64 // in which term
	done      map[crypto.Digest]bool
	applied   consensus.Seq
	executed  consensus.Seq
	kept      consensus.Seq
	ticks     int
	out       consensus.Output
}

// New replays the log into the library's storage.
func (p *raftSpike) New(home consensus.Recovered) (consensus.Engine, error) {
	e := &raftEngine{
		seat: p.seat, store: storage{MemoryStorage: raft.NewMemoryStorage()}, dice: rand.New(rand.NewPCG(p.seat.Seed, 1)),
		proposed: map[crypto.Digest]uint64{}, done: map[crypto.Digest]bool{},
		applied: home.Height, executed: home.Height, kept: home.Height,
	}
	for i := range p.seat.Genesis.Replicas {
		e.store.voters = append(e.store.voters, uint64(i)+1)
	}
	if err := e.replay(home); err != nil {
		return nil, err
	}
	patience := p.seat.Timing.Patience
	node, err := raft.NewRawNode(&raft.Config{
		ID: uint64(p.seat.Replica) + 1, ElectionTick: patience, HeartbeatTick: max(1, patience/10), Storage: e.store,
		Applied: uint64(home.Height), MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 64, CheckQuorum: true, PreVote: true,
		DisableProposalForwarding: true, Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)},
	})
	e.node = node
	e.rest()
	return e, err
}

func (e *raftEngine) replay(home consensus.Recovered) error {
	for _, r := range home.Records {
		switch r.Bytes[0] {
		case recordState:
			var hs pb.HardState
			if err := hs.Unmarshal(r.Bytes[1:]); err != nil {
				return err
			}
			if err := e.store.SetHardState(hs); err != nil {
				return err
			}
		case recordEntry:
			var entry pb.Entry
			if err := entry.Unmarshal(r.Bytes[1:]); err != nil {
				return err
			}
			if err := e.store.Append([]pb.Entry{entry}); err != nil {
				return err
			}
		}
	}
	// The commit index is recorded lazily: it may be lost where the state
	// on disk proves a higher one, or survive without the entries.
	hs, _, err := e.store.InitialState()
	last, _ := e.store.LastIndex()
	hs.Commit = min(max(hs.Commit, uint64(home.Height)), last)
	if err != nil || raft.IsEmptyHardState(hs) {
		return err
	}
	return e.store.SetHardState(hs)
}

// rest restarts the countdown: a leader was heard, or a campaign has begun.
func (e *raftEngine) rest() {
	e.lease = e.seat.Timing.Patience
	e.countdown = e.lease + e.dice.IntN(e.lease)
}

func (e *raftEngine) leading() bool { return e.node.BasicStatus().RaftState == raft.StateLeader }

// Step feeds the burst in and takes out what is ready.
func (e *raftEngine) Step(b consensus.Burst) consensus.Output {
	for _, event := range b.Events {
		switch ev := event.(type) {
		case consensus.Tick:
			e.tick()
		case consensus.Receive:
			e.receive(ev.Message.(pb.Message))
		case consensus.Submit:
			e.submit(ev)
		case consensus.Executed:
			e.executed = ev.Seq
			if !ev.Root.IsZero() {
				e.out.Jobs = append(e.out.Jobs, consensus.Stabilize{Seq: ev.Seq, Root: ev.Root})
			}
		case consensus.Kept:
			e.kept = ev.Seq
		}
	}
	e.propose(b.Now)
	for e.node.HasReady() {
		rd := e.node.Ready()
		e.ready(&rd)
		e.node.Advance(rd)
	}
	out := e.out
	e.out = consensus.Output{}
	return out
}

// tick is the election clock that the engine owns: the library's own draws
// from a global source, so it ticks at a leader only. A follower whose lease
// has run out forgets its leader, because the library would ignore candidates
// while it believes to have heard one lately.
func (e *raftEngine) tick() {
	e.ticks++
	if e.leading() {
		e.node.Tick()
		return
	}
	if e.lease--; e.lease == 0 {
		_ = e.node.ForgetLeader()
	}
	if e.countdown--; e.countdown <= 0 {
		e.rest()
		_ = e.node.Campaign()
	}
	if e.ticks%(e.seat.Timing.Patience/2) == 0 {
		e.forward(e.pending...)
	}
}

// receive steps one message. Errors say that it was not for now.
func (e *raftEngine) receive(m pb.Message) {
	term := e.node.BasicStatus().Term
	if err := e.node.Step(m); err != nil {
		e.out.Notes = append(e.out.Notes, consensus.Note{Kind: consensus.Ignored, Reason: "raft refuses", Text: err.Error()})
	}
	if (m.Type == pb.MsgApp || m.Type == pb.MsgHeartbeat) && m.Term >= term {
		e.rest()
	}
}

func (e *raftEngine) submit(s consensus.Submit) {
	if e.done[s.Request.Digest] {
		e.out.Jobs = append(e.out.Jobs, consensus.Answer{Request: s.Request})
		return
	}
	for _, r := range e.pending {
		if r.Digest == s.Request.Digest {
			return
		}
	}
	if len(e.pending) < 1000 {
		r := s.Request.Copy()
		e.pending = append(e.pending, r)
		e.forward(r)
	}
}

func (e *raftEngine) forward(rs ...*consensus.Request) {
	lead := e.node.BasicStatus().Lead
	if lead == 0 || e.leading() {
		return
	}
	for _, r := range rs {
		e.out.Early = append(e.out.Early, consensus.Send{To: consensus.ReplicaPeer(consensus.ReplicaID(lead - 1)), Class: consensus.Bodies, Bytes: r.Raw})
	}
}

// propose puts what waits into batches of the leader's current term.
func (e *raftEngine) propose(now consensus.Time) {
	st := e.node.BasicStatus()
	if st.RaftState != raft.StateLeader {
		return
	}
	last, _ := e.store.LastIndex()
	for last-st.Applied < uint64(e.seat.Genesis.Window) {
		b := &consensus.Batch{Stamp: now}
		for _, r := range e.pending {
			if e.proposed[r.Digest] != st.Term && len(b.Requests) < e.seat.Genesis.Limits.BatchRequests {
				e.proposed[r.Digest] = st.Term
				b.Requests = append(b.Requests, r)
			}
		}
		if len(b.Requests) == 0 || e.node.Propose(b.Append(nil)) != nil {
			return
		}
		last++
	}
}

// ready turns one Ready into an output. It is accepted at once: what it sends
// waits in the driver for what it records.
func (e *raftEngine) ready(rd *raft.Ready) {
	slot := consensus.Seq(1<<63 - 1) // nothing is ever forgotten
	if len(rd.Entries) > 0 {
		_ = e.store.Append(rd.Entries)
		for i := range rd.Entries {
			b, _ := rd.Entries[i].Marshal()
			e.out.Records = append(e.out.Records, consensus.Record{Slot: slot, Bytes: append([]byte{recordEntry}, b...)})
		}
	}
	if !raft.IsEmptyHardState(rd.HardState) {
		_ = e.store.SetHardState(rd.HardState)
		b, _ := rd.HardState.Marshal()
		// A commit index alone is learnt again: it is worth no sync.
		e.out.Records = append(e.out.Records, consensus.Record{Slot: slot, Lazy: !rd.MustSync, Bytes: append([]byte{recordState}, b...)})
	}
	for i := range rd.Messages {
		m := &rd.Messages[i]
		b, _ := m.Marshal()
		e.out.Sends = append(e.out.Sends, consensus.Send{
			To: consensus.ReplicaPeer(consensus.ReplicaID(m.To - 1)), Class: consensus.Votes, Bytes: append([]byte{kindRaft}, b...),
		})
	}
	for i := range rd.CommittedEntries {
		e.commit(&rd.CommittedEntries[i])
	}
}

// commit hands one entry to execution. The library's index is the sequence
// number; the empty entry of a new leader is the null batch.
func (e *raftEngine) commit(entry *pb.Entry) {
	c := consensus.Commit{Seq: consensus.Seq(entry.Index), View: consensus.View(entry.Term), Digest: consensus.NullDigest}
	if len(entry.Data) > 0 {
		s := cryptobyte.String(entry.Data)
		b, err := consensus.ReadBatch(&s)
		if err != nil {
			panic(err)
		}
		c.Batch, c.Digest = b, b.Digest()
		for _, r := range b.Requests {
			e.done[r.Digest] = true
		}
	}
	keep := e.pending[:0]
	for _, r := range e.pending {
		if !e.done[r.Digest] {
			keep = append(keep, r)
		}
	}
	e.pending = keep
	e.applied = c.Seq
	e.out.Jobs = append(e.out.Jobs, c)
}

func (e *raftEngine) Horizon() consensus.Horizon { return nil }

func (e *raftEngine) Status() consensus.Status {
	st := e.node.BasicStatus()
	return consensus.Status{
		Protocol: "raft", Replica: e.seat.Replica, View: consensus.View(st.Term), Primary: consensus.ReplicaID(max(st.Lead, 1) - 1),
		Changing: st.Lead == 0, Executed: e.applied, Applied: e.executed, Kept: e.kept, Pending: len(e.pending),
	}
}

// raftSubject is the spike with its frames explained. A granted vote is what a
// raft member promises.
var raftSubject = Subject{Build: buildRaft, Words: func(consensus.Genesis) Words {
	return Words{Describe: describeRaft, Promise: promisedRaft}
}}

func describeRaft(frame []byte) string {
	var m pb.Message
	if m.Unmarshal(frame[1:]) != nil {
		return "malformed"
	}
	return raft.DescribeMessage(m, func(data []byte) string { return "batch " + crypto.Hash(data).Short() })
}

func promisedRaft(frame []byte) (Promise, bool) {
	var m pb.Message
	if frame[0] != kindRaft || m.Unmarshal(frame[1:]) != nil || m.Type != pb.MsgVoteResp || m.Reject {
		return Promise{}, false
	}
	candidate := binary.BigEndian.AppendUint64(nil, m.To)
	return Promise{Signer: consensus.ReplicaID(m.From - 1), Kind: uint8(m.Type), View: consensus.View(m.Term), Content: crypto.Hash(candidate)}, true
}
