package check

import (
	"bytes"
	"fmt"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check/linear"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/noun"
)

// Store is the model of the key-value store for one key: get, put, delete and
// compare-and-swap. Ranges are not judged; what a transaction may write to
// leaves its keys undecided.
func Store() *linear.Model {
	return &linear.Model{Init: keyState{}, Read: readStore, Step: stepStore, Words: storeWords}
}

// keyState is what a key holds. The revision of a write that was not answered is
// unknown until somebody reads it.
type keyState struct {
	present  bool
	revision uint64 // 0 = unknown
	value    string
}

func readStore(op []byte) linear.Reading {
	o, err := kv.Decode(op)
	if err != nil {
		return linear.Reading{}
	}
	switch o.Kind {
	case kv.KindGet, kv.KindPut, kv.KindDelete, kv.KindSwap:
		return linear.Reading{Keys: []string{string(o.Key)}, Single: true, ReadOnly: o.Kind == kv.KindGet, Input: &o}
	case kv.KindTxn:
		return linear.Reading{Keys: written(&o)}
	}
	return linear.Reading{}
}

// written lists the keys that a transaction may write to.
func written(txn *kv.Operation) []string {
	var keys []string
	for _, list := range [][]kv.Operation{txn.Then, txn.Else} {
		for i := range list {
			if k := list[i].Kind; k == kv.KindPut || k == kv.KindDelete || k == kv.KindSwap {
				keys = append(keys, string(list[i].Key))
			}
		}
	}
	return keys
}

func stepStore(state, input any, result *consensus.Result) (any, bool) {
	now, o := state.(keyState), input.(*kv.Operation)
	if result != nil && result.Code != consensus.ResultOK {
		return now, true // nothing of it stays, and why is not judged here
	}
	switch o.Kind {
	case kv.KindGet:
		return now.get(result)
	case kv.KindPut:
		revision, ok := revisionOf(result)
		return keyState{present: true, revision: revision, value: string(o.Value)}, ok
	case kv.KindDelete:
		if result == nil {
			return keyState{}, true
		}
		existed, err := kv.ParseDelete(result.Data)
		return keyState{}, err == nil && existed == now.present
	}
	return now.swap(o, result)
}

// revisionOf reads the revision of a put, if it was answered.
func revisionOf(result *consensus.Result) (revision uint64, ok bool) {
	if result == nil {
		return 0, true
	}
	revision, err := kv.ParsePut(result.Data)
	return revision, err == nil
}

func (c keyState) get(result *consensus.Result) (any, bool) {
	if result == nil {
		return c, true
	}
	e, found, err := kv.ParseGet(result.Data)
	if err != nil || found != c.present {
		return c, false
	}
	return c.read(e, found)
}

// read holds what was read against c, and learns a revision that was unknown.
func (c keyState) read(e kv.Entry, found bool) (any, bool) {
	if !found {
		return c, !c.present
	}
	if !c.present || string(e.Value) != c.value || c.revision != 0 && c.revision != e.Revision {
		return c, false
	}
	c.revision = e.Revision
	return c, true
}

func (c keyState) swap(o *kv.Operation, result *consensus.Result) (any, bool) {
	holds := c.present != o.Absent && (!c.present || bytes.Equal([]byte(c.value), o.Expect))
	next := keyState{present: !o.Remove, value: string(o.Value)}
	if o.Remove {
		next.value = ""
	}
	if result == nil {
		if holds {
			return next, true
		}
		return c, true
	}
	r, err := kv.ParseSwap(result.Data)
	switch {
	case err != nil || r.Done != holds:
		return c, false
	case !holds:
		return c.read(r.Current, r.Present)
	case next.present:
		next.revision = r.Revision
	}
	return next, true
}

// storeWords say what was asked of the key-value store, and what it answered.
func storeWords(op []byte, r *consensus.Result) (asked, answered string) {
	o, err := kv.Decode(op)
	if err != nil {
		return quoted(op, r)
	}
	key := noun.Quote(o.Key)
	switch o.Kind {
	case kv.KindGet:
		asked = "get " + key
	case kv.KindPut:
		asked = "put " + key + " " + noun.Quote(o.Value)
	case kv.KindDelete:
		asked = "delete " + key
	case kv.KindSwap:
		asked = "compare-and-swap " + key
	case kv.KindRange:
		asked = "range from " + key
	case kv.KindTxn:
		asked = "a transaction"
	}
	return asked, answerOf(r, func() string { return storeAnswer(o.Kind, r.Data) })
}

// storeAnswer is what the store answered, as far as it can be read.
func storeAnswer(k kv.Kind, data []byte) string {
	switch k {
	case kv.KindGet:
		if e, found, err := kv.ParseGet(data); err == nil && found {
			return fmt.Sprintf("%s of revision %d", noun.Quote(e.Value), e.Revision)
		} else if err == nil {
			return "not found"
		}
	case kv.KindPut:
		if revision, err := kv.ParsePut(data); err == nil {
			return fmt.Sprintf("revision %d", revision)
		}
	case kv.KindDelete:
		if existed, err := kv.ParseDelete(data); err == nil {
			return map[bool]string{true: "deleted", false: "not found"}[existed]
		}
	case kv.KindSwap:
		if s, err := kv.ParseSwap(data); err == nil && s.Done {
			return fmt.Sprintf("done, revision %d", s.Revision)
		} else if err == nil && s.Present {
			return fmt.Sprintf("not done, for it holds %s of revision %d", noun.Quote(s.Current.Value), s.Current.Revision)
		} else if err == nil {
			return "not done, for it is not there"
		}
	}
	return noun.Quote(data)
}
