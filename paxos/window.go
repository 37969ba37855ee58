package paxos

import "quorate.dev/quorate/consensus"

// tables is how many windows of the genesis the tables of acceptor, learner and
// proposer hold above their base. A leader proposes less far (reach); but how many
// slots its pipeline has is its own affair, at most a window. A vote is never
// further above its acceptor's base than a table is long, whoever proposed it: else
// a promise could not name it.
const tables = 3

func (c *Config) table() int { return tables * int(c.Genesis.Window) }

// ahead is how many windows votes may reach beyond the state on disk, beside the
// pipeline. What is agreed faster than this replica executes and keeps would else
// fill its memory; a leader then proposes no more until it has caught up.
const ahead = 2

// reach is the last slot in which a leader proposes something new.
func (r *replica) reach() consensus.Seq {
	base := r.acceptor.Base()
	if round := r.office.round; round != nil && round.Prepared() {
		base = max(base, round.Plan().Base)
	}
	return base + ahead*r.cfg.Genesis.Window + consensus.Seq(r.cfg.Pipeline)
}
