package costs

import "quorate.dev/quorate/protocol"

// costsOf is the arithmetic of a protocol that Measure has found.
func costsOf(name string) protocol.Costs {
	p, _ := protocol.Lookup(name)
	return p.Costs
}

// Expect is what arithmetic says of one decision on a quiet network of n.
func Expect(name string, n int) protocol.Expected { return costsOf(name).Decision(n) }

// ExpectBytes is what one decision weighs between replicas, for a batch of so
// many bytes.
func ExpectBytes(name string, n, batch int) int { return costsOf(name).Bytes(n, batch) }

// Sizes are the numbers of replicas that are measured unless others are wished for.
func Sizes(name string) []int { return costsOf(name).Sizes }

func framesOf(counts []Count) (sum int) {
	for _, c := range counts {
		sum += c.Frames
	}
	return sum
}

// Batch is what requests of so many bytes weigh in a batch: its stamp and their
// number before them all, a length before each.
func Batch(requests, bytes int) int { return 8 + 2 + requests*(3+bytes) }
