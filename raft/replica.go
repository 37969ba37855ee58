package raft

import (
	"fmt"
	"math/rand/v2"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/clocks"
	"quorate.dev/quorate/consensus/pending"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// replica joins one RawNode of the library to the contract.
type replica struct {
	cfg      *Config
	system   quorum.System
	id       consensus.ReplicaID
	node     *raft.RawNode
	store    *store
	clock    clock
	requests *pending.Elected
	clocks   *clocks.Clocks
	exec     execution
	state    restore
	early    []*pb.Message // appends that came before what they follow, of this tick
	provoked []int         // answers of each replica since the last tick to which the library sends entries
	alarmed  []int         // tick of the last alarm about each replica; 0 never
	heard    []int         // tick of the last word of each replica; -1 never
	lead     leadership
	beside   beside
	reads    reads
	crowned  leadership // the last leader that was heard, also after it is forgotten
	doubled  uint64     // the last term of which two leaders were heard
	stall    stall      // while a member that lost its disk cannot be known anew
	misfit   int        // tick at which the leader last said what this log cannot take; 0 never
	lost     bool       // this life has said that its log lacks what it acknowledged
	now      consensus.Time
	out      consensus.Outbox
}

// leadership is who led when this replica looked last.
type leadership struct {
	term   uint64
	leader uint64 // the library's number; 0 = nobody
}

func newReplica(p *Protocol, rec consensus.Recovered) *replica {
	n := p.system.Size()
	r := &replica{
		cfg: &p.cfg, system: p.system, id: p.cfg.Self, store: newStore(n),
		clocks: clocks.New(clocks.Config{
			Members: n, Quorum: p.system.Quorum(), Self: p.cfg.Self, Tick: p.cfg.TickLength, Every: 10 * p.cfg.Heartbeat, Skew: p.cfg.Genesis.Skew,
		}, rec.Now),
		reads:  reads{room: consensus.QueryRoom{Queries: consensus.LeaderQueries, Bytes: consensus.LeaderQueryBytes}},
		beside: beside{outputs: 1}, heard: make([]int, n), provoked: make([]int, n), alarmed: make([]int, n), now: rec.Now,
	}
	r.requests = pending.NewElected(r.id, p.cfg.Election, pending.Config{Replicas: n, Count: p.cfg.PendingCount, Bytes: p.cfg.PendingBytes}, &r.out)
	r.state = newRestore(r)
	seed := crypto.Hash(fmt.Appendf(nil, "quorate/raft/election/%d/%d", rec.Nonce, r.id))
	r.clock.random = rand.New(rand.NewChaCha8(seed))
	for i := range r.heard {
		r.heard[i] = -1
	}
	return r
}

// connect makes the library's node over the store, which holds the log.
func (r *replica) connect(applied consensus.Seq) error {
	node, err := raft.NewRawNode(&raft.Config{
		ID: id(r.id), ElectionTick: r.cfg.Election, HeartbeatTick: r.cfg.Heartbeat, Storage: r.store,
		Applied: uint64(applied), MaxSizePerMsg: maxAppendBytes, MaxInflightMsgs: maxInflight, MaxCommittedSizePerReady: 1 << 62,
		PreVote: r.cfg.PreVote, CheckQuorum: r.cfg.CheckQuorum, DisableProposalForwarding: true,
		Logger: silent{},
	})
	r.node = node
	return err
}

// maxAppendBytes is where a MsgApp stops taking further entries; one larger
// entry travels alone, within consensus.MaxFrame by the limits of a batch.
const maxAppendBytes = 1 << 20

// maxInflight bounds the MsgApps with entries that are under way to a follower.
const maxInflight = 64

// Step implements consensus.Engine.
func (r *replica) Step(b consensus.Burst) consensus.Output {
	if r.clocks.Advance(b.Now) && r.leading() {
		r.tellClock()
	}
	r.now = r.clocks.Time()
	r.beside.durable(b.Durable, r.node.BasicStatus().Commit)
	for _, e := range b.Events {
		r.on(e)
	}
	r.propose()
	r.drain()
	r.observe()
	r.execute()
	if r.cfg.CheckEachStep {
		r.checkInvariants()
	}
	out := r.out.Take()
	r.beside.gathered(&out)
	return out
}

// on is the one switch over events.
func (r *replica) on(e consensus.Event) {
	switch e := e.(type) {
	case consensus.Tick:
		clear(r.provoked)
		r.overdue()
		r.onTick()
	case consensus.Submit:
		r.requests.Submit(e, r.clock.tick, r.led())
	case consensus.Ask:
		r.onAsk(e.Query)
	case consensus.Receive:
		r.onReceive(e)
	case consensus.Executed:
		r.onExecuted(e)
	case consensus.Rooted:
		r.onRooted(e)
	case consensus.Kept:
		r.onKept(e.Seq)
	case consensus.Settled:
		r.requests.Remove(pending.KeyOf(e.Request))
	case consensus.Unsettled:
		r.requests.Unsettled(e.Request, r.clock.tick)
	case consensus.Chunk:
		r.state.OnChunk(e)
	case consensus.Staged:
		r.moved(r.state.OnStaged(e))
	case consensus.Restored:
		r.onRestored(e)
	}
}

func (r *replica) onReceive(e consensus.Receive) {
	if e.From.Kind == consensus.PeerReplica {
		r.heard[e.From.Replica] = r.clock.tick
	}
	if r.leaps(e.Message) {
		return
	}
	switch m := e.Message.(type) {
	case *consensus.Clock:
		r.onClock(e.From.Replica, m)
	case *pb.Message:
		r.inOrder(r.room(m))
	case *snapshot:
		r.onSnapshot(m)
	case *Fetch:
		r.state.OnFetch(e.From, m.Seq, m.Root, m.Items)
	case *FetchReply:
		r.moved(r.state.OnParts(e.From.Replica, m.Seq, m.Root, m.Parts, m.Gone))
	}
}

// The reasons for which a message of a member has no effect. ReasonPanic is one
// that members who follow the protocol never give: the simulator holds them to it.
const (
	ReasonPanic   consensus.Reason = "the library panics on it"
	reasonRefuses consensus.Reason = "not for now"
	reasonLeading consensus.Reason = "a leader takes no snapshot"
	reasonFull    consensus.Reason = "the log reaches too far beyond the state on disk"
)

// Reasons lists why this package's engine ignores what was opened well: for
// reports of coverage.
func Reasons() []consensus.Reason {
	return []consensus.Reason{ReasonPanic, reasonRefuses, reasonLeading, reasonFull}
}

// step hands one message to the library, and watches the election clock.
func (r *replica) step(m *pb.Message) {
	if last, unsent := r.unsent(m); unsent {
		r.drop(m, ReasonPanic, fmt.Sprintf("%s: acknowledges %d, and the log ends at %d", m.Type, m.Index, last))
		return
	}
	if r.provokes(m) || r.nameState(m) {
		return
	}
	r.relearn(m)
	before := r.node.BasicStatus()
	r.oneLeader(m, before)
	why, err := r.survive(func() error { return r.node.Step(*m) })
	if err != nil {
		r.drop(m, why, m.Type.String()+": "+err.Error())
	}
	r.reportLoss(m, before.Term)
	if err == nil {
		r.watch(m, before)
	}
}

// alarmEvery is how many election timeouts lie between two alarms about one
// member that says what the library panics on.
const alarmEvery = 10

// drop notes a message that has no effect. What would have ended the process is
// told to who runs it: no member that follows the protocol says such a thing,
// but to one that has lost its disk.
func (r *replica) drop(m *pb.Message, why consensus.Reason, text string) {
	from := consensus.ReplicaID(m.From - 1)
	if why == ReasonPanic && m.From == r.lead.leader {
		r.misfit = max(1, r.clock.tick)
	}
	r.out.Note(consensus.Note{Kind: consensus.Ignored, View: consensus.View(m.Term), Replica: from, Reason: why, Text: text})
	if why != ReasonPanic || r.alarmed[from] != 0 && r.clock.tick-r.alarmed[from] < alarmEvery*r.cfg.Election {
		return
	}
	r.alarmed[from] = max(1, r.clock.tick)
	r.out.Note(consensus.Note{Kind: consensus.Alarm, View: consensus.View(m.Term), Replica: from,
		Text: fmt.Sprintf("replica %d says what makes the library panic: it lies, or the disk of a member, which may be this one, was lost or set back to an older copy; dropped: %s", from, text)})
}

// unsent reports whether a member acknowledges to this leader what it never
// sent, and where its log ends. The library would believe it, and panic in some
// later call, when it looks for what follows.
func (r *replica) unsent(m *pb.Message) (last uint64, is bool) {
	st := r.node.BasicStatus() // not r.lead: a burst may hold the votes that elect, and this
	if m.Type != pb.MsgAppResp || m.Reject || m.Term != st.Term || st.RaftState != raft.StateLeader {
		return 0, false
	}
	last, _ = r.store.LastIndex()
	return last, m.Index > last
}

// survive runs one call into the library. It panics on what no member that
// follows the protocol sends; the message is dropped then, and what the library
// had made of it so far is as if it had been a shorter one.
func (r *replica) survive(f func() error) (why consensus.Reason, err error) {
	defer func() {
		if p := recover(); p != nil {
			why, err = ReasonPanic, fmt.Errorf("panic: %v", p)
		}
	}()
	return reasonRefuses, f()
}

// drain takes out all that the library has ready. It is accepted at once: what
// it sends, but for entries, waits in the driver for what it records, so that the
// library may count its own acknowledgements before they are on disk.
func (r *replica) drain() {
	for r.askMajority(); r.node.HasReady(); r.askMajority() {
		rd := r.node.Ready()
		r.keep(&rd)
		for _, s := range rd.ReadStates {
			r.readable(s.Index, s.RequestCtx)
		}
		for i := range rd.Messages {
			r.send(&rd.Messages[i])
		}
		r.node.Advance(rd)
	}
}

// send hands over one message. Whatever belongs to the log goes in one class, in
// order: a commit index that overtakes its entries is rejected by the follower,
// and the leader then sends again all that is under way.
func (r *replica) send(m *pb.Message) {
	if m.Type == pb.MsgSnap && len(m.Snapshot.Data) == 0 {
		return // of a leader that lacks its state: there is none to name
	}
	if len(m.Entries) > 0 {
		r.entries(m)
		return
	}
	class := consensus.Votes
	if m.Type == pb.MsgApp {
		class = consensus.Bodies
	}
	r.out.Send(consensus.ReplicaPeer(consensus.ReplicaID(m.To-1)), class, EncodeMessage(m))
}

func (r *replica) alarm(text string) {
	r.out.Note(consensus.Note{Kind: consensus.Alarm, View: consensus.View(r.lead.term), Text: text})
}

// leading reports whether this replica is the leader.
func (r *replica) leading() bool { return r.node.BasicStatus().RaftState == raft.StateLeader }

// observe notes changes of term and leader, and begins anew with what waits.
func (r *replica) observe() {
	st := r.node.BasicStatus()
	is := leadership{term: st.Term, leader: st.Lead}
	if is == r.lead {
		return
	}
	was := r.lead
	r.lead = is
	r.dropReads()
	if was.leader != 0 && is.leader != was.leader {
		r.out.Note(consensus.Note{Kind: consensus.LeftView, View: consensus.View(is.term), Reason: "the leader was not heard, or another was elected"})
	}
	if is.leader == 0 {
		return
	}
	r.out.Note(consensus.Note{Kind: consensus.EnteredView, View: consensus.View(is.term), Replica: consensus.ReplicaID(is.leader - 1)})
	r.requests.Begin(r.clock.tick, r.led())
	if is.leader == id(r.id) {
		r.beginTerm()
	}
}
