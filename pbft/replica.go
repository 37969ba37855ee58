package pbft

import (
	"quorate.dev/quorate/checkpoint"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/clocks"
	"quorate.dev/quorate/consensus/pending"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/viewchange"
)

// replica is the engine. Its parts keep their own rules; it joins them and is
// the only one that emits.
type replica struct {
	cfg   *Config
	rules *message.Rules
	id    consensus.ReplicaID
	clock
	out consensus.Outbox

	outputs     uint64 // the number of the one that is gathered
	view        position
	lease       lease
	log         slotLog
	exec        execution
	requests    *pending.Pool
	pace        pace
	clocks      *clocks.Clocks
	checkpoints *checkpoint.Tracker
	views       *viewchange.Changer
	peers       peers
	held        holdback
	state       restore
	rejoin      rejoining
	accused     accusations
	lies        bool // the host lies on purpose, and so forgets what it said
}

// slowMachine is how many bytes even a slow machine executes in a second. What it
// executes stops the clocks of those who wait for as long as that would take.
const slowMachine = 1 << 20

// clock is all that the replica knows of time.
type clock struct {
	now  consensus.Time // what time it is in this burst (package clocks): for stamps only
	tick int            // ticks since the start: for everything else
}

func newReplica(p *Protocol, now consensus.Time) *replica {
	g := &p.cfg.Genesis
	n := len(g.Replicas)
	r := &replica{
		cfg: &p.cfg, rules: p.rules, id: p.cfg.Self, outputs: 1,
		view: newPosition(&p.cfg, p.rules.System),
		log:  newSlotLog(g),
		exec: newExecution(g),
		requests: pending.New(pending.Config{
			Replicas: n, Count: p.cfg.PendingCount, Bytes: p.cfg.PendingBytes, Retell: p.cfg.StatusEvery, Ask: 2 * p.cfg.Patience,
			Patience: p.cfg.Patience, Speed: max(1, int(slowMachine*p.cfg.TickLength/1e9)),
		}),
		pace: newPace(p.cfg.Patience),
		clocks: clocks.New(clocks.Config{
			Members: n, Quorum: p.rules.System.Quorum(), Self: p.cfg.Self, Tick: p.cfg.TickLength, Every: 4 * p.cfg.StatusEvery, Skew: g.Skew,
		}, now),
		checkpoints: checkpoint.New(p.rules, p.cfg.Self),
		views:       viewchange.New(p.rules, p.cfg.Self, p.cfg.Signer),
		peers:       newPeers(n),
		held:        holdback{queues: make([]queue, n)},
	}
	r.state, r.accused = newRestore(r), newAccusations(r)
	return r
}

// Step implements consensus.Engine.
func (r *replica) Step(b consensus.Burst) consensus.Output {
	r.clocks.Advance(b.Now)
	r.now, r.lies = r.clocks.Time(), b.Lies
	r.lease.durable(b.Durable)
	for _, e := range b.Events {
		if !r.exec.halted {
			r.on(e)
		}
	}
	if !r.exec.halted {
		r.propose()
		r.forgetSlots()
	}
	if r.cfg.CheckEachStep && !r.exec.halted {
		r.checkInvariants() // who halts leaves everything as it was in the middle of the step
	}
	r.outputs++
	return r.out.Take()
}

// on is the one switch over events.
func (r *replica) on(e consensus.Event) {
	switch e := e.(type) {
	case consensus.Tick:
		r.onTick()
	case consensus.Submit:
		r.onSubmit(e)
	case consensus.Ask:
		unordered{r}.onAsk(e.Query)
	case consensus.Receive:
		r.onReceive(e)
	case consensus.Arriving:
		impatience{r}.onArriving(e)
	case consensus.Executed:
		r.onExecuted(e)
	case consensus.Rooted:
		r.onRooted(e)
	case consensus.Kept:
		r.exec.keeps(e.Seq)
		r.forgetLog()
	case consensus.Settled:
		r.requests.Remove(pending.KeyOf(e.Request))
	case consensus.Unsettled:
		r.requests.Unsettled(e.Request, r.tick)
	case consensus.Chunk:
		r.state.OnChunk(e)
	case consensus.Staged:
		r.moved(r.state.OnStaged(e))
	case consensus.Restored:
		r.onRestored(e)
	}
}

