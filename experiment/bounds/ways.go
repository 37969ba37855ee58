package bounds

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/sim"
)

// sectionWays shows how each protocol comes by a leader, and what that costs it.
const sectionWays = "ways to lead"

// way is how one protocol meets a row of that section.
type way struct {
	theory, why string
	claims      []Claim
}

// course is a row of that section.
type course struct {
	row, source       string
	raft, paxos, pbft way // one without a theory has no cell
	least             int // replicas of a protocol that tolerates crashes; smaller ones cannot do it
	change            func(s *spec.Spec, f int)
}

// wayCells are the cells of that section.
func wayCells() (all []Cell) {
	for _, x := range courses() {
		for _, size := range sizes {
			w := of(size.protocol, x.raft, x.paxos, x.pbft)
			s := spec.Spec{
				Name: x.row, Protocol: size.protocol, Replicas: size.replicas, Clients: 2, Invoked: 24, Think: 40 * sim.Millisecond,
				Seed: 1, RealKeys: true, Forward: first(1),
			}
			f := s.System().Faults()
			if w.theory == "" || 2*f+1 < x.least {
				continue
			}
			x.change(&s, f)
			all = append(all, Cell{
				Section: sectionWays, Row: x.row, Spec: s, Theory: []string{w.theory}, Why: w.why, Source: x.source, Claims: w.claims,
			})
		}
	}
	return all
}

// goesOn is how a protocol meets a course that does not stop it.
func goesOn(why string, claims ...Claim) way { return way{spec.Live, why, claims} }

// stopsThere is how it meets one that does.
func stopsThere(why string, claims ...Claim) way { return way{spec.Stopped, why, claims} }

// gapLasts is how long a proposal is lost: long enough for the one after it, and
// too short for the others to lose patience.
const gapLasts = 120 * sim.Millisecond

// lostProposal loses the next proposal of the first leader.
func lostProposal(lasts consensus.Time) spec.Fault {
	return spec.Fault{At: faultAt, Lasts: lasts, Kind: spec.LostProposal, Replicas: first(1)}
}

// courses are the rows.
func courses() []course { return slices.Concat(orderCourses(), leaderCourses()) }
