package sim

import (
	"slices"

	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
)

// SetBack puts an older copy of its disk under a replica, as a restored backup
// or a cloned machine does. It counts as a traitor: until it notices, it may say
// what contradicts the words that its copy does not hold. Where crashes alone are
// tolerated, it counts as one that lost its disk: nobody need ever notice.
type SetBack struct {
	Replica consensus.ReplicaID
	Copied  consensus.Time // since the start of the run
	At      consensus.Time // ... when the copy takes the disk's place
	Lasts   consensus.Time // for which the replica is down then
}

// drawSetBack has, in some seeds within the bound, one more replica fail so.
func (c *Config) drawSetBack(r *stream) {
	wanted, allowed := r.chance(million/5), c.Trust.Faults
	if c.forgets() {
		allowed--
	}
	if !wanted || c.Genre != genreBenign && c.Genre != genreTraitor || len(c.liars()) >= allowed {
		return
	}
	s := SetBack{Copied: r.duration(c.Timing.Safety / 2), Lasts: logUniform(r, 10*Millisecond, 6)}
	s.At = s.Copied + logUniform(r, 50*Millisecond, 6)
	for _, id := range r.rng.Perm(c.Replicas) {
		if s.Replica = consensus.ReplicaID(id); !slices.Contains(c.liars(), s.Replica) {
			break
		}
	}
	c.SetBacks = append(c.SetBacks, s)
}

// scheduleSetBacks schedules copies and their return.
func (w *World) scheduleSetBacks() {
	for _, s := range w.cfg.SetBacks {
		r := w.replicas[s.Replica]
		r.setBack = true
		w.clock.after(s.Copied, func() {
			copied := r.copyDisk()
			w.clock.after(s.At-s.Copied, func() { r.restoreDisk(copied, s.Lasts) })
		})
	}
}

// diskCopy is all that a replica's disk holds, without what is not synced.
type diskCopy struct {
	disk  *disk
	store *state.Memory
	born  bool
}

func (r *replica) copyDisk() diskCopy {
	d := *r.disk
	d.written, d.segments = nil, slices.Clone(d.segments)
	for i, s := range d.segments {
		d.segments[i] = slices.Clone(s)
	}
	c := diskCopy{disk: &d, born: r.health.born}
	if r.store != nil {
		c.store = r.store.Copy()
		c.store.Crash()
	}
	return c
}

func (r *replica) restoreDisk(c diskCopy, lasts consensus.Time) {
	r.stop()
	r.disk, r.store, r.health.born = c.disk, c.store, c.born
	r.world.trace.event(r.world.clock.now, r, "has its disk set back")
	r.world.clock.after(lasts, r.revive)
}
