package linear

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"quorate.dev/quorate/consensus"
)

// register is one that is written and read: "w<key><digit>" and "r<key>".
func register() Model {
	return Model{
		Init: "0",
		Read: func(op []byte) Reading {
			switch op[0] {
			case 'w', 'r':
				return Reading{Keys: []string{string(op[1:2])}, Single: true, ReadOnly: op[0] == 'r', Input: string(op)}
			case 'm': // several at once
				return Reading{Keys: []string{string(op[1:2]), string(op[2:3])}}
			}
			return Reading{}
		},
		Step: func(state, input any, r *consensus.Result) (any, bool) {
			if op := input.(string); op[0] == 'w' {
				return op[2:], true
			}
			return state, r == nil || string(r.Data) == state.(string)
		},
	}
}

func answered(op string, began, ended consensus.Time, data string) Call {
	return Call{Op: []byte(op), Began: began, Ended: ended, Result: &consensus.Result{Data: []byte(data)}}
}

func open(op string, began consensus.Time) Call { return Call{Op: []byte(op), Began: began} }

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name            string
		calls           []Call
		good, bad, open []string
	}{
		{"nothing", nil, nil, nil, nil},
		{"one after the other", []Call{answered("wa1", 1, 2, ""), answered("ra", 3, 4, "1")}, []string{"a"}, nil, nil},
		{"told in any order", []Call{answered("ra", 3, 4, "1"), answered("wa1", 1, 2, "")}, []string{"a"}, nil, nil},
		{"a stale read", []Call{answered("wa1", 1, 2, ""), answered("ra", 3, 4, "0")}, nil, []string{"a"}, nil},
		{"a stale read at the same time", []Call{answered("wa1", 1, 3, ""), answered("ra", 3, 4, "0")}, []string{"a"}, nil, nil},
		{"one key good and one bad", []Call{answered("wa1", 1, 2, ""), answered("rb", 3, 4, "7")}, []string{"a"}, []string{"b"}, nil},
		{"a write without an answer was executed", []Call{open("wa1", 1), answered("ra", 3, 4, "1")}, []string{"a"}, nil, nil},
		{"... or not, or later", []Call{open("wa1", 1), answered("ra", 3, 4, "0"), answered("ra", 5, 6, "1")}, []string{"a"}, nil, nil},
		{"... but not undone", []Call{open("wa1", 1), answered("ra", 3, 4, "1"), answered("ra", 5, 6, "0")}, nil, []string{"a"}, nil},
		{"... and not before it began", []Call{answered("ra", 1, 2, "1"), open("wa1", 3)}, nil, []string{"a"}, nil},
		{"a read without an answer", []Call{open("ra", 1)}, nil, nil, nil},
		{"a write to two keys", []Call{answered("mab", 1, 2, ""), answered("ra", 3, 4, "9"), answered("rc", 3, 4, "0")}, []string{"c"}, nil, []string{"a", "b"}},
		{"what is of no interest", []Call{answered("x", 1, 2, "")}, nil, nil, nil},
	} {
		r := Check(register(), c.calls, 0)
		if !slices.Equal(r.Good, c.good) || !slices.Equal(r.Bad, c.bad) || !slices.Equal(r.Open, c.open) {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

// A search that does not end in time leaves its key open, whichever way it
// would have ended, and takes the steps that it was given.
func TestBudget(t *testing.T) {
	var calls []Call
	for i := range 12 {
		calls = append(calls, answered("wa"+strconv.Itoa(i%10), 1, 100, ""))
	}
	for last, want := range map[string]string{"5": "good", "x": "bad"} {
		history := append(slices.Clone(calls), answered("ra", 101, 102, last))
		if r := Check(register(), history, 5); len(r.Open) != 1 || r.Steps != 5 {
			t.Errorf("%s, 5 steps: %+v", want, r)
		}
		r := Check(register(), history, 1_000_000)
		if want == "good" != (len(r.Good) == 1) || want == "bad" != (len(r.Bad) == 1) {
			t.Errorf("%s: %+v", want, r)
		}
		if again := Check(register(), history, 1_000_000); again.Steps != r.Steps {
			t.Errorf("%s: %d steps, then %d", want, r.Steps, again.Steps)
		}
	}
}

// The memory of a search is bounded, so a long history gets fewer steps.
func TestStepsFitMemory(t *testing.T) {
	if got := steps(1<<30, 10); got != maxMemory/129 {
		t.Errorf("10 calls: %d", got)
	}
	if got := steps(100, 10); got != 100 {
		t.Errorf("a small budget: %d", got)
	}
	if got := steps(defaultBudget, 1<<20) * (1 << 20 / 8); got > maxMemory {
		t.Errorf("a million calls: %d bytes", got)
	}
}

// The verdict is that of trying every order.
func TestCheckAgreesWithEveryOrder(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	bad := 0
	for range 3000 {
		var calls []Call
		for i := range 1 + dice.IntN(6) {
			began := consensus.Time(dice.IntN(12))
			c := answered("ra", began, began+consensus.Time(dice.IntN(6)), strconv.Itoa(dice.IntN(3)))
			if dice.IntN(2) == 0 {
				c.Op = []byte("wa" + strconv.Itoa(1+i%2))
				if dice.IntN(4) == 0 {
					c.Result = nil
				}
			}
			calls = append(calls, c)
		}
		r, want := Check(register(), calls, 0), someOrder(register(), "0", calls)
		if len(r.Open) > 0 || want != (len(r.Bad) == 0) {
			t.Fatalf("%+v, want %v: %+v", r, want, calls)
		}
		if !want {
			bad++
		}
	}
	if bad < 300 || bad > 2700 {
		t.Errorf("%d of 3000 histories are bad: the dice show little", bad)
	}
}

// someOrder tries every order that is true to real time.
func someOrder(m Model, state any, rest []Call) bool {
	done := true
	for i, c := range rest {
		done = done && c.Result == nil
		before := slices.ContainsFunc(rest, func(o Call) bool { return o.Result != nil && o.Ended < c.Began })
		if before {
			continue
		}
		if next, ok := m.Step(state, m.Read(c.Op).Input, c.Result); ok && someOrder(m, next, slices.Delete(slices.Clone(rest), i, i+1)) {
			return true
		}
	}
	return done
}
