package host

import (
	"math"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

func lookupOf(client byte, due consensus.Seq) consensus.Lookup {
	return consensus.Lookup{Index: due, Query: &consensus.Query{Client: crypto.PublicKey{client}, Operations: [][]byte{make([]byte, 7)}}}
}

// A READ waits for its height, and those of a lower one come first.
func TestLookupsWaitForTheirHeight(t *testing.T) {
	q := NewJobs(DefaultBounds())
	for _, due := range []consensus.Seq{5, 3, 4, 3} {
		q.Ask(lookupOf(byte(due), due))
	}
	if q.Ready() {
		t.Fatal("due before anything is executed")
	}
	q.Applied(4)
	for _, want := range []consensus.Seq{3, 3, 4} {
		if got := q.Take().Lookup; got == nil || got.Due() != want {
			t.Fatalf("took %+v, want the one for %d", got, want)
		}
	}
	if q.Ready() {
		t.Fatal("one for 5 is due at 4")
	}
	q.Applied(9)
	q.Applied(2) // the state has gone back to what the disk holds
	if q.Ready() {
		t.Fatal("due at a height that is gone")
	}
}

// Between two jobs at most one READ is executed, and one answer; none of them
// starves the others.
func TestLookupsTakeTurns(t *testing.T) {
	q := NewJobs(DefaultBounds())
	for range 3 {
		q.Put(consensus.RestoreEnd{})
		q.Ask(lookupOf(1, 0))
		q.Put(consensus.Answer{Request: &consensus.Request{}})
	}
	q.Ask(lookupOf(1, 0))
	q.Ask(lookupOf(1, 0))
	q.Put(consensus.Answer{Request: &consensus.Request{}})
	var order string
	for q.Ready() {
		switch task := q.Take(); {
		case task.Lookup != nil:
			order += "R"
		case task.Read == nil:
			if _, is := task.Job.(consensus.Answer); is {
				order += "a"
			} else {
				order += "J"
			}
		}
	}
	if order != "JRaJRaJRaRaR" {
		t.Errorf("order %s", order)
	}
}

// READs that nobody can answer yet are bounded, and those that wait for the
// greatest height give way.
func TestLookupsAreBounded(t *testing.T) {
	b := DefaultBounds()
	b.Lookups, b.LookupBytes = 8, 1<<20
	q := NewJobs(b)
	refused := func(list []*consensus.Query) (clients string) {
		for _, x := range list {
			clients += string('a' + rune(x.Client[0]))
		}
		return clients
	}
	// One client has a fourth.
	for i, want := range []string{"", "", "b", "b"} {
		if got := refused(q.Ask(lookupOf(1, consensus.MaxWindow))); got != want {
			t.Fatalf("READ %d: %q refused, want %q", i, got, want)
		}
	}
	for client := byte(2); client < 8; client++ {
		if got := refused(q.Ask(lookupOf(client, 1))); got != "" {
			t.Fatalf("%q is refused with room left", got)
		}
	}
	if got := refused(q.Ask(lookupOf(8, 1))); got != "b" {
		t.Fatalf("%q is refused, want one for a far height", got)
	}
	if waiting, dropped := q.Lookups(); waiting != 8 || dropped != 3 {
		t.Errorf("%d wait, %d dropped", waiting, dropped)
	}
	q.lookups.room.Bytes = 2*lookupOf(9, 0).Query.Size() + 1
	q.Ask(lookupOf(9, 0))
	if waiting, _ := q.Lookups(); waiting != 2 {
		t.Errorf("%d wait in the bytes of two", waiting)
	}
}

// A READ for a height that no correct replica can name waits for nothing, whatever it
// is, and those behind it are answered.
func TestLookupsForNoHeightDoNotWait(t *testing.T) {
	const top = consensus.Seq(100)
	for _, far := range []consensus.Seq{top + consensus.MaxWindow + 1, consensus.MaxSeq, math.MaxUint64 - 1, math.MaxUint64} {
		q := NewJobs(DefaultBounds())
		q.Applied(top)
		for _, l := range []consensus.Lookup{lookupOf(9, far), {Index: top, Query: &consensus.Query{Client: crypto.PublicKey{9}, Floor: far}}} {
			if no := q.Ask(l); len(no) != 1 || no[0] != l.Query {
				t.Errorf("one for %d: %d are refused", far, len(no))
			}
		}
		q.Ask(lookupOf(1, top))
		if waiting, _ := q.Lookups(); waiting != 1 || !q.Ready() || q.Take().Lookup.Due() != top {
			t.Errorf("behind one for %d: %d wait", far, waiting)
		}
	}
}

// In the order of the queue no height is so great that it comes around.
func TestLookupsAreInOrder(t *testing.T) {
	q := NewJobs(DefaultBounds())
	q.Applied(math.MaxUint64 - 8)
	for _, due := range []consensus.Seq{math.MaxUint64 - 7, math.MaxUint64 - 9, math.MaxUint64} {
		q.Ask(lookupOf(1, due))
	}
	if !q.Ready() || q.Take().Lookup.Due() != math.MaxUint64-9 {
		t.Error("one for the last of all heights stands before one that is due")
	}
}
