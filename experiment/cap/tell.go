package cap

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/sim"
)

// Tell is three calls of a run in plain words: one of the side that is cut off, what
// was left of the calls in the end, and one more that shows what a user saw.
func (r *Result) Tell() (all []string) {
	if r.Err != nil {
		return nil
	}
	for _, text := range []string{r.tellAlone(), r.tellEnd(), r.tellSeen()} {
		if text != "" {
			all = append(all, text)
		}
	}
	return all
}

// tellAlone is a call of client 0 while it is cut off: a write, if there is one.
func (r *Result) tellAlone() string {
	i := r.first(0, func(c *Call) bool { return c.Kind != kv.KindGet })
	if i < 0 {
		i = r.first(0, func(*Call) bool { return true })
	}
	if i < 0 {
		return ""
	}
	return r.sentence(i, ", cut off with "+r.members(0)+",")
}

// first finds a call that a client made and ended while the network was cut, some
// time after that began; -1 if there is none.
func (r *Result) first(client int, wanted func(*Call) bool) int {
	return slices.IndexFunc(r.Calls, func(c Call) bool {
		return c.Client == client && c.Began > cutAt+sim.Second && c.Ended > 0 && c.Ended < healedAt && wanted(&c)
	})
}

// tellEnd is what became of answered writes.
func (r *Result) tellEnd() string {
	lost := r.anomaly(check.LostUpdate, func(a check.Anomaly) bool { return a.Key == cart && r.whileCut(a.First) })
	if lost == nil {
		lost = r.anomaly(check.LostUpdate, func(check.Anomaly) bool { return true })
	}
	if back := r.anomaly(check.Resurrected, func(check.Anomaly) bool { return true }); back != nil {
		c := &r.Calls[back.First]
		return fmt.Sprintf("At %s C%d found nothing under %s: it had been deleted. In the end it is back: %s.", moment(c.Began), c.Client, c.Key, r.held(back.Key))
	}
	if two := r.anomaly(check.LeftSiblings, func(check.Anomaly) bool { return true }); two != nil {
		return fmt.Sprintf("In the end %s holds %s: nobody but the user can decide. Nothing that was answered is gone.", two.Key, r.held(two.Key))
	}
	if lost != nil {
		c := &r.Calls[lost.First]
		return fmt.Sprintf("At %s C%d was told that %s. In the end it is gone: %s holds %s, from somebody who had not seen it.", moment(c.Ended), c.Client, c.told(), lost.Key, r.held(lost.Key))
	}
	return fmt.Sprintf("In the end all %s hold %s in %s, and no answered write is gone.", noun.Several(r.Column.Replicas, "replica"), r.held(cart), cart)
}

// whileCut reports whether a call was made while the network was cut.
func (r *Result) whileCut(i int) bool {
	return r.Calls[i].Began > cutAt+sim.Second && r.Calls[i].Ended < healedAt
}

// anomaly finds one of a kind.
func (r *Result) anomaly(kind check.AnomalyKind, wanted func(check.Anomaly) bool) *check.Anomaly {
	for i, a := range r.Anomalies {
		if a.Kind == kind && wanted(a) {
			return &r.Anomalies[i]
		}
	}
	return nil
}

// tellSeen is a read that shows its age, or else a call of the majority.
func (r *Result) tellSeen() string {
	stale := r.anomaly(check.StaleRead, func(a check.Anomaly) bool { return a.Key == coupon && r.whileCut(a.Second) })
	if stale == nil {
		stale = r.anomaly(check.StaleRead, func(check.Anomaly) bool { return true })
	}
	if stale != nil {
		w, g := &r.Calls[stale.First], &r.Calls[stale.Second]
		return fmt.Sprintf("At %s C%d was told that %s. At %s C%d found %s: old.", moment(w.Ended), w.Client, w.told(), moment(g.Began), g.Client, quoted(g.Found))
	}
	if i := r.first(1, func(c *Call) bool { return c.Kind != kv.KindGet }); i >= 0 {
		return r.sentence(i, ", with "+r.members(1)+",")
	}
	return ""
}

// sentence tells a call.
func (r *Result) sentence(i int, who string) string {
	c := &r.Calls[i]
	return fmt.Sprintf("At %s C%d%s %s: %s.", moment(c.Began), c.Client, who, c.deed(), c.ended())
}

// members lists a client's side.
func (r *Result) members(client int) string {
	ids := r.Column.side(client)
	if len(ids) > 2 {
		return fmt.Sprintf("R%d to R%d", ids[0], ids[len(ids)-1])
	}
	var all []string
	for _, id := range ids {
		all = append(all, fmt.Sprintf("R%d", id))
	}
	return strings.Join(all, " and ")
}

