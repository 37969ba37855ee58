package kv

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
)

// Relation is how a Compare relates what it finds to what it names.
type Relation uint8

// The relations. Their numbers are on the wire and never change.
const (
	Equal    Relation = 1
	NotEqual Relation = 2
	Less     Relation = 3 // what is found is less than what is named
	Greater  Relation = 4
)

// holds reports whether the relation holds for order, the result of comparing
// what was found with what was named.
func (r Relation) holds(order int) bool {
	switch r {
	case Equal:
		return order == 0
	case NotEqual:
		return order != 0
	case Less:
		return order < 0
	default:
		return order > 0
	}
}

// The targets of a Compare, as they stand in its encoding.
const (
	targetRevision = 1
	targetValue    = 2
)

// minCompare is the length of the shortest encoded Compare, in bytes.
const minCompare = 1 + 1 + 2 + 3

// Compare is one condition of a transaction. The builders below make them.
type Compare struct {
	ByValue  bool // compare the value; else the revision
	Relation Relation
	Key      []byte
	Value    []byte
	Revision uint64
}

// CompareValue is true if key is present and its value relates so to value,
// bytes compared in order. No relation holds for an absent key, not even
// NotEqual: there is nothing to compare.
func CompareValue(key []byte, r Relation, value []byte) Compare {
	return Compare{ByValue: true, Relation: r, Key: key, Value: value}
}

// CompareRevision is true if key's revision relates so to revision; an absent
// key has revision 0.
func CompareRevision(key []byte, r Relation, revision uint64) Compare {
	return Compare{Relation: r, Key: key, Revision: revision}
}

// Exists is true if key is present.
func Exists(key []byte) Compare { return CompareRevision(key, Greater, 0) }

// Missing is true if key is absent.
func Missing(key []byte) Compare { return CompareRevision(key, Equal, 0) }

// holds judges the condition against what the store has under c.Key.
func (c *Compare) holds(found Entry, present bool) bool {
	if c.ByValue {
		return present && c.Relation.holds(bytes.Compare(found.Value, c.Value))
	}
	return c.Relation.holds(cmp.Compare(found.Revision, c.Revision))
}

func (c *Compare) append(dst []byte) []byte {
	target := byte(targetRevision)
	if c.ByValue {
		target = targetValue
	}
	dst = appendKey(append(dst, target, byte(c.Relation)), c.Key)
	if c.ByValue {
		return appendValue(dst, c.Value)
	}
	return binary.BigEndian.AppendUint64(dst, c.Revision)
}

func (c *Compare) read(s *cryptobyte.String) bool {
	var target, relation uint8
	if !s.ReadUint8(&target) || !s.ReadUint8(&relation) || relation < 1 || relation > uint8(Greater) || !readKey(s, &c.Key) {
		return false
	}
	c.Relation = Relation(relation)
	switch target {
	case targetRevision:
		return s.ReadUint64(&c.Revision)
	case targetValue:
		c.ByValue = true
		return consensus.ReadBytes(s, &c.Value)
	}
	return false
}
