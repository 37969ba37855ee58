package kv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
)

// Kind is the first byte of an operation.
type Kind uint8

// The kinds of operations. Their numbers are on the wire and never change.
const (
	KindGet    Kind = 1
	KindPut    Kind = 2
	KindDelete Kind = 3
	KindSwap   Kind = 4
	KindRange  Kind = 5
	KindTxn    Kind = 6
)

// Limits of the encoding, beside those of the genesis.
const (
	// MaxKey is the longest key that an operation can carry, in bytes.
	MaxKey = 1<<16 - 1
	// MaxTxn bounds each of a transaction's three lists.
	MaxTxn = 1024

	// minOperation is the length of the shortest operation in a transaction.
	minOperation = 3 + 1 + 2
)

// ErrMalformed is what the decoders here wrap: the bytes are not the one
// encoding of an operation or a result.
var ErrMalformed = errors.New("malformed")

// Operation is a decoded operation. Which fields count depends on Kind. Its
// slices alias what it was decoded from.
type Operation struct {
	Kind     Kind
	Key      []byte      // KindRange: the first key, inclusive; empty = from the beginning
	Value    []byte      // KindPut; KindSwap: the new value
	To       []byte      // KindRange: the end, exclusive; empty = no end
	Limit    uint32      // KindRange: most entries to return; 0 = as many as fit
	KeysOnly bool        // KindRange: leave the values out
	Expect   []byte      // KindSwap: the value to find
	Absent   bool        // KindSwap: expect the key to be absent instead
	Remove   bool        // KindSwap: delete the key instead of writing Value
	If       []Compare   // KindTxn
	Then     []Operation // KindTxn: executed if all compares hold; none is a transaction
	Else     []Operation // KindTxn: executed if not; the same
}

// Get builds the operation that reads key.
func Get(key []byte) []byte { return appendKey([]byte{byte(KindGet)}, key) }

// Put builds the operation that stores value under key.
func Put(key, value []byte) []byte {
	b := make([]byte, 0, 1+2+len(key)+3+len(value))
	b = appendKey(append(b, byte(KindPut)), key)
	return appendValue(b, value)
}

// Delete builds the operation that removes key.
func Delete(key []byte) []byte { return appendKey([]byte{byte(KindDelete)}, key) }

// Maybe is a value that may be absent: the zero Maybe is no value at all,
// which differs from an empty one.
type Maybe struct {
	Present bool
	Value   []byte
}

// Some returns the Maybe that holds value.
func Some(value []byte) Maybe { return Maybe{Present: true, Value: value} }

// None is the absent value.
var None = Maybe{}

// CompareAndSwap builds the operation that, if key holds exactly expect (or
// is absent, with None), makes it hold next (or deletes it, with None).
func CompareAndSwap(key []byte, expect, next Maybe) []byte {
	b := make([]byte, 0, 1+2+len(key)+2*4+len(expect.Value)+len(next.Value))
	b = appendKey(append(b, byte(KindSwap)), key)
	return appendMaybe(appendMaybe(b, expect), next)
}

// Range builds the operation that reads the entries with from <= key < to in
// ascending order, at most limit of them (0 = as many as fit into a result).
// An empty to is no upper bound. With keysOnly the values are left out.
func Range(from, to []byte, limit uint32, keysOnly bool) []byte {
	b := appendKey([]byte{byte(KindRange)}, from)
	b = appendKey(b, to)
	b = binary.BigEndian.AppendUint32(b, limit)
	return append(b, flag(keysOnly))
}

// PrefixEnd returns the smallest key above all keys that begin with prefix;
// nil if there is none, which as an end means no upper bound.
func PrefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			end := bytes.Clone(prefix[:i+1])
			end[i]++
			return end
		}
	}
	return nil
}

// Txn builds the operation that evaluates all compares and then executes the
// operations of one of the two lists, in order, each seeing the writes of
// those before it. It is atomic: if one fails, nothing was written.
func Txn(compares []Compare, then, otherwise [][]byte) []byte {
	b := []byte{byte(KindTxn)}
	b = binary.BigEndian.AppendUint16(b, count(len(compares)))
	for _, c := range compares {
		b = c.append(b)
	}
	for _, list := range [][][]byte{then, otherwise} {
		b = binary.BigEndian.AppendUint16(b, count(len(list)))
		for _, op := range list {
			b = appendValue(b, op)
		}
	}
	return b
}

