package sim

import "quorate.dev/quorate/consensus"

// Genesis is what all members of the world agree on. Callers keep it to judge
// evidence after the run.
func (w *World) Genesis() consensus.Genesis { return w.genesis }

// Statuses are the replicas' own words, by number; of those that are down only
// the number is set, and Protocol is empty.
func (w *World) Statuses() []consensus.Status {
	all := make([]consensus.Status, len(w.replicas))
	for i, r := range w.replicas {
		if all[i].Replica = r.id; r.up() {
			all[i] = r.driver.Status()
		}
	}
	return all
}
