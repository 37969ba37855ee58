package main

import (
	"fmt"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/protocol"
)

// explain says in plain English who leads, and what is missing for progress, in
// the words of the protocol.
func explain(answers []answer, system quorum.System, p protocol.Protocol) []string {
	lead := primary
	if p.Elected {
		lead = elected
	}
	lines := append([]string{lead(answers, system, p.Words)}, parted(answers, p.Words)...)
	quiet := len(lines) == 1
	if why := tooFew(answers, system, p); why != "" {
		lines, quiet = append(lines, why), false
	}
	for _, a := range answers {
		if s := a.Status; s != nil && len(s.Stalled) > 0 {
			lines, quiet = append(lines, stands(a)), false
			continue // what it says it waits for is old
		}
		for _, l := range waiting(a) {
			lines, quiet = append(lines, fmt.Sprintf("Replica %d waits for %s.", a.Replica, lack(l, p))), false
		}
	}
	if quiet {
		lines = append(lines, "Idle: nothing is pending.")
	}
	return append(append(append(lines, notReached(answers)...), runTwice(answers)...), older(answers)...)
}

// waiting is what a replica says that it waits for.
func waiting(a answer) []consensus.Lack {
	if a.Status == nil {
		return nil
	}
	return a.Status.Waiting
}

// present is what a replica says of the present: nil if it says nothing, or if
// it stands still and what it says is old.
func present(a answer) *consensus.Report {
	if a.Status == nil || len(a.Status.Stalled) > 0 {
		return nil
	}
	return a.Status
}

// stands says what stands still in a replica, and how old what it says is.
func stands(a answer) string {
	var what []string
	for _, s := range a.Status.Stalled {
		what = append(what, fmt.Sprintf("%s has lasted %s", s.What, s.For))
	}
	return fmt.Sprintf("Replica %d stands still: %s. Look at its disk and its load; what it says of itself is %s old.", a.Replica, strings.Join(what, "; "), a.Status.Age)
}

// notReached says who is not reached, where and why: by this command, and by
// members of one that this command reaches, or for another reason.
func notReached(answers []answer) (lines []string) {
	type obstacle struct {
		to           consensus.ReplicaID
		where, cause string
	}
	said, by := map[obstacle]bool{}, map[obstacle][]consensus.ReplicaID{}
	for _, a := range answers {
		switch a.Error {
		case "":
		case noAnswer:
			lines = append(lines, fmt.Sprintf("Replica %d does not answer at %s: the process, its machine or the network stands still.", a.Replica, a.Address))
		default:
			said[obstacle{consensus.ReplicaID(a.Replica), a.Address, a.Error}] = true
			lines = append(lines, fmt.Sprintf("Replica %d is not reached at %s: %s.", a.Replica, a.Address, a.Error))
		}
	}
	var order []obstacle
	for _, a := range answers {
		if a.Status == nil {
			continue
		}
		for _, away := range a.Status.Away {
			o := obstacle{away.Replica, away.Address, away.Reason}
			if said[o] {
				continue
			}
			if by[o] == nil {
				order = append(order, o)
			}
			by[o] = append(by[o], consensus.ReplicaID(a.Replica))
		}
	}
	for _, o := range order {
		lines = append(lines, fmt.Sprintf("Replica %d is not reached by replica %s at %s: %s.", o.to, and(by[o]), o.where, o.cause))
	}
	return lines
}

// runTwice says of whom two processes run.
func runTwice(answers []answer) (lines []string) {
	seen := map[consensus.ReplicaID]bool{}
	for _, a := range answers {
		if a.Status == nil {
			continue
		}
		for _, t := range a.Status.Twice {
			if !seen[t.Replica] {
				seen[t.Replica] = true
				lines = append(lines, fmt.Sprintf("REPLICA %d RUNS TWICE: replica %d sees connections from %s and %s that both prove its key; stop one of the two processes.", t.Replica, a.Replica, t.From[0], t.From[1]))
			}
		}
	}
	return lines
}

// older says whose program does not know all that this one asks.
func older(answers []answer) []string {
	var list []consensus.ReplicaID
	for _, a := range answers {
		if a.Status != nil && a.Status.ClientProtocol < consensus.ClientProtocol {
			list = append(list, consensus.ReplicaID(a.Replica))
		}
	}
	switch len(list) {
	case 0:
		return nil
	case 1:
		return []string{fmt.Sprintf("Replica %d runs an older program than this one and refuses what it asks: upgrade it before clients.", list[0])}
	}
	return []string{fmt.Sprintf("Replicas %s run an older program than this one and refuse what it asks: upgrade them before clients.", and(list))}
}

// and lists replicas in a sentence.
func and(replicas []consensus.ReplicaID) string {
	return strings.ReplaceAll(ids(replicas), ",", " and ")
}

// primary names the view that a weak quorum is in, so that no single
// liar's word is passed on as the cluster's.
func primary(answers []answer, system quorum.System, words protocol.Words) string {
	in := map[consensus.View]int{}
	for _, a := range answers {
		if s := present(a); s != nil && !s.Changing {
			in[s.View]++
		}
	}
	best, found := consensus.View(0), false
	for v, n := range in {
		if n >= system.Weak() && (!found || v > best) {
			best, found = v, true
		}
	}
	if !found {
		return fmt.Sprintf("No %s is known to be active.", words.View)
	}
	id := system.Primary(best)
	return fmt.Sprintf("%s %d, %s is replica %d%s.", capital(words.View), best, words.Lead, id, unfit(answers, id, best))
}