// onReceive hands an authentic message to the rule that it falls under.
func (r *replica) onReceive(e consensus.Receive) {
	if (ownWords{r}).in(e.Message); r.exec.halted {
		return
	}
	switch m := e.Message.(type) {
	case *message.PrePrepare:
		r.onPrePrepare(e, m)
	case *message.Vote:
		r.onVote(e, m)
	case *message.Said:
		proof{r}.onSaid(e, m)
	case *message.ViewChange:
		r.onViewChange(m)
	case *message.NewView:
		r.onNewView(m)
	case *consensus.Clock:
		r.clocks.Hear(e.From.Replica, m)
	case *message.Status:
		r.onStatus(e.From, m)
	case *message.Fetch:
		r.onFetch(e.From, m)
	case *message.FetchReply:
		r.onFetchReply(e.From, m)
	case *message.Rejoin:
		r.onRejoin(e.From, m)
	case *message.RejoinAnswer:
		r.onRejoinAnswer(e.From, m)
	}
}

// onTick is where time passes: everything that happens without a message.
func (r *replica) onTick() {
	r.tick++
	r.compareClocks()
	for _, e := range r.held.due(r.now + r.rules.Genesis.Skew) {
		r.onReceive(e)
	}
	r.tickRequests()
	r.tickView()
	leased{r}.rest()
	r.tickCheckpoints()
	r.moved(r.state.Tick())
	r.catchUp()
	r.tickRejoin()
	if r.tick%r.cfg.StatusEvery == 0 {
		r.sendStatus()
		r.askBodies()
	}
}

// compareClocks tells the others what this replica's clock shows, now and then,
// and operators whose is wrong.
func (r *replica) compareClocks() {
	r.clocks.Tick()
	if r.clocks.Due() {
		r.out.SendEarly(consensus.Peer{Kind: consensus.Everyone}, consensus.Votes, r.clocks.Own().Encode())
	}
	if text := r.clocks.Alarm(); text != "" {
		r.alarm(text)
	}
}

// low and high are the water marks h and h+L (§4.3).
func (r *replica) low() consensus.Seq  { return r.checkpoints.Low() }
func (r *replica) high() consensus.Seq { return r.checkpoints.High() }

// mayCheckpoint is mayVote for a CHECKPOINT, which belongs to no view.
func (r *replica) mayCheckpoint(n consensus.Seq) bool {
	return n > r.exec.mute && r.rejoin.mayCheckpoint(n)
}

// mayVote reports whether this replica may sign a protocol message for slot n
// in view v: not while it forgets what it said (§8), nor below a state that it
// had to repair (§5), nor at or below the low mark, where slots, and votes in
// them, may have been forgotten.
func (r *replica) mayVote(v consensus.View, n consensus.Seq) bool {
	return n > r.low() && n > r.exec.mute && r.rejoin.allows(v, n)
}

// floor is the slot up to which nothing is kept: what is both stable and
// executed here, or will be once a state is in place. A replica more than L
// behind takes a state and needs no slot below the low mark.
func (r *replica) floor() consensus.Seq {
	base := r.exec.handed
	if r.state.Active() {
		base = r.state.Target().Seq
	}
	if r.exec.farBehind(r.low(), base) {
		return r.low()
	}
	return min(r.low(), base)
}

// inReach reports whether slot n is one that is kept. Between what the log of
// an earlier life holds and the low mark of a cluster that is far ahead there
// is nothing to wait for.
func (r *replica) inReach(n consensus.Seq) bool {
	if n <= r.floor() || n > r.high() {
		return false
	}
	low := r.low()
	return n > low || n <= r.exec.replayed || low-r.exec.handed <= r.rules.Genesis.Window
}

func (r *replica) alarm(text string) {
	r.out.Note(consensus.Note{Kind: consensus.Alarm, View: r.view.number, Seq: r.exec.handed, Text: text})
}
