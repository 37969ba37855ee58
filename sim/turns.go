package sim

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
)

// turns judge the intake of one life: nothing is lost but what is counted, and
// nobody waits for ever while others are served.
type turns struct {
	came  uint64 // frames, but for those that were held
	took  uint64 // ... that workers took
	takes uint64
	since map[source]uint64 // the take after which a source began to wait
	most  uint64            // takes that a source may wait for; 0 = not judged
}

// source is whose turn it may be.
type source struct {
	peer     consensus.Peer
	priority host.Priority
}

// turnsOfAll: of so many takes one at least goes to each priority that has
// something to say, and serves one of its sources at least.
const turnsOfAll = 4

// newTurns begins to judge. Where several workers share the intake, a source may
// be with one of them while others go on, so that no number of takes is too many.
func newTurns(c *Config) turns {
	t := turns{since: map[source]uint64{}}
	if c.Host.Workers <= 1 {
		t.most = turnsOfAll * uint64(1+int(host.Priorities)*c.Replicas+c.Workload.Clients+len(c.Byzantines))
	}
	return t
}

// waits hears of a frame that the intake has taken.
func (t *turns) waits(f *consensus.Frame) {
	t.came++
	s := source{peer: f.From, priority: host.PriorityOf(f)}
	if _, waiting := t.since[s]; !waiting {
		t.since[s] = t.takes
	}
}

// taken hears of a group, and says whether somebody has waited for too long. The
// starved are never served, so that all are looked at now and then.
func (t *turns) taken(group []consensus.Frame) string {
	t.takes++
	t.took += uint64(len(group))
	var longest uint64
	for i := range group {
		s := source{peer: group[i].From, priority: host.PriorityOf(&group[i])}
		if since, waiting := t.since[s]; waiting {
			longest = max(longest, t.takes-since)
			delete(t.since, s)
		}
	}
	if t.most > 0 && t.takes%t.most == 0 {
		for _, since := range t.since {
			longest = max(longest, t.takes-since)
		}
	}
	if t.most == 0 || longest <= t.most {
		return ""
	}
	return fmt.Sprintf("others are served %d times while one waits", longest)
}

// closeBooks ends a life's queues: what came in was taken, waits still, or was
// dropped and counted.
func (r *replica) closeBooks() {
	if !r.up() {
		return
	}
	waiting, dropped := r.intake.Depth()
	r.world.stats.Full[fullSmall] += int(dropped[host.Small])
	lost := dropped[host.Small] + dropped[host.Large] + dropped[host.Clients]
	if t := &r.turns; t.came != t.took+uint64(waiting)+lost {
		r.world.violate("%v: %d frames came in, workers took %d, %d wait, %d were dropped", r, t.came, t.took, waiting, lost)
	}
}
