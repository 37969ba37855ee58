package check

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
)

// past is what the agreed history says of a READ's result.
type past uint8

const (
	pastUnknown past = iota
	pastHas          // a state gives it that the READ may have seen
	pastLacks        // none does
)

// maxLooks bounds how often the READs of a run are read again, all together.
const maxLooks = 1 << 22

// keep remembers an agreed batch for READs to be held against.
func (j *Judge) keep(c *consensus.Commit) {
	if _, known := j.kept[c.Seq]; !known && j.kept != nil {
		j.kept[c.Seq] = *c
	}
}

// readable reports whether the agreed history can say what a READ should have
// found: its model must know the operation. How much of a range fits an answer, for
// one, depends on what was asked beside it.
func (j *Judge) readable(c *call) bool {
	return j.kept != nil && j.cfg.Model.Read(c.op).Single
}

// settleReads holds the results of READs that no honest replica is known to have
// given against the agreed history. One of its states must give them: none from
// before what had been answered when the call began, and none with what was asked
// for after it had ended. So a liar's right answer is right. In which order READs
// saw these states, linearizability tells.
func (j *Judge) settleReads() {
	b := &j.accepted
	var reads []*call
	for _, c := range b.doubted {
		switch {
		case c.unordered && j.readable(c):
			reads = append(reads, c)
		case c.unordered:
			c.past, c.to = pastLacks, c.seq
		}
	}
	if len(reads) == 0 {
		return
	}
	j.boundReads(reads)
	last := j.lookAgain(reads)
	whole := !j.partial && j.forkAt == 0 && int(last) == len(j.kept)
	for _, c := range reads {
		// What follows upon the history that was told, a READ may have seen.
		if c.past == pastUnknown && c.to == math.MaxUint64 && whole && c.ended <= j.until {
			c.past, c.to = pastLacks, last
		}
	}
	b.doubted = slices.DeleteFunc(b.doubted, func(c *call) bool { return c.past == pastHas })
}

// boundReads finds from which height to which READs may have read.
func (j *Judge) boundReads(reads []*call) {
	ended := slices.Clone(j.accepted.held)
	slices.SortStableFunc(ended, func(a, b *call) int { return cmp.Compare(a.ended, b.ended) })
	began := slices.DeleteFunc(slices.Clone(ended), func(c *call) bool { return c.unordered })
	slices.SortStableFunc(began, func(a, b *call) int { return cmp.Compare(b.began, a.began) })
	highest, lowest := make([]consensus.Seq, len(ended)+1), make([]consensus.Seq, len(began)+1)
	for i, c := range ended {
		highest[i+1] = max(highest[i], c.seq)
	}
	lowest[0] = math.MaxUint64
	for i, c := range began {
		lowest[i+1] = min(lowest[i], c.seq-1)
	}
	for _, r := range reads {
		before := sort.Search(len(ended), func(i int) bool { return ended[i].ended >= r.began })
		after := sort.Search(len(began), func(i int) bool { return began[i].began <= r.ended })
		r.from, r.to = highest[before], lowest[after]
	}
}

// lookAgain executes the agreed history once more, up to the first height that is
// missing or at which it is forked, and looks for what was read in its states. It
// returns how far it came.
func (j *Judge) lookAgain(reads []*call) consensus.Seq {
	m, err := app.Open(state.NewMemory(), j.cfg.Application, j.cfg.Genesis, app.Options{Replica: executor})
	if err != nil {
		return 0
	}
	reads = slices.SortedStableFunc(slices.Values(reads), func(a, b *call) int { return cmp.Compare(a.from, b.from) })
	var open []*call
	for looks := 0; ; {
		n := m.Applied()
		for len(reads) > 0 && reads[0].from <= n {
			open, reads = append(open, reads[0]), reads[1:]
		}
		if looks += len(open); looks > maxLooks {
			return n
		}
		open = slices.DeleteFunc(open, func(c *call) bool { return j.lookAt(m, c) })
		c, agreed := j.kept[n+1]
		if len(open)+len(reads) == 0 || !agreed || j.forkAt != 0 && n+1 >= j.forkAt {
			return n
		}
		if _, err := advance(m, c); err != nil {
			return n
		}
	}
}

// lookAt reports whether a READ is decided by the state as it is. What it gave then
// counts as an answer.
func (j *Judge) lookAt(m *app.Machine, c *call) bool {
	q := &consensus.Query{Client: c.client, Operations: [][]byte{c.op}}
	f, _, err := m.Look(&consensus.Lookup{Query: q})
	switch n := m.Applied(); {
	case err != nil:
		return true
	case n <= c.to && f.Results[0].Code == c.result.Code && bytes.Equal(f.Results[0].Data, c.result.Data):
		c.past, c.seq = pastHas, n
		j.accepted.held = append(j.accepted.held, c)
	case n < c.to:
		return false
	default:
		c.past = pastLacks
	}
	return true
}

// advance executes an agreed batch, and keeps the state where one is due.
func advance(m *app.Machine, c consensus.Commit) (app.Outcome, error) {
	out, err := m.Do(c)
	for _, e := range out.Events {
		if e, ok := e.(consensus.Rooted); ok && err == nil {
			if _, err = m.Do(consensus.Stabilize{Seq: e.Seq, Root: e.Root}); err != nil {
				err = fmt.Errorf("keep the state: %w", err)
			}
		}
	}
	return out, err
}
