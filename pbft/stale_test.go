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
	stale := l.request()
	l.submit(stale, 2)
	l.mail = nil
	later := consensus.SignRequest(l.client, l.rules.Cluster, consensus.Sequence{Epoch: 2, Counter: 1}, [][]byte{[]byte("later")})
	l.submit(later, 0)
	l.deliver()
	l.wantExecuted(1, l.all()...)
	l.ticks(100, l.all())
	l.wantView(0, l.all()...)
	for i, d := range l.desks {
		if s := d.engine.Status(); s.Changing || s.Pending != 0 {
			t.Errorf("replica %d: changing %t, %d pending", i, s.Changing, s.Pending)
		}
	}
}
