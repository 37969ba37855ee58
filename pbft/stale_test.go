package pbft

import (
	"testing"

	"quorate.dev/quorate/consensus"
)

// §6: a request is pending until it is executed or its sequence is stale. E.g.
// a second program begins a session with the key of a first, whose last request
// only one backup holds: no primary will propose that one, and the backup must
// not depose it for that.
func TestStaleRequestDeposesNobody(t *testing.T) {
	l := newLab(t, 4)
	stale := l.Request()
	l.Submit(stale, 2)
	l.Sent = nil
	later := consensus.SignRequest(l.Client, l.rules.Cluster, consensus.Sequence{Epoch: 2, Counter: 1}, [][]byte{[]byte("later")})
	l.Submit(later, 0)
	l.Deliver()
	l.WantExecuted(1, l.All()...)
	l.Ticks(100, l.All())
	l.wantView(0, l.All()...)
	for i, d := range l.Replicas {
		if s := d.Engine.Status(); s.Changing || s.Pending != 0 {
			t.Errorf("replica %d: changing %t, %d pending", i, s.Changing, s.Pending)
		}
	}
}
