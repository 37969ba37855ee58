package session

import (
	"fmt"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// world is everything outside one session: a network that loses, doubles and
// reorders, replicas of which f lie, and one true state behind the honest ones.
type world struct {
	t       *rapid.T
	genesis consensus.Genesis
	n, f    int
	liars   quorum.Set
	s       *Session
	now     consensus.Time
	toThem  []Send
	toUs    []Send // Send.To is the sender here
	view    consensus.View
	healed  bool

	// The true state.
	height   consensus.Seq
	epoch    uint64
	highest  uint64
	executed map[consensus.Sequence]*consensus.Reply
	effects  map[string]int // by operation: how often it took effect
	results  map[string]consensus.Result

	// The caller's side.
	next Ticket
	ops  map[Ticket]string
	done map[Ticket]Done
	gone map[Ticket]bool // cancelled
}

func newWorld(t *rapid.T, model quorum.Model) *world {
	n := rapid.SampledFrom([]int{1, 4, 5, 7}).Draw(t, "n")
	keys := make([]crypto.PublicKey, n)
	for i := range keys {
		keys[i][0] = byte(i + 1)
	}
	w := &world{
		t: t, genesis: consensus.NewGenesis("world", "any", keys), n: n, now: 1e18,
		executed: map[consensus.Sequence]*consensus.Reply{}, effects: map[string]int{}, results: map[string]consensus.Result{},
		ops: map[Ticket]string{}, done: map[Ticket]Done{}, gone: map[Ticket]bool{},
	}
	w.genesis.Limits.RequestOperations = rapid.IntRange(1, 20).Draw(t, "request operations")
	if model == quorum.Byzantine {
		w.f = model.System(n).Faults()
	}
	for w.liars.Len() < w.f {
		w.liars.Add(consensus.ReplicaID(rapid.IntRange(0, n-1).Draw(t, "liar")))
	}
	s, err := New(Config{
		Genesis: &w.genesis, System: model.System(n), Elected: model == quorum.Crash, Signer: crypto.NewSimSigner(crypto.NewKeyring(), [32]byte{1}), Epoch: uint64(w.now),
		InFlight: rapid.IntRange(1, 8).Draw(t, "in flight"), OneEach: rapid.Bool().Draw(t, "one each"),
		GiveUp: 2 * second,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.s = s
	if rapid.Bool().Draw(t, "the clock was set back") {
		w.epoch = uint64(w.now) + rapid.Uint64Range(1, 5e9).Draw(t, "by")
	}
	return w
}

func (w *world) honest(id consensus.ReplicaID) bool { return !w.liars.Has(id) }

// flush takes the session's output and holds it against the invariants.
func (w *world) flush() {
	out := w.s.Flush()
	for _, send := range out.Sends {
		if int(send.To) >= w.n {
			w.t.Fatalf("send to replica %d of %d", send.To, w.n)
		}
	}
	w.toThem = append(w.toThem, out.Sends...)
	for _, d := range out.Done {
		w.finish(d)
	}
	if w.s.InFlight() > w.s.cfg.InFlight {
		w.t.Fatalf("%d requests in flight", w.s.InFlight())
	}
	if r := w.s.flight.requests; len(r) > 0 {
		if out.Deadline == 0 {
			w.t.Fatalf("in flight and no deadline")
		}
		if span := r[len(r)-1].signed.Sequence.Counter - r[0].signed.Sequence.Counter; span >= consensus.SessionWindow {
			w.t.Fatalf("counters in flight span %d", span)
		}
	}
}

// finish judges the end of a ticket: once, and with the truth.
func (w *world) finish(d Done) {
	if _, twice := w.done[d.Ticket]; twice {
		w.t.Fatalf("ticket %d is done twice", d.Ticket)
	}
	w.done[d.Ticket] = d
	op := w.ops[d.Ticket]
	if d.Err == nil {
		if want, ok := w.results[op]; !ok || want.Code != d.Result.Code || string(want.Data) != string(d.Result.Data) {
			w.t.Fatalf("operation %q ended with %v, the truth is %v", op, d.Result, want)
		}
		return
	}
	if !w.gone[d.Ticket] {
		w.t.Fatalf("operation %q failed: %v", op, d.Err)
	}
}

func (w *world) invoke() {
	w.next++
	op := fmt.Sprintf("op %d", w.next)
	if rapid.IntRange(0, 9).Draw(w.t, "big") == 0 {
		op = "big " + op
	}
	w.ops[w.next] = op
	w.s.Invoke(w.next, []byte(op))
}

func (w *world) cancel() {
	t := Ticket(rapid.Uint64Range(1, uint64(w.next)+1).Draw(w.t, "ticket"))
	if _, over := w.done[t]; over || w.ops[t] == "" {
		return
	}
	w.gone[t] = true
	w.s.Cancel(t)
}

// order executes a request as the honest replicas would, with the session
// table of PROTOCOL §3, and answers from all of them.
func (w *world) order(r *consensus.Request) {
	seq := r.Sequence
	switch {
	case seq.Epoch > w.epoch:
		w.epoch, w.highest = seq.Epoch, 0
	case seq.Epoch < w.epoch || seq.Counter+consensus.SessionWindow <= w.highest:
		return
	}
	if seq.Counter > w.highest+consensus.SessionWindow {
		w.t.Fatalf("counter %d lies ahead of the window of %d", seq.Counter, w.highest)
	}
	if w.executed[seq] == nil {
		w.highest = max(w.highest, seq.Counter)
		w.height++
		reply := &consensus.Reply{Request: r.Digest, Sequence: seq, Seq: w.height}
		for _, op := range r.Operations {
			reply.Results = append(reply.Results, w.execute(string(op), len(r.Operations)))
		}
		w.executed[seq] = reply
	}
	for id := range consensus.ReplicaID(w.n) {
		if w.honest(id) {
			w.answer(id, r)
		}
	}
}

func (w *world) execute(op string, together int) consensus.Result {
	if op[:3] == "big" && together > 1 {
		return consensus.Result{Code: consensus.ResultTooLarge}
	}
	if w.effects[op]++; w.effects[op] > 1 {
		w.t.Fatalf("operation %q took effect twice", op)
	}
	w.results[op] = consensus.Result{Data: fmt.Appendf(nil, "%s at %d", op, len(w.results))}
	return w.results[op]
}

func (w *world) answer(id consensus.ReplicaID, r *consensus.Request) {
	known := w.executed[r.Sequence]
	if known == nil {
		refusal := consensus.Refusal{Request: r.Digest, Sequence: r.Sequence, Code: consensus.RefusedStale, Times: consensus.Times{Epoch: w.epoch, Unused: true, Executed: w.now}}
		for seq := range w.executed {
			refusal.Times.Unused = refusal.Times.Unused && seq.Epoch != r.Sequence.Epoch
		}
		w.toUs = append(w.toUs, Send{To: id, Bytes: refusal.Encode()})
		return
	}
	reply := *known
	reply.View, reply.Replica = w.view, id
	w.toUs = append(w.toUs, Send{To: id, Bytes: reply.Encode()})
}

func (w *world) refusal(r *consensus.Request, code consensus.RefusalCode) []byte {
	return (&consensus.Refusal{Request: r.Digest, Sequence: r.Sequence, Code: code, View: w.view, Primary: consensus.ReplicaID(uint64(w.view) % uint64(w.n))}).Encode()
}

// arrive delivers a request to a replica.
func (w *world) arrive(send Send) {
	r, err := consensus.DecodeRequest(send.Bytes)
	if err != nil {
		w.t.Fatal(err)
	}
	switch {
	case !w.honest(send.To):
		w.lie(send.To, r)
	case w.executed[r.Sequence] != nil || r.Sequence.Epoch < w.epoch:
		w.answer(send.To, r)
	case !w.healed && rapid.IntRange(0, 3).Draw(w.t, "busy") == 0:
		w.toUs = append(w.toUs, Send{To: send.To, Bytes: w.refusal(r, consensus.RefusedBusy)})
	default:
		w.order(r)
	}
}

// lie answers as a traitor: all of them tell the same lie, so that f equal
// lies are always at hand.
func (w *world) lie(id consensus.ReplicaID, r *consensus.Request) {
	reply := consensus.Reply{Request: r.Digest, Sequence: r.Sequence, Seq: 7, View: 1 << 60, Replica: id}
	for range r.Operations {
		reply.Results = append(reply.Results, consensus.Result{Data: []byte("lie")})
	}
	frame := reply.Encode()
	switch rapid.IntRange(0, 6).Draw(w.t, "lie") {
	case 0:
		return
	case 1:
		frame = w.refusal(r, consensus.RefusalCode(rapid.IntRange(1, 10).Draw(w.t, "code")))
	case 2:
		frame = frame[:len(frame)-1]
	case 3:
		reply.Results = reply.Results[1:]
		frame = reply.Encode()
	case 5: // it knows no such request
		frame = (&consensus.Refusal{Code: consensus.RefusedMalformed}).Encode()
	case 4: // in the name of an honest replica: the channel says otherwise
		reply.Replica = (id + 1) % consensus.ReplicaID(w.n)
		frame = reply.Encode()
	}
	for range rapid.IntRange(1, 3).Draw(w.t, "times") {
		w.toUs = append(w.toUs, Send{To: id, Bytes: frame})
	}
}

// take removes a message of the network's choice; lost and doubled are drawn, too.
func (w *world) take(list *[]Send) (Send, bool) {
	i := rapid.IntRange(0, len(*list)-1).Draw(w.t, "message")
	m := (*list)[i]
	fate := 0
	if !w.healed {
		fate = rapid.IntRange(0, 5).Draw(w.t, "fate")
	}
	if fate != 1 {
		*list = append((*list)[:i:i], (*list)[i+1:]...)
	}
	return m, fate != 2
}

func (w *world) step() {
	switch k := rapid.IntRange(0, 19).Draw(w.t, "step"); {
	case k < 8 && len(w.toThem) > 0:
		if m, arrives := w.take(&w.toThem); arrives {
			w.arrive(m)
		}
	case k < 15 && len(w.toUs) > 0:
		if m, arrives := w.take(&w.toUs); arrives {
			w.s.Receive(m.To, m.Bytes)
		}
	case k == 16 && !w.healed:
		w.s.Disconnected(consensus.ReplicaID(rapid.IntRange(0, w.n-1).Draw(w.t, "who")))
	case k == 17 && !w.healed:
		w.s.Connected(consensus.ReplicaID(rapid.IntRange(0, w.n-1).Draw(w.t, "who")))
	case k == 18 && !w.healed:
		w.view++
	default:
		w.now += consensus.Time(rapid.IntRange(1, 700).Draw(w.t, "ms")) * millisecond
		w.s.Advance(w.now)
	}
}
