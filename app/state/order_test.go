package state

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The order by pieces is that of whole keys, whatever they have in common, with zeros
// and ends where pieces have them, and of equal keys the first is first.
func TestOrderIsThatOfKeys(t *testing.T) {
	part := rapid.SampledFrom([]string{"", "\x00", "\x00\x00\x00", "a", "b", "common", "a long beginning ", "\xff\xff"})
	rapid.Check(t, func(t *rapid.T) {
		var entries []written
		for range rapid.IntRange(0, 80).Draw(t, "entries") {
			entries = append(entries, written{key: part.Draw(t, "1") + part.Draw(t, "2") + part.Draw(t, "3") + part.Draw(t, "4")})
		}
		from := rapid.IntRange(0, len(entries)).Draw(t, "from")
		want := make([]int32, 0, len(entries))
		for i := from; i < len(entries); i++ {
			want = append(want, int32(i))
		}
		slices.SortStableFunc(want, func(a, b int32) int { return strings.Compare(entries[a].key, entries[b].key) })
		if got := orderOf(entries, from); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}
