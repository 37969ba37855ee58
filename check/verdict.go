package check

import (
	"slices"

	"quorate/consensus"
)

// accuse judges the evidence that an honest replica reports.
func (j *Judge) accuse(at consensus.Time, r consensus.ReplicaID, n *consensus.Note) {
	if j.honest(n.Replica) {
		j.violate(at, Framed, "R%d has evidence against the honest R%d: %s", r, n.Replica, n)
	}
}

// Verdict judges the run as a whole, and adds what only its end shows. To be
// called once, when nothing more will be told.
func (j *Judge) Verdict(at consensus.Time) Verdict {
	for _, c := range j.deceived() {
		j.violate(c.ended, Deceived, "client %d believes of call %d a result of height %d that no honest replica gave", c.id.Client, c.id.Number, c.seq)
	}
	if n, results := j.missing(); results > 0 {
		j.violate(at, Lost, "%d results of height %d were believed, which nobody executed", results, n)
	}
	return Verdict{
		Violations: slices.Clone(j.violations), Forked: j.forkAt != 0, ForkAt: j.forkAt, Linearizable: Unknown,
	}
}
