package compare

import (
	"fmt"
	"strings"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/internal/noun"
)

// Verdict is what the judges say of one side, by what its replicas and callers
// wrote down, and what the service itself answers afterwards.
type Verdict struct {
	Safe         bool // nothing happened that must never happen, and nothing was lost
	Forked       bool
	ForkAt       uint64
	Violations   []string              // at most maxViolations
	More         int                   // left out
	Traitors     []consensus.ReplicaID // made by the scenario; what they did is held against nobody else
	Culprits     []consensus.ReplicaID // named by evidence
	Linearizable string                // yes, no, or unknown: not decided in the time given, or records are missing
	JudgedUpTo   uint64                // the sequence number up to which batches were executed again
	ReadBack     ReadBack
	Unjudged     string   // why too little was judged to call it safe
	Unknown      []string // why linearizability is
}

// maxViolations bounds the violations that are told one by one.
const maxViolations = 4

// newVerdict puts both together. A read-back is only evidence of a loss if a
// judge could have seen it too, but needs no record.
func newVerdict(v *check.Verdict, turned []consensus.ReplicaID, back ReadBack) *Verdict {
	out := &Verdict{
		Safe: v.Safe() && back.Lost == 0 && back.Acknowledged > 0, Forked: v.Forked, ForkAt: uint64(v.ForkAt), Linearizable: string(v.Linearizable),
		Traitors: turned, Culprits: v.Culprits, JudgedUpTo: uint64(v.Executed), ReadBack: back, Unjudged: v.Unjudged, Unknown: v.Why,
	}
	for i, x := range v.Violations {
		if i == maxViolations {
			out.More = len(v.Violations) - i
			break
		}
		out.Violations = append(out.Violations, x.String())
	}
	return out
}

// word is the verdict in a few words.
func (v *Verdict) word() string {
	switch {
	case v == nil:
		return "not judged"
	case v.Forked:
		return fmt.Sprintf("forked at n=%d", v.ForkAt)
	case v.ReadBack.Lost > 0:
		return fmt.Sprintf("acknowledged writes were lost (%s)", noun.Several(v.ReadBack.Lost, "key"))
	case v.ReadBack.Acknowledged == 0 && len(v.Violations) == 0:
		return "nothing to judge: no write was acknowledged"
	case v.Unjudged != "" && len(v.Violations) == 0:
		return "not judged"
	case !v.Safe:
		return "unsafe"
	case v.ReadBack.Unanswered > 0:
		return "safe, and does not answer"
	}
	return "no acknowledged write was lost"
}

// lines are the verdict for people.
func (v *Verdict) lines() []string {
	if v == nil {
		return []string{"not judged"}
	}
	return append([]string{v.word() + ": " + v.measure()}, v.details()...)
}

// details are what else there is to know.
func (v *Verdict) details() (all []string) {
	if v.Forked && len(v.Culprits) == 0 {
		all = append(all, "nobody can be convicted: no evidence names a culprit")
	}
	if len(v.Culprits) > 0 {
		all = append(all, "convicted by evidence: "+members(v.Culprits))
	}
	if v.ReadBack.Example != "" {
		all = append(all, v.ReadBack.Example)
	}
	if v.Unjudged != "" {
		all = append(all, "too little was judged: "+v.Unjudged)
	}
	all = append(all, v.Violations...)
	if v.More > 0 {
		all = append(all, fmt.Sprintf("and %d more", v.More))
	}
	return all
}

// measure says what the word rests on.
func (v *Verdict) measure() string {
	b := &v.ReadBack
	text := fmt.Sprintf("%s writes acknowledged, %s keys read again", grouped(float64(b.Acknowledged)), grouped(float64(b.Keys)))
	if b.Unanswered > 0 {
		text += fmt.Sprintf(", %s keys without an answer", grouped(float64(b.Unanswered)))
	}
	if v.JudgedUpTo > 0 {
		text += fmt.Sprintf("; records executed again up to n=%d", v.JudgedUpTo)
	}
	text += "; linearizable: " + v.Linearizable
	if len(v.Unknown) > 0 {
		text += " (" + strings.Join(v.Unknown, "; ") + ")"
	}
	if len(v.Traitors) > 0 {
		text += "; corrupted: " + members(v.Traitors)
	}
	return text
}

// members lists replicas.
func members(all []consensus.ReplicaID) string { return spec.List(all, "replica %d", ", ") }
