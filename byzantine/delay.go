package byzantine

import (
	"math/rand/v2"
	"slices"

	"quorate.dev/quorate/consensus"
)

// delays send what they should, at other times or more often.
func delays() []Profile {
	return []Profile{
		{
			Name: "delay", Aliases: []string{"slow", "timing"}, Group: "P-SLOW", AtF: SafeSlow, AtF1: MayStop, AtCrash: MayStop,
			Sentence: "sends everything late, just below the timeout of the honest replicas", Params: []Param{wait},
			Needs: Primary, Drawn: []string{"", "40%", "99%", "150%"}, Intercept: newDelay,
		},
		{
			Name: "reorder", Group: "P-REORDER", AtF: SafeLive, AtF1: SafeSlow,
			Sentence: "collects messages and sends them in another order", Params: []Param{{"ticks", "3", "for which it collects"}},
			Needs: Primary, Drawn: []string{"", "12"}, Intercept: newReorder,
		},
		{
			Name: "duplicate", Group: "V-REPLAY", AtF: SafeLive, AtF1: SafeLive,
			Sentence: "sends everything several times", Params: []Param{{"times", "2", "2 to 16"}},
			Drawn: []string{"", "3"}, Intercept: newDuplicate, replies: duplicateReplies,
		},
		{
			Name: "replay", Group: "V-REPLAY", AtF: SafeLive, AtF1: SafeLive,
			Sentence: "repeats old frames, its own and others'",
			Params:   []Param{{"share", "10%", "of its ticks, for each victim"}, {"from", "all", OneOf([]string{"own", "others", "all"})}},
			Drawn:    []string{"", "3%"}, Intercept: newReplay,
		},
	}
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

// waiting is a message that waits.
type waiting struct {
	Outbound
	tick int
	at   consensus.Time
}

// Holdback queues messages, oldest first, within the bounds of what an
// interceptor may hold.
type Holdback struct {
	messages []waiting
	bytes    int
	tick     int // ticks so far
}

// put adds messages, and returns those that must go for want of room.
func (h *Holdback) put(ls []Outbound, now consensus.Time) (pushed []Outbound) {
	for _, l := range ls {
		h.messages = append(h.messages, waiting{l, h.tick, now})
		h.bytes += len(l.Bytes)
	}
	n, bytes := 0, h.bytes
	for len(h.messages)-n > maxHeld || bytes > maxHeldBytes {
		bytes -= len(h.messages[n].Bytes)
		n++
	}
	return h.take(n)
}

// take hands over the n oldest.
func (h *Holdback) take(n int) []Outbound {
	var ls []Outbound
	for _, k := range h.messages[:n] {
		h.bytes -= len(k.Bytes)
		ls = append(ls, k.Outbound)
	}
	h.messages = slices.Delete(h.messages, 0, n)
	return ls
}

// Release hands over everything.
func (h *Holdback) Release() []Outbound { return h.take(len(h.messages)) }

// Hold takes messages in, and returns those that have waited, or must go for want
// of room.
func (h *Holdback) Hold(b *consensus.Burst, ms []Outbound, w Wait) []Outbound {
	h.tick += ticksIn(b)
	out := h.put(ms, b.Now)
	n := 0
	for n < len(h.messages) && w.over(h.tick-h.messages[n].tick, b.Now-h.messages[n].at) {
		n++
	}
	return append(out, h.take(n)...)
}

// delay holds each message for a while.
type delay struct {
	passIn
	Holdback
	wait Wait
}

func newDelay(e *Env, s Spec) (Interceptor, error) {
	w, err := s.Wait(e, "")
	return &delay{wait: w}, err
}

func (d *delay) Outgoing(b *consensus.Burst, m *Outbox) {
	m.Messages = d.Hold(b, m.Messages, d.wait)
}

// reorder collects messages for some ticks and sends them in another order.
type reorder struct {
	passIn
	Holdback
	every int
	dice  *rand.Rand
}

func newReorder(e *Env, s Spec) (Interceptor, error) {
	n, err := s.Number("", 1, 10_000)
	return &reorder{every: n, dice: e.Rand("reorder " + s.String())}, err
}

func (r *reorder) Outgoing(b *consensus.Burst, m *Outbox) {
	r.tick += ticksIn(b)
	out := r.put(m.Messages, b.Now)
	if len(r.messages) > 0 && r.tick-r.messages[0].tick >= r.every {
		r.dice.Shuffle(len(r.messages), func(i, j int) {
			r.messages[i].Outbound, r.messages[j].Outbound = r.messages[j].Outbound, r.messages[i].Outbound
		})
		out = append(out, r.Release()...)
	}
	m.Messages = out
}

// newDuplicate sends everything so many times.
func newDuplicate(_ *Env, s Spec) (Interceptor, error) {
	n, err := s.Number("", 2, 16)
	return outgoing(func(_ *consensus.Burst, o *Outbox) { o.Messages = slices.Repeat(o.Messages, n) }), err
}

func duplicateReplies(_ *Env, s Spec) (replyFunc, error) {
	n, err := s.Number("", 2, 16)
	return func(rs []consensus.Reply) []consensus.Reply { return slices.Repeat(rs, n) }, err
}

// replay repeats old frames: its own, and those that others sent to it.
type replay struct {
	passIn
	own, others recent
	from        string // whose: own, others, all
	share       int
	dice        *rand.Rand
}

// recent remembers frames, replacing the oldest.
type recent struct {
	frames [][]byte
	next   int
	bytes  int
}

// Bounds of recent.
const (
	maxRecent      = 512
	maxRecentBytes = 8 << 20
)

func (p *recent) add(frame []byte) {
	if len(frame) == 0 || len(frame) > maxRecentBytes {
		return
	}
	if len(p.frames) < maxRecent {
		p.frames = append(p.frames, frame)
	} else {
		p.bytes -= len(p.frames[p.next])
		p.frames[p.next] = frame
		p.next = (p.next + 1) % maxRecent
	}
	p.bytes += len(frame)
	for p.bytes > maxRecentBytes {
		p.bytes -= len(p.frames[p.next])
		p.frames = slices.Delete(p.frames, p.next, p.next+1)
		p.next %= max(1, len(p.frames))
	}
}

// pick draws one; nil if there is none.
func (p *recent) pick(dice *rand.Rand) []byte {
	if len(p.frames) == 0 {
		return nil
	}
	return p.frames[dice.IntN(len(p.frames))]
}

func newReplay(e *Env, s Spec) (Interceptor, error) {
	share, err := s.share("")
	if err != nil {
		return nil, err
	}
	from, err := s.Word("from", "own", "others", "all")
	return &replay{share: share, from: from, dice: e.Rand("replay " + s.String())}, err
}

func (r *replay) Outgoing(b *consensus.Burst, m *Outbox) {
	for _, l := range m.Messages {
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
	// By ticks, and not by steps: otherwise two of them, or one and whoever
	// answers it, would keep each other busy for ever.
	if !m.Act || ticksIn(b) == 0 {
		return
	}
	for _, to := range m.Victims {
		if r.dice.IntN(million) >= r.share {
			continue
		}
		if frame := r.draw(); frame != nil {
			m.Add(to, consensus.Class(r.dice.IntN(int(consensus.Classes))), frame)
		}
	}
}

func (r *replay) draw() []byte {
	if r.from == "own" || r.from == "all" && r.dice.IntN(2) == 0 {
		return r.own.pick(r.dice)
	}
	return r.others.pick(r.dice)
}
