package cap

import (
	"fmt"
	"strings"

	"quorate.dev/quorate/check"
)

// word is what theory says of a number.
type word string

// The words.
const (
	none   word = "none" // 0
	some   word = "some" // 1 or more
	either word = "any"  // theory does not say
	full   word = "all"  // of what was asked
)

// Theory is what theory says of a column: of the calls that each side answers while
// the network is cut, and of what users see.
type Theory struct {
	Minority, Majority Served
	Linear             Linear
	Anomalies          map[check.AnomalyKind]word // either if it is not there
}

// Served is what a side answers.
type Served struct{ Reads, Writes word }

// Linear says whether one order explains all calls on each key.
type Linear string

// The answers.
const (
	yes       Linear = "yes"
	no        Linear = "no"
	perhaps   Linear = "perhaps" // theory does not say
	senseless Linear = "n/a"     // a set of siblings is no register
)

// anomalies lists what theory says of lost updates, stale reads, siblings and
// resurrected deletes, in this order. Replicas never differ in the end.
func anomalies(lost, stale, siblings, resurrected word) map[check.AnomalyKind]word {
	return map[check.AnomalyKind]word{
		check.LostUpdate: lost, check.StaleRead: stale, check.LeftSiblings: siblings, check.Resurrected: resurrected, check.DifferentInEnd: none,
	}
}

// What theory says.
var (
	nobody     = Served{none, none}
	everybody  = Served{full, full}
	most       = Served{some, some} // but for those under way when a leader is lost
	linearized = func(minority, majority Served) Theory {
		t := Theory{Minority: minority, Majority: majority, Linear: yes, Anomalies: anomalies(none, none, none, none)}
		t.Anomalies[check.NonMonotonic] = none
		return t
	}

	// A quorum decides, and whoever is not with it decides nothing (Gilbert & Lynch,
	// theorem 1).
	sideOfQuorum = linearized(nobody, most)
	oneOrder     = linearized(most, most)

	// Both sides answer everything, each from what it has. Of a key one side's last
	// value stays, and nobody who wrote it had read the other side's.
	bothSides = Theory{Minority: everybody, Majority: everybody, Linear: no, Anomalies: anomalies(some, some, none, none)}

	// ... or what was not seen together stays side by side, until a user decides.
	keepsBoth = Theory{Minority: everybody, Majority: everybody, Linear: senseless, Anomalies: anomalies(none, either, some, none)}

	// R + W > N, with stamps of clocks that differ: who is with no quorum is refused;
	// but a put that half a quorum has stored, and clocks, leave their marks.
	overlap = Theory{Minority: nobody, Majority: most, Linear: perhaps, Anomalies: anomalies(either, either, none, either)}

	// All must store, or all must answer.
	readsOnly  = Theory{Minority: Served{full, none}, Majority: Served{full, none}, Linear: perhaps, Anomalies: anomalies(either, either, none, either)}
	writesOnly = Theory{Minority: Served{none, full}, Majority: Served{none, full}, Linear: perhaps, Anomalies: anomalies(some, either, none, either)}

	// Without a cut: everything is answered, and more is not promised.
	uncertain = Theory{Minority: everybody, Majority: everybody, Linear: perhaps, Anomalies: anomalies(either, either, none, either)}

	// A register that reads write back to is linearizable (Attiya, Bar-Noy, Dolev); two
	// who read and write by turns still lose updates.
	register = Theory{Minority: everybody, Majority: everybody, Linear: yes, Anomalies: anomalies(either, none, none, none)}
)

// with is the theory with another word on an anomaly.
func (t Theory) with(kind check.AnomalyKind, w word) Theory {
	changed := map[check.AnomalyKind]word{}
	for k, v := range t.Anomalies {
		changed[k] = v
	}
	changed[kind] = w
	t.Anomalies = changed
	return t
}

// forgetful is what theory says when it is forgotten what was deleted: whoever was
// away brings it back, if the other side had deleted it; but for a hint that comes
// in time.
func (t Theory) forgetful(hinted bool) Theory {
	if !hinted && t.Minority.Writes == full && t.Minority.Reads == full {
		return t.with(check.Resurrected, some)
	}
	return t.with(check.Resurrected, either)
}

// rough is what theory says when replicas crash, too, and frames are lost: not all
// calls of a side are answered, and what is left of the rest.
func (t Theory) rough() Theory {
	relax := func(w word) word {
		if w == full {
			return some
		}
		return w
	}
	t.Minority = Served{relax(t.Minority.Reads), relax(t.Minority.Writes)}
	t.Majority = Served{relax(t.Majority.Reads), relax(t.Majority.Writes)}
	return t.with(check.Resurrected, either).with(check.StaleRead, either)
}

// allows reports whether a number is as theory says, of so many.
func (w word) allows(n, of int) bool {
	switch w {
	case none:
		return n == 0
	case some:
		return n > 0
	case full:
		return n == of && of > 0
	}
	return true
}

// complaint is how a result disagrees with theory; "" if it agrees.
func (t *Theory) complaint(r *Result) string {
	var all []string
	bad := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, side := range []struct {
		name  string
		says  Served
		share Share
	}{{"the minority", t.Minority, r.Minority}, {"the majority", t.Majority, r.Majority}} {
		if n := side.share.Reads; !side.says.Reads.allows(n.Answered, n.asked()) {
			bad("%s answers %d of %d gets, theory says %s", side.name, n.Answered, n.asked(), side.says.Reads)
		}
		if n := side.share.Writes; !side.says.Writes.allows(n.Answered, n.asked()) {
			bad("%s answers %d of %d writes, theory says %s", side.name, n.Answered, n.asked(), side.says.Writes)
		}
	}
	if t.Linear != perhaps && r.Linear != t.Linear {
		bad("linearizable: %s, theory says %s", r.Linear, t.Linear)
	}
	for _, kind := range kinds {
		if w, said := t.Anomalies[kind]; said && !w.allows(r.Counts[kind], 0) {
			bad("%s: %d, theory says %s", kind, r.Counts[kind], w)
		}
	}
	for _, v := range r.Violations {
		bad("%s", v)
	}
	return strings.Join(all, "; ")
}
