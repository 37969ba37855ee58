package sim

import (
	"fmt"
	"strconv"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/raft"
)

// filter selects packets: from->to and the beginning of a description.
type filter struct {
	from, to string
	kind     string
}

// parseFilter reads the positional words of deliver and drop.
func parseFilter(words []string) filter {
	f := filter{from: "*", to: "*"}
	for _, w := range words {
		if from, to, ok := strings.Cut(w, "->"); ok {
			f.from, f.to = from, to
			continue
		}
		f.kind = strings.TrimSpace(f.kind + " " + w)
	}
	return f
}

func (f filter) matches(w *World, p packet) bool {
	return selects(f.from, w.name(p.from)) && selects(f.to, w.name(p.to)) &&
		(f.kind == "" || strings.HasPrefix(w.describe(p.bytes), f.kind))
}

// selects reports whether a list such as 0,R2,C0 or * names an endpoint.
func selects(list, name string) bool {
	if list == "*" || list == "" {
		return true
	}
	for _, word := range strings.Split(list, ",") {
		if word == name || "R"+word == name {
			return true
		}
	}
	return false
}

// take removes the packets that match from the pool, and loses those whose
// link is cut or that a standing loss names.
func (s *Script) take(f filter) []packet {
	n := s.world.net
	var taken, rest []packet
	for _, p := range n.pool {
		switch {
		case n.stops(p) || s.isLost(p):
		case f.matches(s.world, p):
			taken = append(taken, p)
		default:
			rest = append(rest, p)
		}
	}
	n.pool = rest
	return taken
}

func (s *Script) isLost(p packet) bool {
	for _, f := range s.lost {
		if f.matches(s.world, p) {
			return true
		}
	}
	return false
}

// lose drops what waits, and whatever is like it from now on.
func (s *Script) lose(a args) string {
	s.lost = append(s.lost, parseFilter(a.words))
	return ""
}

// keep ends all standing losses.
func (s *Script) keep(args) string {
	s.lost = nil
	return ""
}

// maxRounds bounds deliver: a protocol that never falls silent would otherwise
// never let go.
const maxRounds = 200

// deliver hands over, round by round, what waits and what that brings about.
// All frames of a round arrive before anybody steps, as in the figures of the
// paper.
func (s *Script) deliver(a args) string {
	f := parseFilter(a.kinds())
	var b strings.Builder
	for range a.number("rounds", maxRounds) {
		round := s.take(f)
		if len(round) == 0 {
			break
		}
		for _, p := range round {
			s.arrive(p)
		}
		b.WriteString(s.list(round))
		s.settle()
		b.WriteString(indent(s.takeNotes(args{})))
	}
	return b.String()
}

// drop loses packets.
func (s *Script) drop(a args) string {
	lost := s.take(parseFilter(a.words))
	return s.list(lost)
}

// waiting lists what could be delivered.
func (s *Script) waiting(args) string {
	all := s.take(filter{})
	s.world.net.pool = all
	return s.list(all)
}

// list prints packets, those of one frame to several on one line.
func (s *Script) list(ps []packet) string {
	var b strings.Builder
	for i := 0; i < len(ps); {
		p, text := ps[i], s.world.describe(ps[i].bytes)
		to := s.world.name(p.to)
		for i++; i < len(ps) && ps[i].from == p.from && s.alike(p, ps[i], text); i++ {
			to += "," + s.world.name(ps[i].to)
		}
		fmt.Fprintf(&b, "%s → %s  %s\n", s.world.name(p.from), to, text)
	}
	return b.String()
}

// alike reports whether two packets say the same. A message of Raft names its
// receiver, so that there the description decides.
func (s *Script) alike(p, q packet, text string) bool {
	if s.elected() && p.bytes[0] == raft.MessageKind {
		return p.to != q.to && s.world.describe(q.bytes) == text
	}
	return p.sum == q.sum
}

func indent(text string) string {
	if text == "" {
		return ""
	}
	return "    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ") + "\n"
}

// partition cuts all links between the sides: partition 0,1 | 2,3. Clients
// reach everybody.
func (s *Script) partition(a args) string {
	sides := strings.Split(strings.Join(a.words, ""), "|")
	for i, left := range sides {
		for j, right := range sides {
			if i != j {
				s.cut(left, right)
			}
		}
	}
	return ""
}

