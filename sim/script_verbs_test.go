package sim

import (
	"fmt"
	"strconv"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// Script drives a world by hand, for golden traces: nothing moves but what its
// verbs move. A frame that was sent waits until it is delivered or dropped;
// time passes by ticks; syncs and executions take no time.
//
//	cluster n=4 k=4 l=8 batch=1 clients=1 patience=20 seed=1 [traitor=0,2 [lie=equivocate]]
//	cluster protocol=raft n=3 ... [prevote=off] [checkquorum=off]
//	cluster protocol=paxos n=3 ... [sticky=off] [backoff=off] [leaders=any]
//	submit [client=0] [to=0|to=all] [op=add] [key=0]    a client sends a request
//	read [client=0] [to=0] [key=0] [floor=3]            ... a READ, to all or one; with a floor its last one again
//	tick N [1,2]                            N ticks pass, for all or some replicas
//	deliver [from->to] [KIND] [rounds=N]    deliver what waits and what that brings about
//	drop [from->to] [KIND]                  lose what waits
//	lose [from->to] [KIND]                  ... and whatever is like it, until heal or keep
//	partition 0,1 | 2,3      isolate 2      silent 0      deaf 0      heal      keep
//	crash 1     restart 1     wipe 1     pause 1     resume 1     power-loss
//	run-until executed=5 | view=1 [of=1,2] [ticks=1000] [show=KIND,KIND]
//	                                        deliver and tick until all have got there
//	wait N [show=KIND,KIND]                 deliver and tick for N ticks
//	elect 0                                 its patience ends before that of others, and it is elected (Raft, Paxos)
//	status     notes     waiting
//	verdict                                 how the judge decides, once, at the end
//
// Members of Raft lie by the verbs of script_raft_test.go. Which of them are traitors
// is said when the cluster is made (traitor=2): the judge judges the honest. What
// theory foresees with such traitors is printed as JUDGE, all else as VIOLATION.
//
// From and to are replicas as numbers, clients as C0, lists by commas, or *.
// KIND is the beginning of a frame's description. Frames over a cut link are
// lost. What engines ignore is not shown, unless the cluster says verbose=1.
type Script struct {
	world     *World
	notes     []string
	lost      []filter // standing losses
	shown     int      // violations already printed
	scripted  []*scriptedClient
	asked     map[string]*consensus.Request
	histories map[consensus.ReplicaID]*forgedHistory
}

// NewScript makes a script. The cluster verb comes first.
func NewScript() *Script { return &Script{} }

// Do performs one verb and returns what there is to see. What is wrong with
// the line comes back as text as well: a script is written by a person.
func (s *Script) Do(line string) string {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return ""
	}
	a := args{words: fields[1:]}
	if fields[0] == "cluster" {
		return s.cluster(a)
	}
	verb := verbs[fields[0]]
	switch {
	case verb == nil:
		return fmt.Sprintf("unknown verb %q\n", fields[0])
	case s.world == nil:
		return "there is no cluster yet\n"
	}
	var out string
	s.world.guard(func() { out = verb(s, a) })
	return out + s.violations()
}

var verbs = map[string]func(*Script, args) string{
	"submit": (*Script).submit, "read": (*Script).read, "tick": (*Script).tick, "deliver": (*Script).deliver, "drop": (*Script).drop,
	"partition": (*Script).partition, "isolate": (*Script).isolate, "silent": (*Script).silent, "deaf": (*Script).deaf,
	"heal": (*Script).heal, "lose": (*Script).lose, "keep": (*Script).keep, "crash": (*Script).crash, "restart": (*Script).restart, "wipe": (*Script).wipe,
	"pause": (*Script).pause, "resume": (*Script).resume, "power-loss": (*Script).powerLoss,
	"run-until": (*Script).runUntil, "wait": (*Script).wait, "status": (*Script).status, "notes": (*Script).takeNotes, "waiting": (*Script).waiting,
	"verdict": (*Script).verdict, "elect": (*Script).elect, "forge": (*Script).forge, "rewrite": (*Script).rewrite, "fable": (*Script).makeHistory,
}

// args are the words after a verb: positional ones and key=value.
type args struct{ words []string }

func (a args) value(key string) (string, bool) {
	for _, w := range a.words {
		if v, ok := strings.CutPrefix(w, key+"="); ok {
			return v, true
		}
	}
	return "", false
}

func (a args) number(key string, otherwise int) int {
	if v, ok := a.value(key); ok {
		if n, err := strconv.Atoi(v); err == nil {
			return n
		}
	}
	return otherwise
}

