package check

import (
	"math"
	"slices"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check/linear"
	"quorate.dev/quorate/consensus"
)

// WeakCall is a call of a key-value store that may promise nothing, as its caller
// lived it. What puts write is unique in a history.
type WeakCall struct {
	linear.Call
	Refused bool     // nothing of it was done, for certain
	Found   []string // of a get with a result: the values; none = nothing, several = siblings
	Rests   []string // of a write: the values that its caller had read and means to replace; none = nothing was there
	Blind   bool     // ... or it replaces whatever there is
}

// AnomalyKind says what a user saw that one copy of the data never shows.
type AnomalyKind string

// The kinds of anomalies. Only the last two may be repaired by a later call.
const (
	StaleRead      AnomalyKind = "stale read"           // a get begins after an answered write, and finds only what is older
	NonMonotonic   AnomalyKind = "non-monotonic read"   // a client finds something, and then only what is older
	LostUpdate     AnomalyKind = "lost update"          // an answered write that is not there in the end, and that nobody who wrote what is there had read
	Resurrected    AnomalyKind = "resurrected delete"   // a key was deleted, was seen to be gone, and is back in the end
	LeftSiblings   AnomalyKind = "siblings left"        // a key holds several values in the end
	DifferentInEnd AnomalyKind = "replicas that differ" // of a key, in the end
)

// Anomaly is one of them, with the calls that show it, by their places in the
// history: first what should have been seen. -1 = what replicas hold in the end.
type Anomaly struct {
	Kind          AnomalyKind
	Key           string
	First, Second int
}

// Weak judges a history by calls and final states alone: no frames, no order, no
// roots. Final is what each replica holds in the end of each key.
func Weak(calls []WeakCall, final []map[string][]string) (all []Anomaly) {
	w := weak{calls: calls, writer: map[string]map[string]int{}, writes: map[string][]int{}, final: final}
	for i := range calls {
		w.read(i)
	}
	for _, key := range w.keys {
		all = slices.Concat(all, w.gets(key), w.ends(key))
	}
	return all
}

// Linearizable decides the calls key by key, as package linear does. With siblings
// the question makes no sense: a set of values is no register.
func Linearizable(calls []WeakCall) linear.Report {
	var asked []linear.Call
	for _, c := range calls {
		if !c.Refused {
			asked = append(asked, c.Call)
		}
	}
	model, step := *Store(), Store().Step
	model.Step = func(state, input any, result *consensus.Result) (any, bool) {
		if o := input.(*kv.Operation); o.Kind == kv.KindDelete && result != nil && len(result.Data) == 0 {
			result = nil // done, and whether there was anything is not said
		}
		return step(state, input, result)
	}
	return linear.Check(model, asked, 0)
}

// weak is a history with its writes.
type weak struct {
	calls  []WeakCall
	ops    []kv.Operation
	keys   []string                  // in order of appearance
	writer map[string]map[string]int // who wrote a value of a key
	writes map[string][]int          // of a key, that were or may have been done
	final  []map[string][]string
}

// read takes in one call.
func (w *weak) read(i int) {
	c := &w.calls[i]
	op, err := kv.Decode(c.Op)
	w.ops = append(w.ops, op)
	key := string(op.Key)
	if err != nil || c.Refused {
		return
	}
	if w.writer[key] == nil {
		w.keys, w.writer[key] = append(w.keys, key), map[string]int{}
	}
	switch op.Kind {
	case kv.KindSwap:
		if c.Result != nil {
			if s, err := kv.ParseSwap(c.Result.Data); err != nil || !s.Done {
				return
			}
		}
	case kv.KindPut, kv.KindDelete:
	default:
		return
	}
	w.writes[key] = append(w.writes[key], i)
	if !w.dead(i) {
		w.writer[key][string(op.Value)] = i
	}
}

// dead reports whether a write leaves nothing.
func (w *weak) dead(i int) bool { return w.ops[i].Kind == kv.KindDelete || w.ops[i].Remove }

// before reports whether a call had ended when another began.
func (w *weak) before(i, j int) bool {
	ended := w.calls[i].Ended
	if w.calls[i].Result == nil {
		ended = math.MaxInt64 // who knows
	}
	return ended < w.calls[j].Began
}

