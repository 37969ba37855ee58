package paxos

import (
	"fmt"
	"math/rand/v2"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/clocks"
	"quorate.dev/quorate/consensus/pending"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/paxos/synod"
)

// replica is the engine: an acceptor, a learner and, at times, a proposer.
type replica struct {
	cfg      *Config
	system   quorum.System
	id       consensus.ReplicaID
	acceptor *synod.Acceptor
	learner  *synod.Learner
	values   values
	office   office
	missing  missing
	lead     leadership
	seen     synod.Ballot // the highest that somebody is known to have promised, or to lead under
	clock    clock
	requests *pending.Elected
	clocks   *clocks.Clocks
	exec     transfer.Heights
	snapshot transfer.Handle // of the state on disk; none if its root is not known
	state    *transfer.Mover
	reads    reads
	asked    []int // LEARNs of each replica since the last tick
	heard    []int // tick of the last word of each replica; -1 never
	alarmed  int   // tick of the last alarm of two values; 0 never
	now      consensus.Time
	out      consensus.Outbox
}

// leadership is whom this replica follows, as far as it knows.
type leadership struct {
	ballot synod.Ballot // the highest under which somebody led
	known  bool         // ... and still does
}

func newReplica(p *Protocol, rec consensus.Recovered) *replica {
	n, c := p.system.Size(), &p.cfg
	r := &replica{
		cfg: c, system: p.system, id: c.Self,
		acceptor: synod.NewAcceptor(c.table()), learner: synod.NewLearner(c.table()), values: newValues(),
		clocks: clocks.New(clocks.Config{
			Members: n, Quorum: p.system.Quorum(), Self: c.Self, Tick: c.TickLength, Every: 10 * c.Heartbeat, Skew: c.Genesis.Skew,
		}, rec.Now),
		reads: reads{room: consensus.QueryRoom{Queries: consensus.LeaderQueries, Bytes: consensus.LeaderQueryBytes}},
		asked: make([]int, n), heard: make([]int, n), now: rec.Now,
	}
	r.requests = pending.NewElected(r.id, c.Election, pending.Config{Replicas: n, Count: c.PendingCount, Bytes: c.PendingBytes}, &r.out)
	r.state = transfer.NewMover(r.id, n, transfer.Framed(fetchKind, FetchReplyKind), &r.out)
	seed := crypto.Hash(fmt.Appendf(nil, "quorate/paxos/countdown/%d/%d", rec.Nonce, r.id))
	r.clock.random = rand.New(rand.NewChaCha8(seed))
	for i := range r.heard {
		r.heard[i] = -1
	}
	return r
}

// Step implements consensus.Engine.
func (r *replica) Step(b consensus.Burst) consensus.Output {
	if r.clocks.Advance(b.Now) && r.office.leading {
		r.tellClock()
	}
	r.now = r.clocks.Time()
	for _, e := range b.Events {
		r.on(e)
	}
	r.standForAny()
	r.propose()
	r.askMajority()
	r.tellCommit()
	r.execute()
	if r.cfg.CheckEachStep {
		r.checkInvariants()
	}
	return r.out.Take()
}

// on is the one switch over events.
func (r *replica) on(e consensus.Event) {
	switch e := e.(type) {
	case consensus.Tick:
		r.onTick()
	case consensus.Submit:
		r.requests.Submit(e, r.clock.tick, r.led())
	case consensus.Ask:
		r.onAsk(e.Query)
	case consensus.Receive:
		r.onReceive(e)
	case consensus.Executed:
		if r.exec.Executed(e.Seq) {
			r.requests.Executed(e, r.clock.tick)
		}
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
	from := e.From.Replica
	if e.From.Kind == consensus.PeerReplica {
		r.heard[from] = r.clock.tick
	}
	switch m := e.Message.(type) {
	case *consensus.Clock:
		r.onClock(from, m)
	case *Prepare:
		r.onPrepare(from, m)
	case *Promise:
		r.onPromise(from, m)
	case *Accept:
		r.onAccept(from, m)
	case *Accepted:
		r.onAccepted(from, m)
	case *Commit:
		r.onCommit(from, m.Ballot, m.UpTo)
	case *Heartbeat:
		r.onHeartbeat(from, m)
	case *Alive:
		r.onAlive(from, m)
	case *Reject:
		r.onReject(from, m)
	case *Learn:
		lessons{r}.onLearn(from, m)
	case *Value:
		lessons{r}.onValue(from, m)
	case State:
		r.onState(from, m)
	case *Fetch:
		r.state.OnFetch(e.From, m.Seq, m.Root, m.Items)
	case *FetchReply:
		r.moved(r.state.OnParts(from, m.Seq, m.Root, m.Parts, m.Gone))
	}
}

// send is for one member, after what was recorded is durable.
func (r *replica) send(to consensus.ReplicaID, class consensus.Class, frame []byte) {
	r.out.Send(consensus.ReplicaPeer(to), class, frame)
}

// tell is for one member, at once: it promises nothing that is recorded here.
func (r *replica) tell(to consensus.ReplicaID, class consensus.Class, frame []byte) {
	r.out.SendEarly(consensus.ReplicaPeer(to), class, frame)
}

// tellAll is for all others, at once.
func (r *replica) tellAll(class consensus.Class, frame []byte) {
	r.out.SendEarly(consensus.Peer{Kind: consensus.Everyone}, class, frame)
}
