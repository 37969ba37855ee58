package crypto

// FirstFalse verifies lists of claims of which each stands or falls as a whole,
// and answers for each where its first false claim is, -1 if all are true. The
// first claim of a list is judged before the others, then more and more at a time,
// and what follows a false one is left: what is made up costs little more than
// finding out, and what is true hardly more than all at once.
func FirstFalse(v Verifier, lists [][]Claim) []int {
	bad := make([]int, len(lists))
	for i := range bad {
		bad[i] = -1
	}
	var claims []Claim
	for from, to := 0, 1; ; from, to = to, stageEnd(to) {
		claims = claims[:0]
		for i, list := range lists {
			if bad[i] < 0 {
				claims = append(claims, part(list, from, to)...)
			}
		}
		if len(claims) == 0 {
			return bad
		}
		valid := v.Verify(claims)
		for i, list := range lists {
			if bad[i] >= 0 {
				continue
			}
			for k := range part(list, from, to) {
				if !valid[k] && bad[i] < 0 {
					bad[i] = from + k
				}
			}
			valid = valid[len(part(list, from, to)):]
		}
	}
}

// stageEnd is where the stage that begins at from ends: at 17, 69, 277, and then as
// far as a batch goes. So what is made up costs 17 verifications, or four times as
// many as there are true claims before it.
func stageEnd(from int) int { return min(max(17, 4*from+1), from+maxBatch) }

// part is what of a list lies in [from, to).
func part(list []Claim, from, to int) []Claim {
	return list[min(from, len(list)):min(to, len(list))]
}
