package course

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// SlotTable is what courses ask a replica to print, as seen from outside: its log,
// how far each slot has come, and the views that were opened.
type SlotTable struct {
	read     func(frame []byte) (protocol.Summary, bool)
	replicas int
	texts    map[string]string
	requests map[crypto.Digest]string  // for people
	batches  map[crypto.Digest]string  // their requests
	slots    []map[consensus.Seq]*slot // by replica
	opened   map[consensus.View]bool
	views    [][]string
}

// slot is a slot at one replica.
type slot struct {
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

// maxBatches bounds the requests and the batches that are remembered.
const maxBatches = 1 << 14

// NewSlotTable is empty. It prints operations as texts have them.
func NewSlotTable(p protocol.Protocol, g consensus.Genesis, texts map[string]string) *SlotTable {
	t := &SlotTable{
		read: p.Codec(g).Summary, replicas: len(g.Replicas), texts: texts, requests: map[crypto.Digest]string{}, batches: map[crypto.Digest]string{},
		opened: map[consensus.View]bool{}, views: [][]string{{p.Words.View, p.Words.Lead, "on the word of", "proposed again"}},
	}
	for range t.replicas {
		t.slots = append(t.slots, map[consensus.Seq]*slot{})
	}
	return t
}

// Replica is the number behind a name such as R3; -1 for a client's.
func (t *SlotTable) Replica(name string) int {
	var i int
	if _, err := fmt.Sscanf(name, "R%d", &i); err != nil || i < 0 || i >= t.replicas {
		return -1
	}
	return i
}

// Step takes one event of the run.
func (t *SlotTable) Step(s sim.Step) {
	switch s.Kind {
	case sim.StepSend, sim.StepDeliver:
		t.frame(s)
	case sim.StepExecute:
		t.reach(t.Replica(s.From), s.Seq, stageExecuted, s.View, crypto.Digest{})
	case sim.StepNote:
		if s.Note == nil {
			return
		}
		stage, known := map[consensus.NoteKind]int{consensus.Prepared: stagePrepared, consensus.Committed: stageCommitted}[s.Note.Kind]
		if known {
			t.reach(t.Replica(s.From), s.Note.Seq, stage, s.Note.View, s.Note.Digest)
		}
	}
}

// frame learns requests, proposals, at their sender and where they arrive, and
// who opened a view on whose word.
func (t *SlotTable) frame(s sim.Step) {
	said, ok := t.read(s.Frame)
	switch {
	case !ok:
	case said.Kind == protocol.KindRequest:
		t.request(s.Frame)
	case said.Topic == protocol.Proposal && said.Valued:
		if len(t.batches) < maxBatches {
			t.batches[said.Value] = t.batch(said.Request)
		}
		at := s.To
		if s.Kind == sim.StepSend {
			at = s.From
		}
		t.reach(t.Replica(at), said.Seq, stageProposed, said.View, said.Value)
	case len(said.Signers) > 0 && !t.opened[said.View]:
		t.opened[said.View] = true
		t.views = append(t.views, []string{fmt.Sprint(said.View), fmt.Sprintf("R%d", said.Signer), spec.List(said.Signers, "R%d", " "), cmp.Or(spec.List(said.Slots, "%d", " "), "nothing")})
	}
}

// reach notes that a slot has come so far; it never goes back.
func (t *SlotTable) reach(at int, n consensus.Seq, stage int, v consensus.View, d crypto.Digest) {
	if at < 0 || n == 0 {
		return
	}
	e := t.slots[at][n]
	if e == nil {
		e = &slot{}
		t.slots[at][n] = e
	}
	if stage < e.stage {
		return
	}
	e.stage, e.view = stage, max(e.view, v)
	if !d.IsZero() {
		e.digest = d
	}
}

// request remembers a request as the scenario wrote it.
func (t *SlotTable) request(frame []byte) {
	r, err := consensus.DecodeRequest(frame)
	if err != nil || len(t.requests) == maxBatches {
		return
	}
	var all []string
	for _, op := range r.Operations {
		text := t.texts[string(op)]
		if text == "" {
			text = fmt.Sprintf("%d bytes", len(op))
		}
		all = append(all, text)
	}
	t.requests[r.Digest] = strings.Join(all, "; ")
}

// batch prints a batch of requests.
func (t *SlotTable) batch(requests []crypto.Digest) string {
	var all []string
	for _, digest := range requests {
		all = append(all, t.requests[digest])
	}
	return strings.Join(all, "; ")
}

// heights are all slots that anybody knows, ascending.
func (t *SlotTable) heights() []consensus.Seq {
	var all []consensus.Seq
	for _, slots := range t.slots {
		all = slices.AppendSeq(all, maps.Keys(slots))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Log has a row for each slot that a replica has executed, in order.
func (t *SlotTable) Log() [][]string {
	rows := [][]string{{"replica", "slot", "view", "digest", "requests"}}
	heights := t.heights()
	for i, slots := range t.slots {
		for _, n := range heights {
			if e := slots[n]; e != nil && e.stage == stageExecuted {
				text := t.batches[e.digest]
				if e.digest == consensus.NullDigest {
					text = "null"
				}
				rows = append(rows, []string{fmt.Sprintf("R%d", i), fmt.Sprintf("%d", n), fmt.Sprintf("%d", e.view), e.digest.Short(), text})
			}
		}
	}
	return rows
}

// Status has a column for each slot: X nothing, PP proposed, P prepared, C
// committed, E executed.
func (t *SlotTable) Status() [][]string {
	heights := t.heights()
	head := []string{""}
	for _, n := range heights {
		head = append(head, fmt.Sprintf("%d", n))
	}
	rows := [][]string{head}
	for i, slots := range t.slots {
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

// Views has a row for each NEW-VIEW.
func (t *SlotTable) Views() [][]string { return t.views }
