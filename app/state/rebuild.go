package state

import (
	"fmt"
	"slices"
)

// rebuild makes the nodes that light saves have left in memory: it applies the
// keys in the records, with the values that they have now, to the trie that the
// store has. That is idempotent, so it does not matter which Keep wrote a key last.
func (w *lower) rebuild() error {
	keys, err := w.readRecords()
	if err != nil || len(w.unsaved.records) == 0 {
		return err
	}
	enc, ok, err := w.tree.store.Get(nodePrefix)
	if err != nil {
		return storeError("read node", err)
	}
	w.tree.root = ref{}
	if ok {
		w.tree.root.hash, _ = hashNode(nil, enc)
		n, err := decodeNode(enc, "")
		if err != nil {
			return fmt.Errorf("%w: root of the trie: %w", ErrDamaged, err)
		}
		w.tree.root.count = n.count()
	}
	ch := make([]change, 0, len(keys))
	for _, key := range keys {
		value, ok, err := w.tree.store.Get(dataPrefix + key)
		if err != nil {
			return storeError("read value", err)
		}
		if !ok {
			value = nil
		} else if value == nil {
			value = []byte{}
		}
		ch = append(ch, newChange(key, value))
		w.unsaved.bytes += 2 + len(key) + len(value)
	}
	w.tree.begin()
	if err := w.tree.update(sortChanges(ch)); err != nil {
		return err
	}
	if got, want := w.tree.root, w.height.root; got.rootHash() != want.rootHash() || got.count != want.count {
		return fmt.Errorf("%w: what was changed since its nodes were stored leads to root %s, not to %s", ErrDamaged, got.rootHash().Short(), want.rootHash().Short())
	}
	w.height.root, w.unsaved.removed = w.tree.root, w.tree.removed
	w.sweep()
	return nil
}

// readRecords lists the keys that light saves have recorded, in order.
func (w *lower) readRecords() ([]string, error) {
	var keys []string
	it := w.tree.store.Iterate(recordPrefix, recordEnd)
	defer it.Release()
	for it.Next() {
		name, rest := string(it.Key()), string(it.Value())
		w.unsaved.records = append(w.unsaved.records, name)
		for len(rest) > 0 {
			size := len(rest)
			if size >= 2 {
				size = 2 + int(rest[0])<<8 + int(rest[1])
			}
			if size < 2 || size > len(rest) || size-2 > MaxKeyBytes {
				return nil, fmt.Errorf("%w: the record %s of what changed is unreadable", ErrDamaged, name)
			}
			keys, rest = append(keys, rest[2:size]), rest[size:]
		}
	}
	if err := it.Err(); err != nil {
		return nil, storeError("read what changed", err)
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}
