package decree

import (
	"slices"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/sim"
)

// Cures of dueling proposers.
const (
	noCure  = "none"    // who is preempted prepares a higher ballot at once
	backoff = "backoff" // ... after a random time
	leader  = "leader"  // one proposes, others only if it is silent
)

// timing is how long what takes.
type timing struct {
	network  sim.NetworkModel
	body     int            // bytes of a value, in an ACCEPT
	starts   consensus.Time // proposers begin at a random time up to this
	window   consensus.Time // who is preempted waits one to two of it, with backoff
	patience consensus.Time // after which a proposer or a learner without news begins again
}

// world has the participants on the simulator's clock and network.
type world struct {
	shape     Shape
	timing    timing
	cure      string
	net       *sim.Net
	proposers []proposer
	acceptors []acceptor
	learners  []learner
	ledger    ledger
	crashed   map[int]bool // ends
	steps     []Step       // if they are kept
	keep      bool
	open      map[message]int // the step of a message to several
}

// Step is a thing that happened in a run.
type Step struct {
	Millis float64  `json:"at_ms"`
	Kind   string   `json:"kind"` // message, chosen, knows or crash
	From   string   `json:"from"`
	To     []string `json:"to,omitempty"`
	Lost   []string `json:"lost,omitempty"` // to whom it was sent in vain, or is still under way
	Text   string   `json:"text"`
	Value  string   `json:"value,omitempty"`

	at       time.Duration
	from     int
	to, lost []int
}

func newWorld(s Shape, seed uint64, t timing, cure string) *world {
	w := &world{
		shape: s, timing: t, cure: cure, acceptors: make([]acceptor, s.Acceptors), learners: make([]learner, s.Learners),
		crashed: map[int]bool{}, open: map[message]int{},
	}
	w.net = sim.NewNet(seed, t.network, s.ends(), func(_, _ int, frame []byte) { w.arrive(decode(frame)) })
	for id := range s.Proposers {
		w.proposers = append(w.proposers, proposer{id: id})
		if cure == leader && id > 0 {
			w.watch(id)
			continue
		}
		w.net.After(w.net.Draw(t.starts), func() { w.prepare(id) })
	}
	return w
}

// prepare lets a proposer begin an attempt, and another if nothing comes of it.
func (w *world) prepare(id int) {
	p := &w.proposers[id]
	if p.knows {
		return
	}
	w.send(p.prepare(w.shape))
	w.watch(id)
}

// watch lets a proposer begin again unless there was an attempt, or an end, within
// its patience.
func (w *world) watch(id int) {
	rounds := w.proposers[id].rounds
	w.net.After(w.timing.patience+w.net.Draw(w.timing.patience), func() {
		if w.proposers[id].rounds == rounds {
			w.prepare(id)
		}
	})
}

// inquire lets a learner that knows nothing ask the proposers, until it does.
func (w *world) inquire(i int) {
	w.net.After(w.timing.patience, func() {
		if w.learners[i].knows != 0 {
			return
		}
		var all []message
		for p := range w.shape.Proposers {
			all = append(all, message{Kind: inquiry, From: uint8(w.shape.learner(i)), To: uint8(p)})
		}
		w.send(all)
		w.inquire(i)
	})
}

// send puts messages under way.
func (w *world) send(all []message) {
	for _, m := range all {
		body := 0
		if m.Kind == accept {
			body = w.timing.body
		}
		w.net.Send(int(m.From), int(m.To), m.encode(body))
		w.sent(m)
	}
}

// arrive hands a message to its receiver, who answers.
func (w *world) arrive(m message) {
	if w.crashed[int(m.To)] {
		return
	}
	w.arrived(m)
	switch to := int(m.To); {
	case to < w.shape.Proposers:
		w.propose(to, m)
	case to < w.shape.learner(0):
		for _, answer := range w.acceptors[to-w.shape.Proposers].hear(w.shape, m) {
			if answer.Kind == accepted && w.ledger.hear(w.shape, answer) {
				c := w.ledger.chosen[len(w.ledger.chosen)-1]
				w.step(Step{Kind: "chosen", from: to, Text: w.shape.chosen(c), Value: c.value.String()})
			}
			w.send([]message{answer})
		}
	default:
		if w.learners[to-w.shape.learner(0)].hear(w.shape, m) {
			w.step(Step{Kind: "knows", from: to, Text: w.shape.name(to) + " knows: " + m.Value.String(), Value: m.Value.String()})
		}
	}
}

// propose hands a message to a proposer; who is preempted does as the cure says.
func (w *world) propose(id int, m message) {
	p := &w.proposers[id]
	if m.Kind == inquiry {
		if p.knows {
			p.knows = false
			w.prepare(id) // the value is chosen, and so are the votes by which it is learnt
		}
		return
	}
	out, preempted := p.hear(w.shape, m)
	w.send(out)
	switch {
	case !preempted:
	case w.cure == noCure:
		w.prepare(id)
	default:
		rounds := p.rounds
		w.net.After(w.timing.window+w.net.Draw(w.timing.window), func() {
			if p.rounds == rounds {
				w.prepare(id)
			}
		})
	}
}

// rounds are the attempts of all proposers together.
func (w *world) rounds() (n int) {
	for i := range w.proposers {
		n += w.proposers[i].rounds
	}
	return n
}

// known reports whether every learner knows.
func (w *world) known() bool {
	return !slices.ContainsFunc(w.learners, func(l learner) bool { return l.knows == 0 })
}

// step keeps what happened.
func (w *world) step(s Step) {
	if !w.keep {
		return
	}
	s.at = time.Duration(w.net.Now())
	w.steps = append(w.steps, s)
}

// sent keeps a message: one step for all to whom the same is sent at a time.
func (w *world) sent(m message) {
	if !w.keep {
		return
	}
	to := int(m.To)
	m.To = 0
	i, same := w.open[m]
	if !same || w.steps[i].at != time.Duration(w.net.Now()) {
		i = len(w.steps)
		w.open[m] = i
		text := ""
		if m.Value != 0 {
			text = m.Value.String()
		}
		w.step(Step{Kind: "message", from: int(m.From), Text: m.words(), Value: text})
	}
	w.steps[i].lost = append(w.steps[i].lost, to)
}

// arrived notes that a message got to one of those to whom it was sent.
func (w *world) arrived(m message) {
	if !w.keep {
		return
	}
	to := int(m.To)
	m.To = 0
	s := &w.steps[w.open[m]]
	if at := slices.Index(s.lost, to); at >= 0 {
		s.lost = slices.Delete(s.lost, at, at+1)
		s.to = append(s.to, to)
	}
}

// told are the steps with the names of all.
func (w *world) told() []Step {
	for i := range w.steps {
		s := &w.steps[i]
		slices.Sort(s.to)
		s.Millis, s.From = float64(s.at)/1e6, w.shape.name(s.from)
		for _, to := range s.to {
			s.To = append(s.To, w.shape.name(to))
		}
		for _, to := range s.lost {
			s.Lost = append(s.Lost, w.shape.name(to))
		}
	}
	return w.steps
}