// positional returns the words that are not key=value.
func (a args) positional() []string {
	var ws []string
	for _, w := range a.words {
		if !strings.Contains(w, "=") {
			ws = append(ws, w)
		}
	}
	return ws
}

// kinds returns the words of a filter: everything but options of the verb, as
// descriptions hold words such as n=1.
func (a args) kinds() []string {
	var ws []string
	for _, w := range a.words {
		if !strings.HasPrefix(w, "rounds=") {
			ws = append(ws, w)
		}
	}
	return ws
}

// cluster makes a new world with everything quick and nothing random left.
func (s *Script) cluster(a args) string {
	n := a.number("n", 4)
	c := Config{
		Seed: uint64(a.number("seed", 1)), Protocol: protocol.PBFT, Replicas: n, Trust: Trust{Faults: (n - 1) / 3},
		Interval: consensus.Seq(a.number("k", 4)), Window: consensus.Seq(a.number("l", 8)), Limits: consensus.DefaultLimits(),
		Timing:   Timing{Tick: 10 * Millisecond, Patience: a.number("patience", 20), Skew: 2 * Second},
		Workload: Workload{Clients: a.number("clients", 1), Callers: 1, Operations: 1, Keys: 1},
		Disk:     Disks{Segment: a.number("segment", 8)},
	}
	c.Timing.PatienceCap = a.number("cap", 8*c.Timing.Patience)
	c.Limits.BatchRequests = a.number("batch", 1)
	if p, ok := a.value("protocol"); ok {
		c.Protocol, c.Trust.Faults = p, (n-1)/2
	}
	off := func(key string) bool { return first(a.value(key)) == "off" }
	c.Timing.Elections = protocol.Elections{
		NoPreVote: off("prevote"), NoCheckQuorum: off("checkquorum"), NoStickiness: off("sticky"), NoBackoff: off("backoff"), AnyLeader: first(a.value("leaders")) == "any",
	}
	if list, ok := a.value("traitor"); ok {
		for _, word := range strings.Split(list, ",") {
			id, err := strconv.Atoi(word)
			if err != nil || id < 0 || id >= n {
				return fmt.Sprintf("there is no replica %q to be a traitor\n", word)
			}
			t := Traitor{Replica: consensus.ReplicaID(id)}
			if lie, ok := a.value("lie"); ok {
				t.Schedule = []Assignment{{Behaviours: []string{lie}}}
			}
			c.Traitors = append(c.Traitors, t)
		}
	}
	return s.begin(c, a.number("verbose", 0) != 0)
}

// begin makes the world and starts its replicas.
func (s *Script) begin(c Config, verbose bool) string {
	w, err := New(c)
	if err != nil {
		return err.Error() + "\n"
	}
	*s = Script{world: w, asked: map[string]*consensus.Request{}, histories: map[consensus.ReplicaID]*forgedHistory{}}
	w.net.manual = true
	w.tell = func(kind consensus.NoteKind, line string) {
		if verbose || kind != consensus.Ignored {
			s.notes = append(s.notes, line)
		}
	}
	w.scheduleTraitors()
	for _, c := range w.clients {
		h := &scriptedClient{client: c}
		c.replied, c.told = h.reply, h.finding
		s.scripted = append(s.scripted, h)
	}
	for _, r := range w.replicas {
		r.offset = 0
		r.start()
	}
	s.settle()
	return fmt.Sprintf("%d replicas, %d may fail, checkpoint every %d, window %d\n", c.Replicas, c.Trust.Faults, c.Interval, c.Window) + s.violations()
}

// settle lets everything happen that needs no delivery and no tick.
func (s *Script) settle() {
	for s.world.clock.advance() {
		continue
	}
}

// violations prints what is new among them: what theory allows for the
// cluster's traitors is the judge's word and no failure.
func (s *Script) violations() string {
	if s.world == nil {
		return ""
	}
	var b strings.Builder
	all := s.world.checks.all
	for ; s.shown < len(all); s.shown++ {
		if v := all[s.shown]; s.world.theory.allows(v) {
			fmt.Fprintf(&b, "JUDGE %s: %s\n", v.Kind, v.Text)
		} else {
			fmt.Fprintf(&b, "VIOLATION %s\n", v.Text)
		}
	}
	return b.String()
}

// failed reports whether something happened that theory does not allow.
func (s *Script) failed() bool { return len(s.world.theory.forbidden(s.world.checks.all)) > 0 }

