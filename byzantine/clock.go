package byzantine

import (
	"math/rand/v2"
	"strings"

	"quorate.dev/quorate/consensus"
)

// clock lies to the engine about the time, and about ticks.
type clock struct {
	passOut
	by    consensus.Time
	how   string
	speed int // ticks for each
	last  consensus.Time
	dice  *rand.Rand
}

func newClock(e *Env, s Spec) (Interceptor, error) {
	c := &clock{dice: e.Rand("time " + s.String())}
	text, back := strings.CutPrefix(s.Main, "-")
	by, err := parseSpan(text)
	if err != nil {
		return nil, s.Wrong("", err.Error()+", or one back such as -3s")
	}
	if c.by = by; back {
		c.by = -by
	}
	if c.how, err = s.Word("how", "ahead", "jumps", "stands"); err != nil {
		return nil, err
	}
	c.speed, err = s.Number("ticks", 0, 16)
	return c, err
}

func (c *clock) Incoming(b *consensus.Burst, _ int) {
	now := b.Now + c.by
	switch {
	case c.how == "jumps" && c.dice.IntN(2) == 0:
		now = b.Now
	case c.how == "stands" && c.last != 0:
		now = c.last
	}
	c.last = max(0, now)
	b.Now = c.last
}

// beat multiplies the ticks, within the bound of a burst.
func (c *clock) Ticks(ticks int) int { return min(ticks*c.speed, consensus.MaxBurst/4) }
