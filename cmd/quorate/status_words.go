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
		if a.Status == nil {
			continue
		}
		for _, l := range a.Status.Waiting {
			lines, quiet = append(lines, fmt.Sprintf("Replica %d waits for %s.", a.Replica, lack(l, p))), false
		}
	}
	if quiet {
		lines = append(lines, "Idle: nothing is pending.")
	}
	return lines
}

// primary names the view that a weak quorum is in, so that no single
// liar's word is passed on as the cluster's.
func primary(answers []answer, system quorum.System, words protocol.Words) string {
	in := map[consensus.View]int{}
	for _, a := range answers {
		if a.Status != nil && !a.Status.Changing {
			in[a.Status.View]++
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
		if a.Status == nil {
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
	var silent, rejoining, between []string
	for _, a := range answers {
		switch id := fmt.Sprint(a.Replica); {
		case a.Status == nil:
			silent = append(silent, id)
		case a.Status.Rejoining:
			rejoining = append(rejoining, id)
		case a.Status.Changing:
			between = append(between, id)
		}
	}
	line, able := "No progress is possible", system.Size()-len(silent)-len(rejoining)
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
	}{{"silent", silent}, {"rejoining", rejoining}, {without, between}} {
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
	var b strings.Builder
	b.WriteString(article + l.What)
	if l.Seq > 0 {
		fmt.Fprintf(&b, " %s %s %d", at, p.Words.Place, l.Seq)
	}
	fmt.Fprintf(&b, " in %s %d", p.Words.View, l.View)
	if l.Need > 0 {
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
