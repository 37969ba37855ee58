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

// Value is what a replica holds under a key of its application, as of its last
// execution; not ok if it is down or holds nothing there.
func (w *World) Value(id consensus.ReplicaID, key string) (value []byte, ok bool) {
	r := w.replicas[id]
	if !r.up() {
		return nil, false
	}
	value, ok, err := r.executor.machine.Peek([]byte(key))
	return value, ok && err == nil
}
