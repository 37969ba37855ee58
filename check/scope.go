package check

import (
	"fmt"
	"math/bits"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
)

// Scope is what of a real run was judged, and what was not.
type Scope struct {
	Replicas []consensus.ReplicaID // whose own logs were judged
	Missing  []consensus.ReplicaID // who would have been, and wrote nothing down
	Began    consensus.Time        // by the clock of whoever wrote first: violations count from it
	Batches  int                   // that judged replicas agreed on
	First    consensus.Seq         // the first of them, and the last
	Last     consensus.Seq
	Calls    int // that clients wrote down
	Answered int // ... and got an answer to
	Held     int // answers held against the agreed history
	Late     int // answers that came after the logs of a replica end
	Cut      int // answers that nothing is known to hold against: batches are missing in the logs, or not executed again
	Untold   int // operations executed for clients that did not write them down
	Torn     int // logs that end in the middle of an entry, as a kill leaves them
}

// conclude says what was judged, and whether it was enough.
func (r *replay) conclude(v *Verdict) {
	v.Scope = r.scope()
	v.Unjudged = r.unjudged(v.Scope)
	if v.Linearizable == Yes && v.Scope.Answered == 0 {
		v.Linearizable = Unknown // of nothing everything is true
	}
	if v.Linearizable != Unknown {
		return
	}
	switch {
	case v.Scope.Calls == 0:
		v.Why = []string{"no client wrote down what it was told"}
	case v.Scope.Answered == 0:
		v.Why = []string{"no client got an answer"}
	case r.judge.cfg.Model == nil:
		v.Why = []string{"this program does not know what operations of the application do"}
	case r.rerun != nil && r.digests:
		v.Why = append(v.Why, "the replicas wrote down digests of batches alone: what was executed is not known (record.level = \"all\" writes batches)")
	case r.rerun != nil && len(r.rerun.waiting) > 0:
		v.Why = append(v.Why, fmt.Sprintf("batch %d was not written down, or is cut off by the bound of the transcripts: nothing after it could be executed again", r.rerun.machine.Applied()+1))
	}
}

// scope counts.
func (r *replay) scope() *Scope {
	j := r.judge
	s := &Scope{Began: r.base, Batches: len(j.agreement.batches), Replicas: []consensus.ReplicaID{}, Missing: []consensus.ReplicaID{}, Held: len(j.accepted.held)}
	for id := range consensus.ReplicaID(len(j.cfg.Genesis.Replicas)) {
		switch {
		case !j.honest(id):
		case r.facts[id] > 0:
			s.Replicas = append(s.Replicas, id)
		default:
			s.Missing = append(s.Missing, id)
		}
	}
	for n := range j.agreement.batches {
		if s.First == 0 || n < s.First {
			s.First = n
		}
		s.Last = max(s.Last, n)
	}
	told := map[*operation]int{}
	for _, c := range j.accepted.order {
		s.Calls++
		told[j.ledger.of(c.client, c.op)]++
		if c.returned {
			s.Answered++
		}
	}
	for _, o := range j.ledger.operations {
		s.Untold += max(0, len(o.places)-told[o])
	}
	if open := len(j.accepted.doubted) - len(j.deceived()); j.partial {
		s.Cut = open
	} else {
		s.Late = open
	}
	for _, x := range r.sources {
		if x.torn {
			s.Torn++
		}
	}
	return s
}

// nobodyHonest is why nobody is judged where all are suspects.
const nobodyHonest = "all replicas may have lied, and nobody is left to be judged"

// unjudged says why too little was judged to call a run safe. Of every quorum one
// member at least must be among the judged, and two of a cluster, if so many are
// honest: nobody disagrees with itself.
func (r *replay) unjudged(s *Scope) string {
	n := len(r.judge.cfg.Genesis.Replicas)
	honest := bits.OnesCount64(r.judge.members)
	least := 1
	if system, err := protocol.System(r.judge.cfg.Genesis); err == nil {
		least = min(max(n-system.Quorum()+1, 2), n, honest)
	}
	switch {
	case honest == 0:
		return nobodyHonest
	case len(s.Replicas) == 0:
		return "none of the replicas that are to be judged wrote anything down that counts: ask the cluster for something first, and give the transcripts of the replicas"
	case len(s.Replicas) < least:
		return fmt.Sprintf("too little: %s alone wrote anything down, and it takes %d of %d replicas to compare: give the other transcripts", named(s.Replicas), least, n)
	case s.Batches == 0 && s.Calls == 0:
		return "no batch was agreed on, and no client asked for anything: ask the cluster for something first"
	}
	return ""
}

// named lists replicas for people.
func named(ids []consensus.ReplicaID) string {
	var all []string
	for _, id := range ids {
		all = append(all, name(id))
	}
	return strings.Join(all, " and ")
}

// quoted are the words for an application that nobody knows.
func quoted(op []byte, r *consensus.Result) (asked, answered string) {
	return "for " + noun.Quote(op), answerOf(r, func() string { return noun.Quote(r.Data) })
}

// answerOf is a result in words, or why there is none.
func answerOf(r *consensus.Result, words func() string) string {
	if r.Code == consensus.ResultOK {
		return words()
	}
	return fmt.Sprintf("error %d %s", r.Code, noun.Quote(r.Data))
}
