package trial

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/sim"
)

// book is what courses ask a replica to print, as seen from outside: its log,
// how far each slot has come, and the views that were opened.
type book struct {
	rules    *message.Rules
	replicas int
	texts    map[string]string
	batches  map[crypto.Digest]string   // requests, for people
	slots    []map[consensus.Seq]*entry // by replica
	opened   map[consensus.View]bool
	views    [][]string
}

// entry is a slot at one replica.
type entry struct {
	stage  int // index in stages
	view   consensus.View
	digest crypto.Digest
}

// stages are how far a slot has come, as courses abbreviate it.
var stages = []string{"X", "PP", "P", "C", "E"}

const (
	stageProposed = iota + 1
	stagePrepared
	stageCommitted
	stageExecuted
)

// maxBatches bounds the batches whose requests are remembered.
const maxBatches = 1 << 14

func newBook(g consensus.Genesis, replicas int, texts map[string]string) (*book, error) {
	rules, err := message.NewRules(g)
	if err != nil {
		return nil, fmt.Errorf("book of a scenario: %w", err)
	}
	b := &book{
		rules: rules, replicas: replicas, texts: texts, batches: map[crypto.Digest]string{}, opened: map[consensus.View]bool{},
		views: [][]string{{"view", "primary", "on the word of", "proposed again"}},
	}
	for range replicas {
		b.slots = append(b.slots, map[consensus.Seq]*entry{})
	}
	return b, nil
}

// replica is the number behind a name such as R3; -1 for a client's.
func (b *book) replica(name string) int {
	var i int
	if _, err := fmt.Sscanf(name, "R%d", &i); err != nil || i < 0 || i >= b.replicas {
		return -1
	}
	return i
}

// step takes one event of the run.
func (b *book) step(s sim.Step) {
	switch s.Kind {
	case sim.StepSend, sim.StepDeliver:
		b.frame(s)
	case sim.StepExecute:
		b.reach(b.replica(s.From), s.Seq, stageExecuted, s.View, crypto.Digest{})
	case sim.StepNote:
		if s.Note == nil {
			return
		}
		stage, known := map[consensus.NoteKind]int{consensus.Prepared: stagePrepared, consensus.Committed: stageCommitted}[s.Note.Kind]
		if known {
			b.reach(b.replica(s.From), s.Note.Seq, stage, s.Note.View, s.Note.Digest)
		}
	}
}

// frame learns proposals, at their sender and where they arrive, and NEW-VIEWs.
func (b *book) frame(s sim.Step) {
	if len(s.Frame) == 0 || s.Frame[0] != byte(message.PrePrepareKind) && s.Frame[0] != byte(message.NewViewKind) {
		return
	}
	m, err := b.rules.Decode(s.Frame)
	if err != nil {
		return
	}
	switch m := m.(type) {
	case *message.PrePrepare:
		if len(b.batches) < maxBatches {
			b.batches[m.Digest] = b.requests(m.Batch)
		}
		at := s.To
		if s.Kind == sim.StepSend {
			at = s.From
		}
		b.reach(b.replica(at), m.Seq, stageProposed, m.View, m.Digest)
	case *message.NewView:
		if !b.opened[m.View] {
			b.opened[m.View] = true
			said := newView(m)
			b.views = append(b.views, []string{fmt.Sprintf("%d", m.View), fmt.Sprintf("R%d", m.Replica), replicaNames(said.Signers), seqs(said.Slots)})
		}
	}
}

// reach notes that a slot has come so far; it never goes back.
func (b *book) reach(at int, n consensus.Seq, stage int, v consensus.View, d crypto.Digest) {
	if at < 0 || n == 0 {
		return
	}
	e := b.slots[at][n]
	if e == nil {
		e = &entry{}
		b.slots[at][n] = e
	}
	if stage < e.stage {
		return
	}
	e.stage, e.view = stage, max(e.view, v)
	if !d.IsZero() {
		e.digest = d
	}
}

// requests prints a batch as the scenario wrote it.
func (b *book) requests(batch *consensus.Batch) string {
	if batch == nil {
		return "null"
	}
	var all []string
	for _, r := range batch.Requests {
		for _, op := range r.Operations {
			text := b.texts[string(op)]
			if text == "" {
				text = fmt.Sprintf("%d bytes", len(op))
			}
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}

// heights are all slots that anybody knows, ascending.
func (b *book) heights() []consensus.Seq {
	var all []consensus.Seq
	for _, slots := range b.slots {
		for n := range slots {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// log has a row for each slot that a replica has executed, in order.
func (b *book) log() [][]string {
	rows := [][]string{{"replica", "slot", "view", "digest", "requests"}}
	heights := b.heights()
	for i, slots := range b.slots {
		for _, n := range heights {
			if e := slots[n]; e != nil && e.stage == stageExecuted {
				text := b.batches[e.digest]
				if e.digest == consensus.NullDigest {
					text = "null"
				}
				rows = append(rows, []string{fmt.Sprintf("R%d", i), fmt.Sprintf("%d", n), fmt.Sprintf("%d", e.view), e.digest.Short(), text})
			}
		}
	}
	return rows
}

// status has a column for each slot: X nothing, PP proposed, P prepared, C
// committed, E executed.
func (b *book) status() [][]string {
	heights := b.heights()
	head := []string{""}
	for _, n := range heights {
		head = append(head, fmt.Sprintf("%d", n))
	}
	rows := [][]string{head}
	for i, slots := range b.slots {
		row := []string{fmt.Sprintf("R%d", i)}
		for _, n := range heights {
			stage := 0
			if e := slots[n]; e != nil {
				stage = e.stage
			}
			row = append(row, stages[stage])
		}
		rows = append(rows, row)
	}
	return rows
}

func replicaNames(ids []consensus.ReplicaID) string {
	var all []string
	for _, id := range ids {
		all = append(all, fmt.Sprintf("R%d", id))
	}
	return strings.Join(all, " ")
}

func seqs(ns []consensus.Seq) string {
	if len(ns) == 0 {
		return "nothing"
	}
	var all []string
	for _, n := range ns {
		all = append(all, fmt.Sprintf("%d", n))
	}
	return strings.Join(all, " ")
}
