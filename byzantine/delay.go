package byzantine

import (
	"math/rand/v2"
	"slices"

	"quorate.dev/quorate/consensus"
)

// over reports whether a wait has ended that began so long ago.
func (s span) over(ticks int, age consensus.Time) bool {
	return ticks >= s.ticks && age >= s.time
}

// ticksIn counts the ticks of a burst.
func ticksIn(b *consensus.Burst) (n int) {
	for _, e := range b.Events {
		if _, tick := e.(consensus.Tick); tick {
			n++
		}
	}
	return n
}

// kept is a letter that waits.
type kept struct {
	Letter
	tick int
	at   consensus.Time
}

// shelf holds letters, oldest first, within the bounds of what a mask may hold.
type shelf struct {
	letters []kept
	bytes   int
	tick    int // ticks so far
}

// put adds letters, and answers those that must go for want of room.
func (s *shelf) put(ls []Letter, now consensus.Time) (pushed []Letter) {
	for _, l := range ls {
		s.letters = append(s.letters, kept{l, s.tick, now})
		s.bytes += len(l.Bytes)
	}
	n, bytes := 0, s.bytes
	for len(s.letters)-n > maxHeld || bytes > maxHeldBytes {
		bytes -= len(s.letters[n].Bytes)
		n++
	}
	return s.take(n)
}

// take hands over the n oldest.
func (s *shelf) take(n int) []Letter {
	var ls []Letter
	for _, k := range s.letters[:n] {
		s.bytes -= len(k.Bytes)
		ls = append(ls, k.Letter)
	}
	s.letters = slices.Delete(s.letters, 0, n)
	return ls
}

// letGo hands over everything.
func (s *shelf) letGo() []Letter { return s.take(len(s.letters)) }

// delay holds each letter for a while.
type delay struct {
	listens
	shelf
	wait span
}

func newDelay(e *Env, s Spec) (mask, error) {
	w, err := s.span(e, "")
	return &delay{wait: w}, err
}

func (d *delay) speak(b *consensus.Burst, m *Mail) {
	d.tick += ticksIn(b)
	out := d.put(m.Letters, b.Now)
	n := 0
	for n < len(d.letters) && d.wait.over(d.tick-d.letters[n].tick, b.Now-d.letters[n].at) {
		n++
	}
	m.Letters = append(out, d.take(n)...)
}

// reorder gathers letters for some ticks and says them in another order.
type reorder struct {
	listens
	shelf
	every int
	dice  *rand.Rand
}

func newReorder(e *Env, s Spec) (mask, error) {
	n, err := s.number("", 1, 10_000)
	return &reorder{every: n, dice: e.dice("reorder " + s.String())}, err
}

func (r *reorder) speak(b *consensus.Burst, m *Mail) {
	r.tick += ticksIn(b)
	out := r.put(m.Letters, b.Now)
	if len(r.letters) > 0 && r.tick-r.letters[0].tick >= r.every {
		r.dice.Shuffle(len(r.letters), func(i, j int) {
			r.letters[i].Letter, r.letters[j].Letter = r.letters[j].Letter, r.letters[i].Letter
		})
		out = append(out, r.letGo()...)
	}
	m.Letters = out
}

// duplicate says everything so many times.
type duplicate struct {
	listens
	times int
}

func newDuplicate(_ *Env, s Spec) (mask, error) {
	n, err := s.number("", 2, 16)
	return &duplicate{times: n}, err
}

func (d *duplicate) speak(_ *consensus.Burst, m *Mail) {
	said := m.Letters
	for range d.times - 1 {
		m.Letters = append(m.Letters, said...)
	}
}

func duplicateVoice(_ *Env, s Spec) (voice, error) {
	n, err := s.number("", 2, 16)
	return func(rs []consensus.Reply) []consensus.Reply { return slices.Repeat(rs, n) }, err
}

// replay says old frames again: its own, and those that others said to it.
type replay struct {
	listens
	own, others pile
	from        string // whose: own, others, all
	share       int
	dice        *rand.Rand
}

// pile remembers frames, replacing the oldest.
type pile struct {
	frames [][]byte
	next   int
	bytes  int
}

// Bounds of a pile.
const (
	maxPile      = 512
	maxPileBytes = 8 << 20
)

func (p *pile) add(frame []byte) {
	if len(frame) == 0 || len(frame) > maxPileBytes {
		return
	}
	if len(p.frames) < maxPile {
		p.frames = append(p.frames, frame)
	} else {
		p.bytes -= len(p.frames[p.next])
		p.frames[p.next] = frame
		p.next = (p.next + 1) % maxPile
	}
	p.bytes += len(frame)
	for p.bytes > maxPileBytes {
		p.bytes -= len(p.frames[p.next])
		p.frames = slices.Delete(p.frames, p.next, p.next+1)
		p.next %= max(1, len(p.frames))
	}
}

// pick draws one; nil if there is none.
func (p *pile) pick(dice *rand.Rand) []byte {
	if len(p.frames) == 0 {
		return nil
	}
	return p.frames[dice.IntN(len(p.frames))]
}

func newReplay(e *Env, s Spec) (mask, error) {
	share, err := s.share("")
	if err != nil {
		return nil, err
	}
	from, err := s.word("from", "own", "others", "all")
	return &replay{share: share, from: from, dice: e.dice("replay " + s.String())}, err
}

func (r *replay) speak(b *consensus.Burst, m *Mail) {
	for _, l := range m.Letters {
		r.own.add(l.Bytes)
	}
	for _, f := range m.Heard {
		r.others.add(f.Bytes)
	}
	for _, e := range b.Events {
		if s, ok := e.(consensus.Submit); ok {
			r.others.add(s.Request.Raw)
		}
	}
	// By ticks, and not by steps: else two of them, or one and whoever answers
	// it, would keep each other going for ever.
	if !m.Act || ticksIn(b) == 0 {
		return
	}
	for _, to := range m.Victims {
		if r.dice.IntN(million) >= r.share {
			continue
		}
		if frame := r.draw(); frame != nil {
			m.Post(to, consensus.Class(r.dice.IntN(int(consensus.Classes))), frame)
		}
	}
}

func (r *replay) draw() []byte {
	if r.from == "own" || r.from == "all" && r.dice.IntN(2) == 0 {
		return r.own.pick(r.dice)
	}
	return r.others.pick(r.dice)
}