// unfit says what speaks against the leader of a view, if anything does.
func unfit(answers []answer, leader consensus.ReplicaID, view consensus.View) string {
	for _, a := range answers {
		switch s := a.Status; {
		case a.Replica != int(leader):
		case s == nil:
			return ", which does not answer"
		case len(s.Stalled) > 0:
			return ", which stands still"
		case s.Rejoining:
			return ", which is rejoining and does not lead"
		case s.View != view || s.Changing:
			return ", which no longer leads"
		}
	}
	return ""
}

// elected names the leader of the highest view that anybody follows one in.
// Members are believed there; that two of them name two leaders for one view is
// what no honest members do.
func elected(answers []answer, _ quorum.System, words protocol.Words) string {
	var top, best consensus.View
	var leaders quorum.Set
	for _, a := range answers {
		if present(a) == nil {
			continue
		}
		top = max(top, a.Status.View)
		if a.Status.Changing || a.Status.View < best {
			continue
		}
		if a.Status.View > best {
			best, leaders = a.Status.View, quorum.Set(0)
		}
		leaders.Add(a.Status.Primary)
	}
	switch leaders.Len() {
	case 0:
		return fmt.Sprintf("No %s is known: the highest %s is %d.", words.Lead, words.View, top)
	case 1:
		id := leaders.Replicas()[0]
		return fmt.Sprintf("%s %d, %s is replica %d%s.", capital(words.View), best, words.Lead, id, unfit(answers, id, best))
	}
	return fmt.Sprintf("%s %d has more than one %s, replicas %s: a member voted twice, because it lies or has lost its disk.", capital(words.View), best, words.Lead, ids(leaders.Replicas()))
}

// parted compares the states at equal heights: two roots at one are a fork, or
// the word of a liar.
func parted(answers []answer, words protocol.Words) []string {
	type place struct {
		seq  consensus.Seq
		root crypto.Digest
	}
	said, roots := map[place][]consensus.ReplicaID{}, map[consensus.Seq][]crypto.Digest{}
	var heights []consensus.Seq // with two roots, as they are found
	for _, a := range answers {
		if a.Status == nil || a.Status.RootSeq == 0 {
			continue
		}
		at := place{a.Status.RootSeq, a.Status.Root}
		if said[at] == nil {
			if roots[at.seq] = append(roots[at.seq], at.root); len(roots[at.seq]) == 2 {
				heights = append(heights, at.seq)
			}
		}
		said[at] = append(said[at], consensus.ReplicaID(a.Replica))
	}
	var lines []string
	for _, seq := range heights {
		var each []string
		for _, root := range roots[seq] {
			each = append(each, fmt.Sprintf("%s at replica %s", root.Short(), ids(said[place{seq, root}])))
		}
		lines = append(lines, fmt.Sprintf("THE STATES DIFFER: the root at %s %d is %s; run `quorate check`.", words.Place, seq, strings.Join(each, ", and ")))
	}
	return lines
}

// tooFew names those whose votes are missing, and why, if the rest are no
// quorum. A rejoining replica does not vote, however alive it is; one between
// views votes for the next view and for nothing else.
func tooFew(answers []answer, system quorum.System, p protocol.Protocol) string {
	var silent, still, rejoining, between []string
	for _, a := range answers {
		switch id := fmt.Sprint(a.Replica); {
		case a.Status == nil:
			silent = append(silent, id)
		case len(a.Status.Stalled) > 0:
			still = append(still, id)
		case a.Status.Rejoining:
			rejoining = append(rejoining, id)
		case a.Status.Changing:
			between = append(between, id)
		}
	}
	line, able := "No progress is possible", system.Size()-len(silent)-len(still)-len(rejoining)
	until, without := fmt.Sprintf("No progress until the next %s begins", p.Words.View), fmt.Sprintf("between %ss", p.Words.View)
	if p.Elected {
		until, without = fmt.Sprintf("No progress until a %s is elected", p.Words.Lead), "without a "+p.Words.Lead
	}
	switch {
	case able-len(between) >= system.Quorum():
		return ""
	case able >= system.Quorum():
		line, able = until, able-len(between)
	default:
		between = nil // they wait for the others, as all do
	}
	line += fmt.Sprintf(": %d of %d replicas take part, %d are needed", able, system.Size(), system.Quorum())
	for _, group := range []struct {
		name string
		ids  []string
	}{{"silent", silent}, {"standing still", still}, {"rejoining", rejoining}, {without, between}} {
		if len(group.ids) > 0 {
			line += fmt.Sprintf("; %s: %s", group.name, strings.Join(group.ids, ", "))
		}
	}
	return line + "."
}

// lack says what lacks whom: a certificate, or votes for a leader or
// acknowledgements.
func lack(l consensus.Lack, p protocol.Protocol) string {
	article, at := "the ", "of"
	if p.Elected {
		article, at = "", "at"
	}
	if l.Seq == 0 && !l.InView && l.Need == 0 { // of no slot and no view: a clock
		return "the " + l.What + ": set it right"
	}
	var b strings.Builder
	b.WriteString(article + l.What)
	if l.Seq > 0 {
		fmt.Fprintf(&b, " %s %s %d", at, p.Words.Place, l.Seq)
	}
	if l.InView {
		fmt.Fprintf(&b, " in %s %d", p.Words.View, l.View)
	}
	if l.Need > 0 && len(l.Have) < l.Need { // else it is no number that lacks
		fmt.Fprintf(&b, ": it has %d of %d", len(l.Have), l.Need)
		if len(l.Have) > 0 {
			fmt.Fprintf(&b, " (from %s)", ids(l.Have))
		}
	}
	if len(l.Missing) > 0 {
		fmt.Fprintf(&b, "; replica %s could supply it", strings.Join(strings.Fields(strings.ReplaceAll(ids(l.Missing), ",", " ")), " or "))
	}
	return b.String()
}

// capital begins a sentence with a word.
func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }
