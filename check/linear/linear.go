package linear

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/anishathalye/porcupine"

	"quorate.dev/quorate/consensus"
)

// Call is one operation from its invocation to its answer.
type Call struct {
	Client       int
	Op           []byte
	Began, Ended consensus.Time
	Result       *consensus.Result // nil if there was no answer; then Ended says nothing
}

// Reading is what a model says of an operation beforehand.
type Reading struct {
	Keys     []string // what it reads and writes; none = nothing of interest
	Single   bool     // it can be judged: it concerns its one key alone. The histories of Keys of others cannot be.
	ReadOnly bool     // it changes nothing: without an answer it tells nothing
	Input    any      // what Step gets
}

// Model is what operations do to the value of one key.
type Model struct {
	Init any // the first state; states are compared by ==
	Read func(op []byte) Reading
	// Step performs an operation on a state and says whether result can be
	// its result. With a nil result it succeeded in whatever way it can.
	Step func(state, input any, result *consensus.Result) (next any, possible bool)
	// Words say for people what was asked and what was answered; nil = bytes do.
	Words func(op []byte, result *consensus.Result) (asked, answered string)
}

// Report is how the histories of all keys were decided.
type Report struct {
	Good, Bad, Open []string // keys: linearizable, not, undecided; ascending
	Steps           int      // of the search
}

// Bounds of a search.
const (
	// defaultBudget is how many steps of one key's search are taken, about
	// a second's worth.
	defaultBudget = 1_000_000

	// maxMemory bounds, in bytes, what one key's search remembers.
	maxMemory = 128 << 20
)

// Check decides a history, each key within budget steps of the search
// (0 = defaultBudget).
func Check(m Model, calls []Call, budget int) Report {
	if budget <= 0 {
		budget = defaultBudget
	}
	var report Report
	histories, open := split(m, calls)
	for _, key := range slices.Sorted(maps.Keys(histories)) {
		if open[key] {
			report.Open = append(report.Open, key)
			continue
		}
		s := search{model: m, left: steps(budget, len(histories[key]))}
		before := s.left
		switch s.decide(histories[key]) {
		case porcupine.Ok:
			report.Good = append(report.Good, key)
		case porcupine.Illegal:
			report.Bad = append(report.Bad, key)
		default:
			report.Open = append(report.Open, key)
		}
		report.Steps += before - s.left
	}
	return report
}

// steps is how many steps a search of so many calls may take: each may
// remember one bit for each call, and a little.
func steps(budget, calls int) int { return min(budget, maxMemory/(calls/8+128)) }

// split deals the calls to the keys that they are about, in the order of their
// beginnings, and says of which keys nothing can be decided.
func split(m Model, calls []Call) (histories map[string][]porcupine.Operation, open map[string]bool) {
	histories, open = map[string][]porcupine.Operation{}, map[string]bool{}
	for i := range calls {
		c := &calls[i]
		r := m.Read(c.Op)
		if len(r.Keys) == 0 || r.ReadOnly && c.Result == nil {
			continue
		}
		if !r.Single || len(r.Keys) != 1 {
			for _, key := range r.Keys {
				histories[key] = append(histories[key], nil...)
				open[key] = open[key] || !r.ReadOnly
			}
			continue
		}
		o := porcupine.Operation{ClientId: c.Client, Input: r.Input, Output: c.Result, Call: int64(c.Began), Return: int64(c.Ended)}
		if c.Result == nil {
			o.Return = math.MaxInt64
		}
		histories[r.Keys[0]] = append(histories[r.Keys[0]], o)
	}
	for _, h := range histories {
		slices.SortStableFunc(h, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	}
	return histories, open
}

// search is one key's. It runs in a goroutine of porcupine's, alone.
type search struct {
	model Model
	left  int
}

func (s *search) decide(history []porcupine.Operation) porcupine.CheckResult {
	if len(history) == 0 {
		return porcupine.Ok
	}
	m := porcupine.Model{
		Init: func() any { return s.model.Init },
		Step: func(state, input, output any) (bool, any) {
			if s.left == 0 {
				return false, state // let it end: nothing is possible any more
			}
			s.left--
			result, _ := output.(*consensus.Result)
			next, possible := s.model.Step(state, input, result)
			return possible, next
		},
	}
	switch {
	case porcupine.CheckOperations(m, history):
		return porcupine.Ok
	case s.left == 0:
		return porcupine.Unknown
	}
	return porcupine.Illegal
}
