package byzantine

import (
	"math/rand/v2"
	"strings"

	"quorate.dev/quorate/consensus"
)

// clocks are wrong about the time.
func clocks() []Profile {
	return []Profile{
		{
			Name: "time", Aliases: []string{"clock"}, Group: "P-TIME", AtF: SafeLive, AtF1: MayStop, AtCrash: MayStop,
			Sentence: "has a wrong clock, which its batches show when it is primary, or ticks at another rate",
			Params: []Param{
				{"by", "1h", "a duration; one back begins with -"}, {"how", "ahead", OneOf([]string{"ahead", "jumps", "stands"})},
				{"ticks", "1", "that it counts for one, 0 to 16"},
			},
			Needs: Primary, Drawn: []string{"", "3s", "1h how=jumps", "1h how=stands", "1s ticks=0", "1s ticks=4"}, Intercept: newClock,
		},
	}
}

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
		return nil, s.wrong("", err.Error()+", or one back such as -3s")
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

// Ticks multiplies the ticks, within the bound of a burst.
func (c *clock) Ticks(ticks int) int { return min(ticks*c.speed, consensus.MaxBurst/4) }
