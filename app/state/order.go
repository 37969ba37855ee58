package state

import (
	"cmp"
	"slices"
	"strings"
)

// placed is an entry in a list, with a piece of its key to compare by: so most
// comparisons stay in the memory that is sorted.
type placed struct {
	piece uint64
	at    int32
}

const pieceSize = 8

// fewPlaces are sorted by whole keys: another piece would cost more.
const fewPlaces = 12

// orderOf returns the places from the given one on, in the order of their keys. Of
// entries with one key the first comes first.
func orderOf(entries []written, from int) []int32 {
	places := make([]placed, len(entries)-from)
	for i := range places {
		places[i].at = int32(from + i)
	}
	sortPlaces(places, entries, 0)
	order := make([]int32, len(places))
	for i := range places {
		order[i] = places[i].at
	}
	return order
}

// sortPlaces compares the piece behind what all keys begin with, which are so many
// bytes at least, and then, where it is the same, another one.
func sortPlaces(places []placed, entries []written, common int) {
	if len(places) <= fewPlaces {
		sortWhole(places, entries)
		return
	}
	begin := entries[places[0].at].key
	same := len(begin)
	for _, p := range places[1:] {
		same = commonLength(begin[:same], entries[p.at].key, common)
	}
	for i := range places {
		places[i].piece = pieceOf(entries[places[i].at].key[same:])
	}
	slices.SortFunc(places, func(a, b placed) int { return cmp.Compare(a.piece, b.piece) })
	for len(places) > 0 {
		end, ended := 0, false
		for ; end < len(places) && places[end].piece == places[0].piece; end++ {
			ended = ended || len(entries[places[end].at].key) < same+pieceSize
		}
		if ended {
			sortWhole(places[:end], entries)
		} else {
			sortPlaces(places[:end], entries, same+pieceSize)
		}
		places = places[end:]
	}
}

// sortWhole compares whole keys.
func sortWhole(places []placed, entries []written) {
	slices.SortFunc(places, func(a, b placed) int {
		return cmp.Or(strings.Compare(entries[a.at].key, entries[b.at].key), cmp.Compare(a.at, b.at))
	})
}

// pieceOf is the beginning of a key, filled up with zeros if the key ends in it.
func pieceOf(key string) (piece uint64) {
	for i := range min(len(key), pieceSize) {
		piece |= uint64(key[i]) << (56 - 8*i)
	}
	return piece
}

// commonLength is how far a and b are the same, which are the same up to from.
func commonLength(a, b string, from int) int {
	n := min(len(a), len(b))
	for i := from; i < n; i++ {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