// cut severs the links from the replicas of one list to those of another.
func (s *Script) cut(from, to string) {
	w := s.world
	for i := range w.net.ends {
		for j := range w.net.ends {
			if selects(from, w.name(endpoint(i))) && selects(to, w.name(endpoint(j))) {
				w.net.cut[i*w.net.ends+j] = i != j
			}
		}
	}
}

func (s *Script) silent(a args) string {
	s.cut(strings.Join(a.words, ","), "*")
	return ""
}

func (s *Script) deaf(a args) string {
	s.cut("*", strings.Join(a.words, ","))
	return ""
}

func (s *Script) isolate(a args) string { return s.silent(a) + s.deaf(a) }

func (s *Script) heal(args) string {
	s.world.net.heal()
	return s.keep(args{})
}

// each performs something on the replicas that the words name.
func (s *Script) each(a args, f func(*replica)) string {
	rs, err := s.replicas(strings.Join(a.words, ","))
	if err != nil {
		return err.Error() + "\n"
	}
	for _, r := range rs {
		f(r)
	}
	s.settle()
	return s.takeNotes(args{})
}

func (s *Script) crash(a args) string   { return s.each(a, (*replica).stop) }
func (s *Script) restart(a args) string { return s.each(a, func(r *replica) { r.stop(); r.start() }) }
func (s *Script) wipe(a args) string    { return s.each(a, (*replica).wipe) }
func (s *Script) resume(a args) string  { return s.each(a, (*replica).resume) }
func (s *Script) pause(a args) string {
	return s.each(a, func(r *replica) { r.health.paused = r.up() })
}

// powerLoss kills and restarts everybody.
func (s *Script) powerLoss(args) string {
	all := args{words: []string{"*"}}
	return s.crash(all) + s.restart(all)
}

// runUntil delivers and ticks until the replicas have executed up to a height,
// or entered a view.
func (s *Script) runUntil(a args) string {
	rs := s.world.replicas
	if list, ok := a.value("of"); ok {
		var err error
		if rs, err = s.replicas(list); err != nil {
			return err.Error() + "\n"
		}
	}
	height, view := consensus.Seq(a.number("executed", 0)), consensus.View(a.number("view", 0))
	there := func() bool {
		for _, r := range rs {
			if !r.up() {
				return false
			}
			if st := r.driver.Status(); st.Applied < height || st.View < view || st.View == view && st.Changing {
				return false
			}
		}
		return true
	}
	return s.run(a.number("ticks", 1000), there, first(a.value("show")))
}

// wait delivers and ticks for a while.
func (s *Script) wait(a args) string {
	ticks, err := strconv.Atoi(strings.Join(a.positional(), ""))
	if err != nil || ticks < 1 {
		return "wait wants a number of ticks\n"
	}
	return s.pass(ticks, first(a.value("show")))
}

// pass delivers and ticks, whatever happens.
func (s *Script) pass(ticks int, show string) string {
	out := s.run(ticks, func() bool { return false }, show)
	return strings.TrimSuffix(out, fmt.Sprintf("not reached within %d ticks\n", ticks))
}

// run delivers everything, ticks, and so on, until there says so, and prints
// the notes on the way and the frames whose description begins as one of show.
func (s *Script) run(limit int, there func() bool, show string) string {
	var b strings.Builder
	for ticks := 0; !there(); ticks++ {
		if ticks == limit || s.failed() {
			fmt.Fprintf(&b, "not reached within %d ticks\n", ticks)
			break
		}
		for range maxRounds {
			round := s.take(filter{})
			if len(round) == 0 || there() {
				s.world.net.pool = append(round, s.world.net.pool...)
				break
			}
			for _, p := range round {
				s.arrive(p)
			}
			b.WriteString(s.list(s.worthShowing(round, show)))
			s.settle()
			b.WriteString(indent(s.takeNotes(args{})))
		}
		if !there() {
			b.WriteString(indent(s.tick(args{})))
		}
	}
	return b.String()
}

// worthShowing selects the packets of the kinds in a list.
func (s *Script) worthShowing(ps []packet, show string) []packet {
	var chosen []packet
	for _, p := range ps {
		for _, kind := range strings.Split(show, ",") {
			if kind != "" && strings.HasPrefix(s.world.describe(p.bytes)+" ", kind+" ") {
				chosen = append(chosen, p)
			}
		}
	}
	return chosen
}