// deed is what was asked for.
func (c *Call) deed() string {
	value := c.value()
	switch {
	case c.Kind == kv.KindGet:
		return "reads " + c.Key
	case value == "":
		return "deletes " + c.Key
	case c.Key == cart:
		return "puts " + value + " into " + cart
	case c.Key == counter:
		return "counts to " + value
	case c.Key == color:
		return "makes color " + value
	}
	return "gives out a " + c.Key
}

// told is what a caller believes who got an answer.
func (c *Call) told() string {
	value := c.value()
	switch {
	case value == "":
		return c.Key + " is deleted"
	case c.Key == cart:
		return cart + " holds " + value
	case c.Key == counter:
		return counter + " is at " + value
	}
	return c.Key + " is " + value
}

// value is what a write brought; of a cart, the last thing in it.
func (c *Call) value() string {
	op, err := kv.Decode(c.Op)
	if err != nil {
		return ""
	}
	value := plain(string(op.Value))
	if c.Key == cart {
		value = value[strings.LastIndex(value, ", ")+1:]
	}
	return strings.TrimSpace(value)
}

// ended is how it ended, and after how long.
func (c *Call) ended() string {
	took := time.Duration(c.Ended - c.Began).Round(100 * time.Microsecond)
	switch {
	case c.Ended == 0:
		return "no answer"
	case c.Refused && c.Why != "":
		return fmt.Sprintf("refused after %v (%s)", took, reason(c.Why))
	case c.Why != "":
		return fmt.Sprintf("unknown after %v (%s)", took, reason(c.Why))
	case c.Lost:
		return fmt.Sprintf("not done, for it had changed, after %v", took)
	case c.Kind == kv.KindGet:
		return fmt.Sprintf("found %s after %v", quoted(c.Found), took)
	}
	return fmt.Sprintf("done after %v", took)
}

// reason is why, without what the word before it has said.
func reason(why string) string {
	why = strings.TrimPrefix(why, "refused by the replicas: ")
	for _, cut := range []string{"; outcome unknown", ": outcome unknown"} {
		if i := strings.Index(why, cut); i >= 0 {
			why = why[:i]
		}
	}
	return strings.TrimPrefix(why, "outcome unknown: ")
}

// held is what the first replica holds in the end.
func (r *Result) held(key string) string {
	if len(r.Final) == 0 {
		return "nothing"
	}
	return quoted(r.Final[0][key])
}

// maxShown bounds what is shown of a value.
const maxShown = 48

// quoted are values in a sentence.
func quoted(values []string) string {
	var all []string
	for _, v := range values {
		text := plain(v)
		if runes := []rune(text); len(runes) > maxShown {
			text = string(runes[:maxShown]) + "…"
		}
		text = "“" + text + "”"
		if _, who, found := strings.Cut(v, mark); found && len(values) > 1 {
			text += " of " + who[:strings.Index(who+".", ".")]
		}
		all = append(all, text)
	}
	switch len(all) {
	case 0:
		return "nothing"
	case 1:
		return all[0]
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}

// moment is a time of a run.
func moment(t consensus.Time) string { return fmt.Sprintf("%.2f s", time.Duration(t).Seconds()) }

// newThenOld finds a read of something new, and one of the same key that began after
// it had ended and found what is older: no order explains both. Not ok if there is
// none.
func (r *Result) newThenOld() (text string, ok bool) {
	wrote := map[string]*Call{}
	for i := range r.Calls {
		if op, err := kv.Decode(r.Calls[i].Op); err == nil && op.Kind == kv.KindPut {
			wrote[string(op.Value)] = &r.Calls[i]
		}
	}
	for i := range r.Calls {
		a := &r.Calls[i]
		if a.Kind != kv.KindGet || len(a.Found) != 1 || wrote[a.Found[0]] == nil {
			continue
		}
		for j := range r.Calls {
			b := &r.Calls[j]
			if b.Kind != kv.KindGet || b.Key != a.Key || b.Began <= a.Ended || len(b.Found) != 1 || wrote[b.Found[0]] == nil {
				continue
			}
			if x, y := wrote[a.Found[0]], wrote[b.Found[0]]; y.Ended > 0 && y.Ended < x.Began {
				return fmt.Sprintf("C%d writes %s from %s to %s. C%d finds it by %s, and C%d, from %s on, finds the older %s.",
					x.Client, numberedWrite(a.Found[0]), clock(x.Began), clock(x.Ended), a.Client, clock(a.Ended), b.Client, clock(b.Began), numberedWrite(b.Found[0])), true
			}
		}
	}
	return "", false
}

// numberedWrite is a value with the number of its write, which tells equal ones apart.
func numberedWrite(value string) string {
	_, number, _ := strings.Cut(value, ".")
	return fmt.Sprintf("“%s” (write %s)", plain(value), number)
}

// clock is a time of a run to the millisecond.
func clock(t consensus.Time) string { return fmt.Sprintf("%.3f s", time.Duration(t).Seconds()) }
