package costs

import "quorate.dev/quorate/protocol"

// costsOf is the arithmetic of a protocol that Measure has found.
func costsOf(name string) protocol.Costs {
	p, _ := protocol.Lookup(name)
	return p.Costs
}

func framesOf(counts []Count) (sum int) {
	for _, c := range counts {
		sum += c.Frames
	}
	return sum
}

// batchBytes is what requests of so many bytes weigh in a batch: its stamp and their
// number before them all, a length before each.
func batchBytes(requests, bytes int) int { return 8 + 2 + requests*(3+bytes) }
