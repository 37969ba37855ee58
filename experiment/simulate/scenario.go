package simulate

import (
	"fmt"
	"iter"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/course"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// ScenarioResult is what came of a scenario.
type ScenarioResult struct {
	Outcome    string // in the words of Outcome.Word
	Safe       bool
	Violations []string
	Sets       []SetResult
}

// SetResult is what there was to see when a set was over. Its tables have a
// heading and a row for each replica, but for Views: a row for each NEW-VIEW.
type SetResult struct {
	Answers []Answer
	Log     [][]string
	State   [][]string
	Status  [][]string
	Views   [][]string
}

// Answer is a request with what its client believes of it.
type Answer struct{ Request, Result string }

// unanswered is the result of a request that nobody has answered by the end.
const unanswered = "no answer"

// maxPlayers bounds the clients of a scenario: accounts share them.
const maxPlayers = 16

// apart is the time between two requests of a set.
const apart = 300 * sim.Millisecond

// RunScenario runs a scenario in the simulator, on the key-value store: one client for
// each account that pays, its requests one after the other. Errors wrap ErrSpec.
func RunScenario(s *spec.Scenario) (*ScenarioResult, error) {
	t := newTheatre(s)
	defer t.close()
	x := t.spec()
	if err := x.Complete(); err != nil {
		return nil, err
	}
	c := config(&x)
	c.Workload.Clients, c.Workload.Invoked = len(t.players), 1
	c.Timing.Storm = t.begins[len(s.Sets)]
	c.Application, c.Ask, c.Watch = kv.Store{}, t.ask, t.watch
	w, err := world(&x, c)
	if err != nil {
		return nil, err
	}
	t.world, t.slots = w, course.NewSlotTable(x.UnderTest(), w.Genesis(), t.texts)
	o := outcomeOf(w, w.Run())
	for t.set < len(s.Sets) {
		t.curtain()
	}
	p := &ScenarioResult{Outcome: o.Word(), Safe: o.Verdict.Safe(), Sets: t.records, Violations: []string{}}
	for _, v := range o.Verdict.Violations {
		p.Violations = append(p.Violations, v.String())
	}
	return p, nil
}

// theatre is a scenario in play.
type theatre struct {
	scenario *spec.Scenario
	begins   []consensus.Time // of each set, and the end of the last
	players  []*player
	world    *sim.World
	slots    *course.SlotTable
	texts    map[string]string // operations, as they were written in the scenario
	set      int               // that is going on
	records  []SetResult
	answers  [][]string                       // results, by set and request
	left     map[consensus.ReplicaID][]string // what those who crashed held then, by keys
}

// player is one client with its requests.
type player struct {
	parts  []part
	next   func() (cue, bool)
	stop   func()
	before consensus.Result // of the operation before
}

// part is one request of a player.
type part struct {
	set, number int // number -1: the opening of the accounts
	request     spec.Request
	at          consensus.Time
}

// cue is one operation to invoke.
type cue struct {
	op []byte
	at consensus.Time
}

func newTheatre(s *spec.Scenario) *theatre {
	t := &theatre{scenario: s, texts: map[string]string{}, begins: []consensus.Time{opening}, left: map[consensus.ReplicaID][]string{}}
	seats := map[string]int{}
	if accounts := s.Accounts(); s.Balance > 0 && len(accounts) > 0 {
		seats[accounts[0]] = 0
		t.players = append(t.players, &player{parts: []part{{number: -1}}})
	}
	for i := range s.Sets {
		x := &s.Sets[i]
		begin := t.begins[i]
		t.begins = append(t.begins, begin+x.Span())
		t.answers = append(t.answers, make([]string, len(x.Requests)))
		for n, r := range x.Requests {
			seat, known := seats[r.Args[0]]
			if !known {
				seat = len(seats) % maxPlayers
				seats[r.Args[0]] = seat
			}
			for len(t.players) <= seat {
				t.players = append(t.players, &player{})
			}
			t.players[seat].parts = append(t.players[seat].parts, part{set: i, number: n, request: r, at: begin + consensus.Time(n)*apart})
		}
	}
	if len(t.players) == 0 {
		t.players = []*player{{}}
	}
	for i, p := range t.players {
		p.next, p.stop = iter.Pull(t.play(i))
	}
	return t
}

// opening is how long the accounts have to be opened.
const opening = sim.Second

func (t *theatre) close() {
	for _, p := range t.players {
		p.stop()
	}
}

// spec says who is down and who lies when. A replica that is down in several
// sets in a row stays down.
func (t *theatre) spec() spec.Spec {
	s := t.scenario
	out := spec.Spec{Protocol: protocol.PBFT, Replicas: s.Replicas, Clients: len(t.players), Seed: s.Seed}
	for i := range s.Replicas {
		id := consensus.ReplicaID(i)
		var acts []sim.Act
		from := -1
		for k := range s.Sets {
			x := &s.Sets[k]
			down := !x.Lives(id)
			if down && from < 0 {
				from = k
			}
			if from >= 0 && !down {
				out.Faults = append(out.Faults, sim.Fault{At: t.begins[from], Lasts: t.begins[k] - t.begins[from], Kind: sim.FaultCrash, Replicas: []consensus.ReplicaID{id}})
				from = -1
			}
			if b := x.Byzantine[id]; len(b) > 0 || len(acts) > 0 {
				acts = append(acts, sim.Act{From: t.begins[k], Behaviours: b})
			}
		}
		if from >= 0 {
			out.Faults = append(out.Faults, sim.Fault{At: t.begins[from], Kind: sim.FaultCrash, Replicas: []consensus.ReplicaID{id}})
		}
		if len(acts) > 0 {
			out.Traitors = append(out.Traitors, sim.Traitor{Replica: id, Acts: acts})
		}
	}
	return out
}

// ask is what a client invokes next.
func (t *theatre) ask(client int, before *consensus.Result) ([]byte, consensus.Time, bool) {
	p := t.players[client]
	if before != nil {
		p.before = *before
	}
	c, ok := p.next()
	return c.op, c.at, ok
}

// watch sees what happens, and lets the curtain fall between the sets.
func (t *theatre) watch(s sim.Step) {
	for t.set+1 < len(t.scenario.Sets) && s.At >= t.begins[t.set+1] {
		t.curtain()
	}
	if i := t.slots.Replica(s.To); s.Kind == sim.StepDeliver && s.At >= t.begins[0] && i >= 0 && !t.scenario.Sets[t.set].Lives(consensus.ReplicaID(i)) {
		return // nobody is there
	}
	if i := t.slots.Replica(s.From); s.Kind == sim.StepFault && s.Text == string(sim.FaultCrash) && i >= 0 {
		id := consensus.ReplicaID(i) // it is told just before
		t.left[id] = t.held(id)
	}
	t.slots.Step(s)
}

// curtain notes what there is to see at the end of a set.
func (t *theatre) curtain() {
	x := &t.scenario.Sets[t.set]
	var r SetResult
	for n, request := range x.Requests {
		result := t.answers[t.set][n]
		if result == "" {
			result = unanswered
		}
		r.Answers = append(r.Answers, Answer{request.String(), result})
	}
	r.Log, r.Status, r.Views = t.slots.Log(), t.slots.Status(), t.slots.Views()
	r.State = t.state()
	t.records = append(t.records, r)
	t.set++
}

// state is a table of the keys that the scenario names, replica by replica. Who
// is down is marked, and stands there with what it held when it crashed.
func (t *theatre) state() [][]string {
	rows := [][]string{append([]string{""}, t.scenario.Keys()...)}
	for i := range t.scenario.Replicas {
		id := consensus.ReplicaID(i)
		name, values := fmt.Sprintf("R%d", i), t.left[id]
		if t.scenario.Sets[t.set].Lives(id) {
			values = t.held(id)
		} else {
			name += " (down)"
		}
		rows = append(rows, append([]string{name}, values...))
	}
	return rows
}

// held is what a replica that is up holds under the keys of the scenario.
func (t *theatre) held(id consensus.ReplicaID) (values []string) {
	for _, key := range t.scenario.Keys() {
		text := "-"
		if data, ok := t.world.Value(id, key); ok {
			if e, found, err := kv.ParseGet(data); err == nil && found {
				text = string(e.Value)
			}
		}
		values = append(values, text)
	}
	return values
}