// count keeps an over-long list from wrapping around to a short one: the
// store refuses every count over MaxTxn.
func count(n int) uint16 { return uint16(min(n, 1<<16-1)) }

// appendKey appends a key behind its length. A longer key than MaxKey is over
// every genesis limit; cut at MaxKey it is still refused by the store.
func appendKey(dst, key []byte) []byte {
	key = key[:min(len(key), MaxKey)]
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(key)))
	return append(dst, key...)
}

func appendMaybe(dst []byte, m Maybe) []byte {
	if !m.Present {
		return append(dst, 0)
	}
	return appendValue(append(dst, 1), m.Value)
}

// appendValue appends a value behind its length. One longer than a frame is
// over every genesis limit; cut there it still is, and is refused for that:
// what a caller was given from outside must not make the program panic.
func appendValue(dst, value []byte) []byte {
	return consensus.AppendBytes(dst, value[:min(len(value), consensus.MaxFrame)])
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// Writes reports whether an operation may write: all may but the reading of keys and
// ranges. It is for session.Config.
func Writes(op []byte) bool {
	return len(op) > 0 && Kind(op[0]) != KindGet && Kind(op[0]) != KindRange
}

// Decode reads an operation. It checks the encoding of everything in it,
// whether a transaction would execute it or not, but no genesis limit.
func Decode(op []byte) (Operation, error) { return decode(op, true) }

func decode(op []byte, outermost bool) (o Operation, err error) {
	s := cryptobyte.String(op)
	var kind uint8
	ok := s.ReadUint8(&kind)
	o.Kind = Kind(kind)
	switch {
	case !ok:
	case o.Kind == KindGet || o.Kind == KindDelete:
		ok = readKey(&s, &o.Key)
	case o.Kind == KindPut:
		ok = readKey(&s, &o.Key) && consensus.ReadBytes(&s, &o.Value)
	case o.Kind == KindSwap:
		var expect, next Maybe
		ok = readKey(&s, &o.Key) && readMaybe(&s, &expect) && readMaybe(&s, &next)
		o.Expect, o.Absent, o.Value, o.Remove = expect.Value, !expect.Present, next.Value, !next.Present
	case o.Kind == KindRange:
		ok = readKey(&s, &o.Key) && readKey(&s, &o.To) && s.ReadUint32(&o.Limit) && readFlag(&s, &o.KeysOnly)
	case o.Kind == KindTxn && outermost:
		ok = o.readTxn(&s)
	default:
		ok = false
	}
	if !ok || !s.Empty() {
		return Operation{}, fmt.Errorf("operation of kind %d: %w", kind, ErrMalformed)
	}
	return o, nil
}

func (o *Operation) readTxn(s *cryptobyte.String) bool {
	var n uint16
	if !s.ReadUint16(&n) || n > MaxTxn || int(n)*minCompare > len(*s) {
		return false
	}
	o.If = make([]Compare, n)
	for i := range o.If {
		if !o.If[i].read(s) {
			return false
		}
	}
	return readOperations(s, &o.Then) && readOperations(s, &o.Else)
}

func readOperations(s *cryptobyte.String, list *[]Operation) bool {
	var n uint16
	if !s.ReadUint16(&n) || n > MaxTxn || int(n)*minOperation > len(*s) {
		return false
	}
	*list = make([]Operation, n)
	for i := range *list {
		var op []byte
		if !consensus.ReadBytes(s, &op) {
			return false
		}
		var err error
		if (*list)[i], err = decode(op, false); err != nil {
			return false
		}
	}
	return true
}

func readKey(s *cryptobyte.String, out *[]byte) bool {
	var v cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&v) {
		return false
	}
	*out = v
	return true
}

func readMaybe(s *cryptobyte.String, m *Maybe) bool {
	return readFlag(s, &m.Present) && (!m.Present || consensus.ReadBytes(s, &m.Value))
}

// readFlag reads a byte that is 0 or 1: other values would be second
// encodings of the same thing.
func readFlag(s *cryptobyte.String, v *bool) bool {
	var b uint8
	if !s.ReadUint8(&b) || b > 1 {
		return false
	}
	*v = b == 1
	return true
}
