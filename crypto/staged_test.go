package crypto

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// tally counts what a verifier is asked.
type tally struct {
	Verifier
	claims int
}

func (c *tally) Verify(claims []Claim) []bool {
	c.claims += len(claims)
	return c.Verifier.Verify(claims)
}

// The first false claim of each list is the one that judging all of them finds,
// and no list costs more than the stage in which it falls.
func TestFirstFalse(t *testing.T) {
	ring := NewKeyring()
	signer := NewSimSigner(ring, seedOf(1))
	good := claimOf(signer, testDomain(), []byte("good"))
	bad := good
	bad.Signature[0] ^= 1
	rapid.Check(t, func(t *rapid.T) {
		lists := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) bool { return rapid.IntRange(0, 99).Draw(t, "lot") > 0 }), 0, 400), 0, 8).Draw(t, "true")
		var claims [][]Claim
		var want []int
		most := 0
		for _, list := range lists {
			var cs []Claim
			for _, is := range list {
				if is {
					cs = append(cs, good)
				} else {
					cs = append(cs, bad)
				}
			}
			first := slices.Index(list, false)
			claims, want = append(claims, cs), append(want, first)
			switch {
			case first < 0:
				most += len(list)
			default:
				for _, end := range []int{1, 17, 69, 277, 789} {
					if first < end {
						most += min(len(list), end)
						break
					}
				}
			}
		}
		v := &tally{Verifier: NewSimVerifier(ring)}
		if got := FirstFalse(v, claims); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
		if v.claims != most {
			t.Fatalf("%d claims are verified, want %d", v.claims, most)
		}
	})
}
