package simulate

import (
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
)

// transaction lets a client invoke one and wait for its result; not ok when the
// run is over.
type transaction func(text string, compares []kv.Compare, then ...[]byte) (branch kv.Branch, ok bool)

// operations are what a client asks for, one after the other. Those of the store
// are transactions with a condition of their own that always holds: a client must
// not ask twice for equal bytes, or checkers could not tell a repetition from an
// execution twice.
func (t *scenarioRun) operations(index int) iter.Seq[operation] {
	return func(yield func(operation) bool) {
		p, n := t.clients[index], 0
		ask := func(op []byte, at consensus.Time, text string) bool {
			t.texts[string(op)] = text
			return yield(operation{op, at})
		}
		for _, x := range p.tasks {
			invoke := func(text string, compares []kv.Compare, then ...[]byte) (kv.Branch, bool) {
				n++
				unique := kv.Missing(fmt.Appendf(nil, "~%d.%d", index, n))
				op := kv.Txn(append([]kv.Compare{unique}, compares...), then, nil)
				if !ask(op, x.at, text) {
					return kv.Branch{}, false
				}
				b, err := kv.ParseTxn(p.before.Data)
				if p.before.Code != consensus.ResultOK || err != nil {
					b = kv.Branch{}
				}
				return b, true
			}
			var result string
			var ok bool
			if x.request.Verb == spec.Invoke {
				ok = ask([]byte(strings.Join(x.request.Args, " ")), x.at, x.request.String())
				result = string(p.before.Data)
			} else {
				result, ok = t.perform(&x, invoke)
			}
			if !ok {
				return
			}
			if x.number >= 0 {
				t.answers[x.set][x.number] = result
			}
		}
	}
}

// perform carries one request out.
func (t *scenarioRun) perform(x *task, invoke transaction) (result string, ok bool) {
	r := x.request
	if x.number < 0 {
		return t.open(invoke)
	}
	key := []byte(r.Args[0])
	switch r.Verb {
	case "put":
		_, ok = invoke(r.String(), nil, kv.Put(key, []byte(r.Args[1])))
		return "done", ok
	case "del":
		b, ok := invoke(r.String(), nil, kv.Delete(key))
		if len(b.Results) == 1 {
			if existed, err := kv.ParseDelete(b.Results[0]); err == nil && !existed {
				return "absent", ok
			}
		}
		return "done", ok
	case "transfer":
		return t.transfer(r, invoke)
	}
	b, ok := invoke(r.String(), nil, kv.Get(key))
	return read(b, 0), ok
}

// open puts the balance that every account begins with.
func (t *scenarioRun) open(invoke transaction) (string, bool) {
	var puts [][]byte
	for _, name := range t.scenario.Accounts() {
		puts = append(puts, kv.Put([]byte(name), strconv.AppendUint(nil, t.scenario.Balance, 10)))
	}
	_, ok := invoke("open accounts", nil, puts...)
	return "done", ok
}

// read is what one get of a transaction found.
func read(b kv.Branch, i int) string {
	if i >= len(b.Results) {
		return "failed"
	}
	e, found, err := kv.ParseGet(b.Results[i])
	switch {
	case err != nil:
		return "failed"
	case !found:
		return "absent"
	}
	return string(e.Value)
}

// maxTries bounds how often a transfer begins again because another one came
// in between.
const maxTries = 8

// transfer moves a sum: it reads both accounts and writes them if they still
// hold what was read.
func (t *scenarioRun) transfer(r spec.Request, invoke transaction) (string, bool) {
	from, to := []byte(r.Args[0]), []byte(r.Args[1])
	sum, _ := strconv.ParseUint(r.Args[2], 10, 62)
	for range maxTries {
		b, ok := invoke("read for "+r.String(), nil, kv.Get(from), kv.Get(to))
		if !ok {
			return "", false
		}
		have, other := read(b, 0), read(b, 1)
		payer, err := strconv.ParseUint(have, 10, 62)
		payee, err2 := strconv.ParseUint(other, 10, 62)
		switch {
		case err != nil || err2 != nil:
			return "no such account", true
		case payer < sum:
			return fmt.Sprintf("refused: %s holds %d", r.Args[0], payer), true
		case r.Args[0] == r.Args[1]:
			return "done", true
		case payee > math.MaxInt64-sum:
			return "refused: too much", true
		}
		same := []kv.Compare{kv.CompareValue(from, kv.Equal, []byte(have)), kv.CompareValue(to, kv.Equal, []byte(other))}
		b, ok = invoke(r.String(), same, kv.Put(from, strconv.AppendUint(nil, payer-sum, 10)), kv.Put(to, strconv.AppendUint(nil, payee+sum, 10)))
		if !ok || b.Held {
			return "done", ok
		}
	}
	return "refused: others were quicker", true
}
