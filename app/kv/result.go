package kv

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
)

// Entry is what the store holds under one key.
type Entry struct {
	Key      []byte // set in ranges only
	Value    []byte
	Revision uint64 // of the operation that wrote it; see the package comment
}

// Swapped is the result of a CompareAndSwap.
type Swapped struct {
	Done     bool
	Revision uint64 // with Done: of the change; 0 if an absent key was to be deleted, which changes nothing
	Present  bool   // without Done: whether the key exists ...
	Current  Entry  // ... and what it holds
}

// Page is the result of a Range.
type Page struct {
	Entries []Entry
	More    bool   // the range goes on ...
	Next    []byte // ... from this key; pass it as the next Range's from
}

// Branch is the result of a Txn.
type Branch struct {
	Held    bool     // all compares held, and the first list was executed
	Results [][]byte // the data of each of its operations' results, in order
}

// ParseGet reads the data of a Get's result.
func ParseGet(data []byte) (entry Entry, found bool, err error) {
	if len(data) == 0 {
		return Entry{}, false, nil
	}
	entry, ok := openRecord(data)
	if !ok {
		return Entry{}, false, fmt.Errorf("result of get: %w", ErrMalformed)
	}
	return entry, true, nil
}

// ParsePut reads the data of a Put's result: the revision of the write.
func ParsePut(data []byte) (revision uint64, err error) {
	if len(data) != revisionSize {
		return 0, fmt.Errorf("result of put: %w", ErrMalformed)
	}
	return binary.BigEndian.Uint64(data), nil
}

// ParseDelete reads the data of a Delete's result: whether there was an entry.
func ParseDelete(data []byte) (existed bool, err error) {
	if len(data) != 1 || data[0] > 1 {
		return false, fmt.Errorf("result of delete: %w", ErrMalformed)
	}
	return data[0] == 1, nil
}

// The first byte of a CompareAndSwap's result.
const (
	swapDone   = 0 // followed by the revision of the write
	swapAbsent = 1 // not done: the key is absent
	swapOther  = 2 // not done: followed by the record that the key holds
)

// ParseSwap reads the data of a CompareAndSwap's result.
func ParseSwap(data []byte) (Swapped, error) {
	var r Swapped
	s := cryptobyte.String(data)
	var kind uint8
	ok := s.ReadUint8(&kind)
	switch {
	case !ok:
	case kind == swapDone:
		r.Done = true
		ok = s.ReadUint64(&r.Revision) && s.Empty()
	case kind == swapAbsent:
		ok = s.Empty()
	case kind == swapOther:
		r.Present = true
		r.Current, ok = openRecord(s)
	default:
		ok = false
	}
	if !ok {
		return Swapped{}, fmt.Errorf("result of compare-and-swap: %w", ErrMalformed)
	}
	return r, nil
}

// pageHead is the length of a page without entries, and minEntry that of the
// shortest entry, in bytes.
const (
	pageHead = 1 + 2 + 4
	minEntry = 2 + 3 + revisionSize
)

// ParseRange reads the data of a Range's result; entries alias data.
func ParseRange(data []byte) (Page, error) {
	var p Page
	var n uint32
	s := cryptobyte.String(data)
	ok := readFlag(&s, &p.More) && readKey(&s, &p.Next) && s.ReadUint32(&n) &&
		p.More == (len(p.Next) > 0) && uint64(n)*minEntry <= uint64(len(s))
	for i := uint32(0); ok && i < n; i++ {
		var e Entry
		var record []byte
		if ok = readKey(&s, &e.Key) && consensus.ReadBytes(&s, &record); ok {
			key := e.Key
			e, ok = openRecord(record)
			e.Key = key
			p.Entries = append(p.Entries, e)
		}
	}
	if !ok || !s.Empty() {
		return Page{}, fmt.Errorf("result of range: %w", ErrMalformed)
	}
	return p, nil
}

// ParseTxn reads the data of a Txn's result; the inner results alias data and
// are read by the parser of the operation at their place.
func ParseTxn(data []byte) (Branch, error) {
	var b Branch
	var n uint16
	s := cryptobyte.String(data)
	ok := readFlag(&s, &b.Held) && s.ReadUint16(&n) && n <= MaxTxn && int(n)*3 <= len(s)
	if ok {
		b.Results = make([][]byte, n)
	}
	for i := 0; ok && i < len(b.Results); i++ {
		ok = consensus.ReadBytes(&s, &b.Results[i])
	}
	if !ok || !s.Empty() {
		return Branch{}, fmt.Errorf("result of transaction: %w", ErrMalformed)
	}
	return b, nil
}

// revisionSize is the length of an encoded revision, in bytes.
const revisionSize = 8

// A record is what the store keeps under a key, and what results carry: the
// revision, then the value.
func sealRecord(dst []byte, revision uint64, value []byte) []byte {
	return append(binary.BigEndian.AppendUint64(dst, revision), value...)
}

func openRecord(record []byte) (Entry, bool) {
	if len(record) < revisionSize {
		return Entry{}, false
	}
	return Entry{Revision: binary.BigEndian.Uint64(record), Value: record[revisionSize:]}, true
}
