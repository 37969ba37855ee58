package state

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestLayerAgainstMap: writes, some taken back, and the order asked for in between.
func TestLayerAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLayer(rapid.SampledFrom([]int{0, 100}).Draw(t, "expected"))
		want := map[string]string{}
		var undone []undo
		before := maps.Clone(want)
		key := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("%02d", rapid.IntRange(0, 60).Draw(t, "key")) })
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "times") {
					k, value := key.Draw(t, "key"), rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "value")
					given := slices.Clone(value)
					previous, had := l.set(k, l.copyOf(given))
					if old, ok := want[k]; ok != had || string(previous) != old {
						t.Fatalf("%s was %q %v, want %q %v", k, previous, had, old, ok)
					}
					undone = append(undone, undo{k, previous, had})
					want[k] = string(value)
					clear(given)
				}
			},
			"take back": func(t *rapid.T) {
				for _, u := range slices.Backward(undone) {
					l.restore(u.key, u.previous, u.had)
				}
				undone, want = nil, maps.Clone(before)
			},
			"leave": func(t *rapid.T) { undone, before = nil, maps.Clone(want) },
			"order": func(t *rapid.T) {
				var got []string
				for _, i := range l.inOrder() {
					got = append(got, l.entries[i].key)
				}
				if keys := slices.Sorted(maps.Keys(want)); !slices.Equal(got, keys) {
					t.Fatalf("%v, want %v", got, keys)
				}
			},
			"": func(t *rapid.T) {
				bytes := 0
				for k, v := range want {
					if got, ok := l.get(k); !ok || string(got) != v || got == nil {
						t.Fatalf("%s is %q %v, want %q", k, got, ok, v)
					}
					bytes += cost(k, []byte(v))
				}
				if len(l.entries) != len(want) || l.bytes != bytes {
					t.Fatalf("%d entries of %d bytes, want %d of %d", len(l.entries), l.bytes, len(want), bytes)
				}
			},
		})
	})
}
