package kv_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
)

// encode is the inverse of Decode, for tests.
func encode(o *kv.Operation) []byte {
	maybe := func(absent bool, v []byte) kv.Maybe {
		if absent {
			return kv.None
		}
		return kv.Some(v)
	}
	list := func(ops []kv.Operation) (encoded [][]byte) {
		for i := range ops {
			encoded = append(encoded, encode(&ops[i]))
		}
		return encoded
	}
	switch o.Kind {
	case kv.KindGet:
		return kv.Get(o.Key)
	case kv.KindPut:
		return kv.Put(o.Key, o.Value)
	case kv.KindDelete:
		return kv.Delete(o.Key)
	case kv.KindSwap:
		return kv.CompareAndSwap(o.Key, maybe(o.Absent, o.Expect), maybe(o.Remove, o.Value))
	case kv.KindRange:
		return kv.Range(o.Key, o.To, o.Limit, o.KeysOnly)
	}
	return kv.Txn(o.If, list(o.Then), list(o.Else))
}

// seeds are one operation of each shape.
func seeds() [][]byte {
	k, v := []byte("key"), []byte("value")
	inner := [][]byte{kv.Get(k), kv.Put(k, v), kv.Delete(k), kv.CompareAndSwap(k, kv.None, kv.Some(v)),
		kv.CompareAndSwap(k, kv.Some(v), kv.None), kv.Range(nil, nil, 0, true), kv.Range(k, kv.PrefixEnd(k), 3, false)}
	compares := []kv.Compare{kv.Exists(k), kv.Missing(v), kv.CompareValue(k, kv.Less, v), kv.CompareRevision(k, kv.NotEqual, 7)}
	return append(inner, kv.Txn(compares, inner, inner[:2]), kv.Txn(nil, nil, nil))
}

// One value has one encoding; decoding allocates in proportion to its input.
func FuzzDecode(f *testing.F) {
	for _, op := range seeds() {
		f.Add(op)
	}
	// A transaction that claims many operations and brings none.
	f.Add(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{byte(kv.KindTxn)}, 0), kv.MaxTxn))
	f.Fuzz(func(t *testing.T, op []byte) {
		o, err := kv.Decode(op)
		if err != nil {
			return
		}
		if len(o.If)+len(o.Then)+len(o.Else) > len(op) {
			t.Fatalf("%d compares and %d operations from %d bytes", len(o.If), len(o.Then)+len(o.Else), len(op))
		}
		if again := encode(&o); !bytes.Equal(again, op) {
			t.Fatalf("%x decodes to %+v, which encodes to %x", op, o, again)
		}
	})
}

// Whatever comes, executing it does not panic, its result fits, and what does
// not succeed has not been told to anyone as a success.
func FuzzExecute(f *testing.F) {
	for _, op := range seeds() {
		f.Add(op, []byte{}, 100)
		f.Add(op, kv.Put([]byte("key"), []byte("value")), 20)
	}
	f.Fuzz(func(t *testing.T, first, second []byte, room int) {
		b := newBed(t)
		b.put("key", "value")
		b.ctx.ResultBytes = max(0, room%1000)
		for _, op := range [][]byte{first, second} {
			r := b.execute(op)
			if len(r.Data) > b.ctx.ResultBytes && r.Code != consensus.ResultFailed {
				t.Fatalf("%d bytes of result in a room of %d", len(r.Data), b.ctx.ResultBytes)
			}
			if o, err := kv.Decode(op); err != nil && r.Code != consensus.ResultFailed {
				t.Fatalf("a malformed operation yields %d", r.Code)
			} else if err == nil && r.Code == consensus.ResultOK {
				parses(t, &o, r.Data)
			}
		}
	})
}

// parses checks that a result can be read by the parser of its operation.
func parses(t *testing.T, o *kv.Operation, data []byte) {
	var err error
	switch o.Kind {
	case kv.KindGet:
		_, _, err = kv.ParseGet(data)
	case kv.KindPut:
		_, err = kv.ParsePut(data)
	case kv.KindDelete:
		_, err = kv.ParseDelete(data)
	case kv.KindSwap:
		_, err = kv.ParseSwap(data)
	case kv.KindRange:
		_, err = kv.ParseRange(data)
	case kv.KindTxn:
		var branch kv.Branch
		branch, err = kv.ParseTxn(data)
		list := o.Else
		if branch.Held {
			list = o.Then
		}
		for i := range branch.Results {
			parses(t, &list[i], branch.Results[i])
		}
	}
	if err != nil {
		t.Fatalf("result of %+v: %v", o, err)
	}
}

// A client reads results that f+1 replicas agree on, but a tool may read
// anything: no parser panics or allocates more than its input explains.
func FuzzParse(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 0, 1, 'k', 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{1, 4, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, _ = kv.ParseGet(data)
		_, _ = kv.ParsePut(data)
		_, _ = kv.ParseDelete(data)
		_, _ = kv.ParseSwap(data)
		if p, err := kv.ParseRange(data); err == nil && len(p.Entries) > len(data) {
			t.Fatalf("%d entries from %d bytes", len(p.Entries), len(data))
		}
		if b, err := kv.ParseTxn(data); err == nil && len(b.Results) > len(data) {
			t.Fatalf("%d results from %d bytes", len(b.Results), len(data))
		}
	})
}

// The store does what a map does.
func TestStoreAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBed(t)
		model := map[string]string{}
		keys, values := rapid.SampledFrom([]string{"a", "b", "c"}), rapid.SampledFrom([]string{"", "v", "w"})
		for range rapid.IntRange(1, 30).Draw(rt, "operations") {
			k, v, w := keys.Draw(rt, "key"), values.Draw(rt, "value"), values.Draw(rt, "other")
			switch had, has := model[k]; rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0:
				b.put(k, v)
				model[k] = v
			case 1:
				if got := must[bool](t)(kv.ParseDelete(b.ok(kv.Delete([]byte(k))))); got != has {
					rt.Fatalf("delete %q: %v, want %v", k, got, has)
				}
				delete(model, k)
			case 2:
				if got, _, found := b.get(k); found != has || got != had {
					rt.Fatalf("get %q: %q %v, want %q %v", k, got, found, had, has)
				}
			case 3:
				s := must[kv.Swapped](t)(kv.ParseSwap(b.ok(kv.CompareAndSwap([]byte(k), kv.Some([]byte(v)), kv.Some([]byte(w))))))
				if s.Done != (has && had == v) {
					rt.Fatalf("swap %q from %q: %v, holds %q %v", k, v, s.Done, had, has)
				}
				if s.Done {
					model[k] = w
				}
			}
		}
		if len(model) != len(b.m.keys) {
			rt.Fatalf("%d keys, want %d", len(b.m.keys), len(model))
		}
	})
}