// older reports whether all that is found was written before a write began. Nothing
// is as new as the newest delete.
func (w *weak) older(key string, found []string, than int, until consensus.Time) bool {
	if len(found) == 0 {
		return !slices.ContainsFunc(w.writes[key], func(d int) bool {
			return w.dead(d) && !w.before(d, than) && w.calls[d].Began < until
		})
	}
	return !slices.ContainsFunc(found, func(v string) bool {
		i, known := w.writer[key][v]
		return known && !w.before(i, than)
	})
}

// gets judges what gets of a key found.
func (w *weak) gets(key string) (all []Anomaly) {
	last := map[int]int{} // of each client
	for g, c := range w.calls {
		if w.ops[g].Kind != kv.KindGet || string(w.ops[g].Key) != key || c.Result == nil || c.Refused {
			continue
		}
		newest := -1
		for _, p := range w.writes[key] {
			if w.before(p, g) && (newest < 0 || w.calls[p].Began > w.calls[newest].Began) && w.older(key, c.Found, p, c.Ended) {
				newest = p
			}
		}
		if newest >= 0 {
			all = append(all, Anomaly{StaleRead, key, newest, g})
		}
		if l, known := last[c.Client]; known && slices.ContainsFunc(w.calls[l].Found, func(v string) bool {
			p, known := w.writer[key][v]
			return known && w.older(key, c.Found, p, c.Ended)
		}) {
			all = append(all, Anomaly{NonMonotonic, key, l, g})
		}
		last[c.Client] = g
	}
	return all
}

// ends judges what became of a key.
func (w *weak) ends(key string) (all []Anomaly) {
	var held []string
	empty := false
	for i, f := range w.final {
		if !slices.Equal(f[key], w.final[0][key]) && len(all) == 0 {
			all = append(all, Anomaly{DifferentInEnd, key, -1, -1})
		}
		if held = append(held, w.final[i][key]...); len(f[key]) == 0 {
			empty = true
		}
	}
	if len(w.final) > 0 && len(w.final[0][key]) > 1 {
		all = append(all, Anomaly{LeftSiblings, key, -1, -1})
	}
	kept := w.kept(key, held, empty)
	for _, p := range w.writes[key] {
		if w.calls[p].Result == nil || kept[p] {
			continue
		}
		if g := w.gone(key, p); w.dead(p) && g >= 0 && w.older(key, held, p, 0) {
			all = append(all, Anomaly{Resurrected, key, g, -1})
		} else {
			all = append(all, Anomaly{LostUpdate, key, p, -1})
		}
	}
	return all
}

// gone is a get that found nothing after a delete; -1 if there is none.
func (w *weak) gone(key string, deleted int) int {
	return slices.IndexFunc(w.calls, func(c WeakCall) bool {
		op, err := kv.Decode(c.Op)
		return err == nil && op.Kind == kv.KindGet && string(op.Key) == key && c.Result != nil && !c.Refused && len(c.Found) == 0 && c.Began > w.calls[deleted].Ended
	})
}

// kept are the writes that are there in the end, or that one of these rests upon,
// and so on: they were replaced by somebody who had seen them.
func (w *weak) kept(key string, held []string, empty bool) map[int]bool {
	kept := map[int]bool{}
	var open []int
	keep := func(i int) {
		if !kept[i] {
			kept[i] = true
			open = append(open, i)
		}
	}
	for _, p := range w.writes[key] {
		if empty && w.dead(p) || !w.dead(p) && slices.Contains(held, string(w.ops[p].Value)) {
			keep(p)
		}
	}
	for len(open) > 0 {
		i := open[len(open)-1]
		open = open[:len(open)-1]
		for _, p := range w.writes[key] {
			switch c := &w.calls[i]; {
			case c.Blind && !w.before(i, p),
				!c.Blind && len(c.Rests) == 0 && w.dead(p) && !w.before(i, p),
				!c.Blind && !w.dead(p) && slices.Contains(c.Rests, string(w.ops[p].Value)):
				keep(p)
			}
		}
	}
	return kept
}
