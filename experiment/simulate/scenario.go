package simulate

import (
	"fmt"
	"iter"
	"slices"

	"quorate.dev/quorate/app"
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

// scenarioProtocol is what the sets of courses are about.
const scenarioProtocol = protocol.PBFT

// SetResult is what there was to see when a set was over. Its tables have a
// heading and a row for each replica, but for Views: a row for each NEW-VIEW.
type SetResult struct {
	Answers []Answer
	Log     [][]string
	State   [][]string
	Status  [][]string
	Views   [][]string
	Short   string // that too few replicas were up; "" if they were enough
}

// Answer is a request with what its client believes of it.
type Answer struct{ Request, Result string }

// unanswered is the result of a request that nobody has answered by the end.
const unanswered = "no answer"

// maxClients bounds the clients of a scenario: accounts share them.
const maxClients = 16

// apart is the time between two requests of a set.
const apart = 300 * sim.Millisecond

// RunScenario runs the sets of a scenario in the simulator, on an application; nil
// is the key-value store: one client for each account that pays, its requests one
// after the other. Errors wrap ErrSpec or ErrScenario.
func RunScenario(s *spec.Scenario, a app.Application) (*ScenarioResult, error) {
	if len(s.Sets) == 0 {
		return nil, &spec.ScenarioError{File: s.File, Text: "0 sets: write at least one, beginning with [[set]]"}
	}
	if !slices.ContainsFunc(s.Sets, func(x spec.Set) bool { return len(x.Requests) > 0 }) {
		return nil, &spec.ScenarioError{File: s.File, Text: "no set has a request, so that nothing would be judged: write requests = [\"put KEY VALUE\"] in one"}
	}
	under, err := protocol.Lookup(scenarioProtocol)
	if err != nil {
		return nil, err
	}
	if err := s.Fits(under); err != nil {
		return nil, err
	}
	t := newScenarioRun(s)
	t.under = under
	defer t.close()
	x, err := t.spec()
	if err != nil {
		return nil, err
	}
	if err := x.Complete(); err != nil {
		return nil, err
	}
	c, err := config(&x)
	if err != nil {
		return nil, err
	}
	if a == nil {
		a = kv.Store{}
	}
	c.Workload.Clients, c.Workload.Invoked = len(t.clients), 1
	c.Timing.Safety = t.begins[len(s.Sets)]
	c.Application, c.Ask, c.Watch = a, t.ask, t.watch
	w, err := world(&x, c)
	if err != nil {
		return nil, err
	}
	t.world, t.faults, t.slots = w, c.Faults, course.NewSlotTable(x.UnderTest(), w.Genesis(), t.texts)
	o := outcomeOf(w, w.Run())
	for t.set < len(s.Sets) {
		t.endSet()
	}
	return &ScenarioResult{Outcome: o.Word(), Safe: o.Verdict.Safe(), Sets: t.records, Violations: o.Violations()}, nil
}

// scenarioRun is a scenario while it runs.
type scenarioRun struct {
	scenario *spec.Scenario
	under    protocol.Protocol
	begins   []consensus.Time // of each set, and the end of the last
	clients  []*scenarioClient
	world    *sim.World
	faults   []sim.Fault
	slots    *course.SlotTable
	texts    map[string]string // operations, as they were written in the scenario
	set      int               // that is going on
	records  []SetResult
	answers  [][]string                       // results, by set and request
	left     map[consensus.ReplicaID][]string // what those who crashed held then, by keys
}

// scenarioClient is one client with its requests.
type scenarioClient struct {
	tasks  []task
	next   func() (operation, bool)
	stop   func()
	before consensus.Result // of the operation before
}

// task is one request of a client.
type task struct {
	set, number int // number -1: the opening of the accounts
	request     spec.Request
	at          consensus.Time
}

// operation is what a client invokes next, and not before a moment.
type operation struct {
	bytes []byte
	at    consensus.Time
}

func newScenarioRun(s *spec.Scenario) *scenarioRun {
	t := &scenarioRun{scenario: s, texts: map[string]string{}, begins: []consensus.Time{opening}, left: map[consensus.ReplicaID][]string{}}
	clients := map[string]int{} // by what they ask about
	raw := map[string]int{}     // how often an operation was written
	if accounts := s.Accounts(); s.Balance > 0 && len(accounts) > 0 {
		clients[accounts[0]] = 0
		t.clients = []*scenarioClient{{tasks: []task{{number: -1}}}}
	}
	for i := range s.Sets {
		x := &s.Sets[i]
		begin := t.begins[i]
		t.begins = append(t.begins, begin+x.Span())
		t.answers = append(t.answers, make([]string, len(x.Requests)))
		for n, r := range x.Requests {
			client, known := clients[r.Args[0]]
			switch {
			case r.Verb == spec.Invoke: // nobody asks twice for equal bytes
				client = raw[r.String()] % maxClients
				raw[r.String()]++
			case !known:
				client = len(clients) % maxClients
				clients[r.Args[0]] = client
			}
			for len(t.clients) <= client {
				t.clients = append(t.clients, &scenarioClient{})
			}
			t.clients[client].tasks = append(t.clients[client].tasks, task{set: i, number: n, request: r, at: begin + consensus.Time(n)*apart})
		}
	}
	if len(t.clients) == 0 {
		t.clients = []*scenarioClient{{}}
	}
	for i, c := range t.clients {
		c.next, c.stop = iter.Pull(t.operations(i))
	}
	return t
}

// opening is how long the accounts have to be opened.
const opening = sim.Second

func (t *scenarioRun) close() {
	for _, c := range t.clients {
		c.stop()
	}
}

// spec says who is down and who lies when. A replica that is down in several
// sets in a row stays down. Faults count from the first set on.
func (t *scenarioRun) spec() (spec.Spec, error) {
	s := t.scenario
	out := spec.Spec{Protocol: scenarioProtocol, Replicas: s.Replicas, Clients: len(t.clients), Seed: s.Seed}
	for i := range s.Replicas {
		id := consensus.ReplicaID(i)
		var acts []sim.Assignment
		up := true
		for k := range s.Sets {
			x := &s.Sets[k]
			if x.Lives(id) != up {
				out.Faults = append(out.Faults, spec.Fault{At: t.begins[k], Kind: spec.Crash, Ends: !up, Replicas: []consensus.ReplicaID{id}})
				up = !up
			}
			if b := x.Byzantine[id]; len(b) > 0 || len(acts) > 0 {
				acts = append(acts, sim.Assignment{From: t.begins[k], Behaviours: b})
			}
		}
		if len(acts) > 0 {
			out.Traitors = append(out.Traitors, sim.Traitor{Replica: id, Schedule: acts})
		}
	}
	begin := t.begins[0]
	faults, err := s.FaultsFor(out.UnderTest(), s.Replicas, t.begins[len(s.Sets)]-begin)
	for _, f := range faults {
		f.At += begin
		out.Faults = append(out.Faults, f)
	}
	return out, err
}

// ask is what a client invokes next.
func (t *scenarioRun) ask(client int, before *consensus.Result) ([]byte, consensus.Time, bool) {
	c := t.clients[client]
	if before != nil {
		c.before = *before
	}
	o, ok := c.next()
	return o.bytes, o.at, ok
}

// watch sees what happens, and when a set is over.
func (t *scenarioRun) watch(s sim.Step) {
	for t.set+1 < len(t.scenario.Sets) && s.At >= t.begins[t.set+1] {
		t.endSet()
	}
	if i := t.slots.Replica(s.To); s.Kind == sim.StepDeliver && i >= 0 && t.down(consensus.ReplicaID(i), s.At) {
		return // nobody is there
	}
	if i := t.slots.Replica(s.From); s.Kind == sim.StepFault && s.Text == string(sim.FaultCrash) && i >= 0 {
		id := consensus.ReplicaID(i) // it is told just before
		t.left[id] = t.held(id)
	}
	t.slots.Step(s)
}

// down reports whether a replica is crashed at a moment.
func (t *scenarioRun) down(id consensus.ReplicaID, at consensus.Time) bool {
	return slices.ContainsFunc(t.faults, func(f sim.Fault) bool {
		return f.Kind == sim.FaultCrash && slices.Contains(f.Replicas, id) && at >= f.At && (f.Lasts == 0 || at < f.At+f.Lasts)
	})
}

// endSet notes what there is to see at the end of a set.
func (t *scenarioRun) endSet() {
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
	r.Short = x.Short(t.under.Model.System(t.scenario.Replicas))
	t.records = append(t.records, r)
	t.set++
}

// state is a table of the keys that the scenario names, replica by replica. Who
// is down is marked, and stands there with what it held when it crashed.
func (t *scenarioRun) state() [][]string {
	rows := [][]string{append([]string{""}, t.scenario.Keys()...)}
	for i := range t.scenario.Replicas {
		id := consensus.ReplicaID(i)
		name, values := fmt.Sprintf("R%d", i), t.left[id]
		if t.down(id, t.begins[t.set+1]-1) {
			name += " (down)"
		} else {
			values = t.held(id)
		}
		rows = append(rows, append([]string{name}, values...))
	}
	return rows
}

// held is what a replica that is up holds under the keys of the scenario.
func (t *scenarioRun) held(id consensus.ReplicaID) (values []string) {
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