// verdict ends a script: whether there was a fork, and whom evidence names, with
// what it proves.
func (s *Script) verdict(args) string {
	w := s.world
	v := w.checks.judge.Verdict(w.at())
	out := "no fork"
	if v.Forked {
		out = fmt.Sprintf("FORK at n=%d", v.ForkAt)
	}
	culprits := "nobody"
	if len(v.Culprits) > 0 {
		culprits = fmt.Sprint(v.Culprits)
	}
	out = fmt.Sprintf("%s; traitors: %d of %d; evidence names %s\n", out, len(w.cfg.Traitors), w.cfg.Replicas, culprits)
	for _, e := range v.Evidence {
		out += fmt.Sprintf("PROOF %s\n", e.Fault)
	}
	return out
}

// submit lets a client send one request, to one replica or to all.
func (s *Script) submit(a args) string {
	w := s.world
	h := s.scripted[a.number("client", 0)%len(w.clients)]
	kind, known := map[string]byte{
		"": opAdd, "add": opAdd, "append": opAppend, "swap": opSwap, "read": opRead, "delete": opDelete, "fail": opFail, "panic": opPanic,
	}[first(a.value("op"))]
	if !known {
		return "op is add, append, swap, read, delete, fail or panic\n"
	}
	op := token{client: h.client.index, counter: h.counter + 1}.append([]byte{kind, byte(a.number("key", 0))})
	to := first(a.value("to"))
	if id, err := strconv.Atoi(to); err == nil && id >= 0 && id < len(w.replicas) {
		h.primary = consensus.ReplicaID(id)
	}
	r := h.ask(op, to == "all")
	s.asked[w.label(r)] = r
	return w.label(r) + "\n"
}

func first(v string, _ bool) string { return v }

// tick lets ticks pass, for all replicas or for those named.
func (s *Script) tick(a args) string {
	words := a.positional()
	n := 1
	if len(words) > 0 {
		var err error
		if n, err = strconv.Atoi(words[0]); err != nil || n < 1 || n > 100_000 {
			return "tick wants a number of ticks\n"
		}
	}
	chosen := s.world.replicas
	if len(words) > 1 {
		var err error
		if chosen, err = s.replicas(words[1]); err != nil {
			return err.Error() + "\n"
		}
	}
	for range n {
		s.world.clock.now += s.world.cfg.Timing.Tick
		for _, r := range chosen {
			if r.up() {
				r.process.tick = true
				r.wake()
			}
		}
		s.settle()
	}
	return s.takeNotes(args{})
}

// replicas reads a list such as 0,2 or *.
func (s *Script) replicas(list string) ([]*replica, error) {
	if list == "*" {
		return s.world.replicas, nil
	}
	var rs []*replica
	for _, word := range strings.Split(list, ",") {
		id, err := strconv.Atoi(strings.TrimPrefix(word, "R"))
		if err != nil || id < 0 || id >= len(s.world.replicas) {
			return nil, fmt.Errorf("there is no replica %q", word)
		}
		rs = append(rs, s.world.replicas[id])
	}
	return rs, nil
}

// status prints where every replica stands.
func (s *Script) status(args) string {
	var b strings.Builder
	for _, r := range s.world.replicas {
		if !r.up() {
			fmt.Fprintf(&b, "%v down\n", r)
			continue
		}
		st := r.driver.Status()
		fmt.Fprintf(&b, "%v %s executed=%d applied=%d stable=%d kept=%d pending=%d", r, s.era(&st), st.Executed, st.Applied, st.Stable, st.Kept, st.Pending)
		for _, f := range []struct {
			on   bool
			text string
		}{{st.Changing && !s.elected(), " changing"}, {st.Rejoining, " rejoining"}, {st.Fetching != 0, fmt.Sprintf(" fetching=%d", st.Fetching)}, {r.health.paused, " paused"}} {
			if f.on {
				b.WriteString(f.text)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// era is who leads and since when, in the words of the protocol.
func (s *Script) era(st *consensus.Status) string {
	era := fmt.Sprintf("%s=%d", s.world.protocol.Words.View, st.View)
	switch {
	case !s.elected():
		return era
	case st.Changing:
		return era + " leader=?"
	}
	return fmt.Sprintf("%s leader=R%d", era, st.Primary)
}

// elected reports whether the cluster elects its leaders.
func (s *Script) elected() bool { return s.world.protocol.Elected }

// takeNotes prints the notes since the last time.
func (s *Script) takeNotes(args) string {
	notes := s.notes
	s.notes = nil
	if len(notes) == 0 {
		return ""
	}
	return strings.Join(notes, "\n") + "\n"
}
