package session

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
)

// read hands in n reads with tickets from first on, and returns what is sent.
func (b *bench) read(first, n int) []Send {
	for i := range n {
		b.s.Read(Ticket(first+i), fmt.Appendf(nil, "op %d", first+i))
	}
	return b.s.Flush().Sends
}

func (b *bench) query(frame []byte) *consensus.Query {
	b.t.Helper()
	q, err := consensus.DecodeQuery(frame)
	if err != nil {
		b.t.Fatal(err)
	}
	return q
}

// says is an answer of a replica to a READ.
type says struct {
	from          consensus.ReplicaID
	index, height consensus.Seq
	text          string
}

func (b *bench) find(q *consensus.Query, a says) Output {
	f := &consensus.Finding{Name: q.Name, Index: a.index, Height: a.height}
	for range q.Operations {
		f.Results = append(f.Results, consensus.Result{Data: []byte(a.text)})
	}
	b.s.Receive(a.from, f.Encode())
	return b.s.Flush()
}

// Of which state a result is, is known only if f+1 replicas say so.
func TestReadsAreOfAKnownState(t *testing.T) {
	for _, test := range []struct {
		name string
		says []says
		want consensus.Seq
	}{
		{"all are there", []says{{0, 3, 3, "v"}, {1, 3, 3, "v"}, {2, 3, 3, "v"}}, 3},
		{"two are further on", []says{{0, 3, 3, "v"}, {1, 3, 4, "v"}, {2, 3, 4, "v"}}, 4},
		{"each is elsewhere", []says{{0, 3, 3, "v"}, {1, 3, 4, "v"}, {2, 3, 5, "v"}}, 0},
		{"a liar is where one is", []says{{0, 3, 4, "lie"}, {1, 3, 4, "v"}, {2, 3, 3, "v"}}, 0},
		{"two are below what was decided", []says{{0, 3, 3, "v"}, {1, 3, 3, "v"}, {2, 4, 4, "v"}, {3, 4, 5, "v"}}, 0},
	} {
		b := newBench(t, nil)
		q := b.query(b.read(1, 1)[0].Bytes)
		var done []Done
		for _, a := range test.says {
			done = append(done, b.find(q, a).Done...)
		}
		if len(done) != 1 || done[0].Height != test.want {
			t.Errorf("%s: %+v, want height %d", test.name, done, test.want)
		}
	}
}

// What is believed, and why not more.
func TestReadsAreBelieved(t *testing.T) {
	const far = 1 << 62
	for _, test := range []struct {
		name string
		says []says
		want string        // believed with the last answer; "" = nothing is, at any
		at   consensus.Seq // ... at or above
	}{
		{"a quorum says where it is, and f+1 the same", []says{{0, 3, 3, "v"}, {1, 3, 3, "v"}, {2, 3, 3, "v"}}, "v", 3},
		{"two of three are enough for the result", []says{{0, 3, 3, "old"}, {1, 3, 3, "v"}, {2, 3, 3, "v"}}, "v", 3},
		{"less than a quorum has answered", []says{{0, 3, 3, "v"}, {1, 3, 3, "v"}}, "", 0},
		{"nor does it count who answers again", []says{{0, 3, 3, "v"}, {1, 3, 3, "v"}, {1, 3, 3, "v"}}, "", 0},
		// R3 has helped to commit 5, which f+1 have answered by now; R0 lies and R2 lags.
		{"equal results of older states", []says{{0, 2, 2, "old"}, {2, 2, 2, "old"}, {3, 5, 5, "new"}}, "", 0},
		{"... until f+1 have the newer one", []says{{0, 2, 2, "old"}, {2, 2, 2, "old"}, {3, 5, 5, "new"}, {1, 5, 6, "new"}}, "new", 5},
		{"a liar says more than there is, and is left out", []says{{0, far, far, "lie"}, {1, 3, 3, "v"}, {2, 3, 3, "v"}, {3, 3, 4, "v"}}, "v", 3},
		{"... its result counts for no more than one", []says{{0, far, far, "v"}, {1, 3, 3, "v"}, {2, 4, 4, "w"}, {3, 3, 3, "v"}}, "", 0},
		{"... more than any cluster comes to, which is no answer", []says{{0, math.MaxUint64, math.MaxUint64, "v"}, {1, 3, 3, "v"}, {2, 3, 3, "v"}}, "", 0},
		{"a liar says less, which makes nobody forget the others", []says{{0, 0, 9, "old"}, {1, 3, 3, "v"}, {2, 3, 3, "v"}}, "v", 3},
		{"a liar speaks for an old state that another honest one is in", []says{{0, 0, 9, "old"}, {1, 2, 2, "old"}, {2, 3, 3, "v"}}, "", 0},
		{"an answer below its own index is none", []says{{0, 3, 2, "v"}, {1, 3, 3, "v"}, {2, 3, 3, "v"}}, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, nil)
			sends := b.read(1, 1)
			if len(sends) != 4 {
				t.Fatalf("sent to %d replicas", len(sends))
			}
			q := b.query(sends[0].Bytes)
			var got []Done
			for i, a := range test.says {
				if len(got) > 0 {
					t.Fatalf("believed after %d answers", i)
				}
				got = b.find(q, a).Done
			}
			switch {
			case test.want == "" && len(got) == 0:
			case len(got) != 1 || string(got[0].Result.Data) != test.want || got[0].Seq != test.at || !got[0].Unordered || got[0].Err != nil:
				t.Fatalf("got %+v, want %q at %d", got, test.want, test.at)
			}
		})
	}
}

// Who are too few with a state of the index or above are asked once again, from
// there; then the read is ordered.
func TestReadsAreAskedAgainAndThenOrdered(t *testing.T) {
	b := newBench(t, nil)
	q := b.query(b.read(1, 1)[0].Bytes)
	for id, index := range []consensus.Seq{2, 3, 5, 7} {
		if out := b.find(q, says{consensus.ReplicaID(id), index, index, fmt.Sprint("at ", index)}); (len(out.Sends) > 0) != (id == 3) {
			t.Fatalf("after %d answers: %d frames", id+1, len(out.Sends))
		} else if id == 3 {
			q = b.query(out.Sends[0].Bytes)
		}
	}
	if q.Floor != 5 || len(b.s.reads.flight) != 1 {
		t.Fatalf("asked again from %d, want 5, the third of the indices", q.Floor)
	}
	// Whoever answers now is at 5 or above; two that say the same are enough.
	for id, a := range []says{{0, 6, 6, "at 6"}, {1, 7, 7, "at 7"}} {
		if out := b.find(q, a); (len(out.Done) == 1) != (id == 1) {
			t.Fatalf("answer %d: %+v", id, out)
		}
	}

	q = b.query(b.read(2, 1)[0].Bytes)
	var out Output
	for round := range 2 {
		for id := range consensus.ReplicaID(4) {
			at := consensus.Seq(10*round) + consensus.Seq(id)
			out = b.find(q, says{id, at, at, fmt.Sprint("at ", at)})
		}
	}
	if len(out.Sends) != 1 || b.decode(out.Sends[0].Bytes).Operations[0] == nil || len(b.s.reads.flight) != 0 {
		t.Fatalf("not ordered: %+v", out)
	}
	r := b.decode(out.Sends[0].Bytes)
	b.reply(0, r, "ordered", 0)
	b.reply(1, r, "ordered", 0)
	if out := b.s.Flush(); len(out.Done) != 1 || out.Done[0].Unordered || string(out.Done[0].Result.Data) != "ordered" {
		t.Fatalf("ordered: %+v", out)
	}
}

// One liar has a client ask from a height that nobody comes to. When more refuse than can
// lie, the read is ordered at once.
func TestReadsFromNowhereAreOrdered(t *testing.T) {
	b := newBench(t, nil)
	q := b.query(b.read(1, 1)[0].Bytes)
	b.find(q, says{0, consensus.MaxSeq, consensus.MaxSeq, "lie"})
	b.find(q, says{1, 3, 3, "v"})
	out := b.find(q, says{2, 3, 3, "w"})
	b.s.Advance(out.Deadline)
	if out = b.s.Flush(); len(out.Sends) != 4 || b.query(out.Sends[0].Bytes).Floor != consensus.MaxSeq {
		t.Fatalf("asked again: %+v", out)
	}
	for id := range consensus.ReplicaID(4) {
		no := q.Refuse(consensus.RefusedBusy)
		b.s.Receive(id, no.Encode())
		if out = b.s.Flush(); len(out.Sends) > 0 && out.Sends[0].Bytes[0] != consensus.KindRequest || (len(out.Sends) > 0) != (id == 1) {
			t.Fatalf("after %d refusals: %+v", id+1, out)
		}
	}
}

// A quorum that has answered does not wait for a silent replica for ever, nor
// does a READ for a quorum.
func TestReadsAreBounded(t *testing.T) {
	b := newBench(t, nil)
	q := b.query(b.read(1, 1)[0].Bytes)
	var out Output
	for id, text := range []string{"a", "b", "c"} {
		out = b.find(q, says{consensus.ReplicaID(id), 3, 3, text})
	}
	if out.Deadline == 0 || out.Deadline > b.s.now+leastPause {
		t.Fatalf("deadline %d", out.Deadline-b.s.now)
	}
	b.s.Advance(out.Deadline)
	if out = b.s.Flush(); len(out.Sends) != 4 || b.query(out.Sends[0].Bytes).Floor != 3 {
		t.Fatalf("after a pause: %+v", out)
	}
	b.s.Advance(out.Deadline)
	if out = b.s.Flush(); len(out.Sends) != 1 || out.Sends[0].Bytes[0] != consensus.KindRequest {
		t.Fatalf("after patience: %+v", out)
	}

	// Refused by more than the others make up for: ordered at once.
	q = b.query(b.read(2, 1)[0].Bytes)
	for id := range consensus.ReplicaID(2) {
		no := q.Refuse(consensus.RefusedBusy)
		if id == 1 {
			no = consensus.Refusal{Code: consensus.RefusedMalformed} // of one who knows no READ
		}
		b.s.Receive(id, no.Encode())
	}
	if b.s.Flush(); len(b.s.reads.flight) != 0 || b.s.Stats().ReadsOrdered != 2 {
		t.Fatalf("refused: %d in flight, %d ordered", len(b.s.reads.flight), b.s.Stats().ReadsOrdered)
	}
}

// Reads that wait together share a READ, of which each is believed for itself.
func TestReadsShareAREAD(t *testing.T) {
	b := newBench(t, func(c *Config) { c.GatherOps = 3 })
	sends := b.read(1, 6)
	if got := b.s.Stats(); got.Reads != 2 || got.ReadOperations != 6 || len(sends) != 8 {
		t.Fatalf("%+v", got)
	}
	q := b.query(sends[0].Bytes)
	say := func(from consensus.ReplicaID, texts ...string) []Done {
		f := &consensus.Finding{Name: q.Name, Index: 1, Height: 1}
		for _, text := range texts {
			r := consensus.Result{Data: []byte(text)}
			if text == "large" {
				r = consensus.Result{Code: consensus.ResultTooLarge}
			}
			f.Results = append(f.Results, r)
		}
		b.s.Receive(from, f.Encode())
		return b.s.Flush().Done
	}
	say(0, "a", "b", "large")
	say(1, "a", "x", "large")
	if done := say(2, "z", "y", "z"); len(done) != 1 || done[0].Ticket != 1 {
		t.Fatalf("done: %+v", done)
	}
	if b.s.reads.flight[len(b.s.reads.flight)-1].operations[0].ticket != 3 {
		t.Error("what found no room beside the others is not read alone")
	}
	b.s.Cancel(2)
	b.s.Close()
	for _, d := range b.s.Flush().Done {
		if !errors.Is(d.Err, ErrUnknown) {
			t.Errorf("ticket %d: %v", d.Ticket, d.Err)
		}
	}
	if len(b.s.tickets) != 0 {
		t.Errorf("%d tickets are left", len(b.s.tickets))
	}
}

// Where nobody lies one answer is enough, of the leader if it is within reach.
func TestReadsOfACrashModel(t *testing.T) {
	b := newBench(t, func(c *Config) { c.System, c.Elected = quorum.Crash.System(4), true })
	sends := b.read(1, 1)
	if len(sends) != 1 || sends[0].To != 0 {
		t.Fatalf("sent %+v", sends)
	}
	if out := b.find(b.query(sends[0].Bytes), says{0, 3, 3, "v"}); len(out.Done) != 1 || out.Done[0].Seq != 3 {
		t.Fatalf("%+v", out)
	}
	q := b.query(b.read(2, 1)[0].Bytes)
	no := q.Refuse(consensus.RefusedNoLeader)
	b.s.Receive(0, no.Encode())
	if sends := b.s.Flush().Sends; len(sends) != 4 {
		t.Fatalf("refused by one, it goes to %d", len(sends))
	}
}

// What is known to write is no read: it is neither asked for nor ordered.
func TestReadsThatWriteAreRefused(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Writes = func(op []byte) bool { return op[0] == 'w' } })
	b.s.Read(1, []byte("write"))
	b.s.Read(2, []byte("read"))
	out := b.s.Flush()
	if len(out.Done) != 1 || out.Done[0].Ticket != 1 || !errors.Is(out.Done[0].Err, ErrWrites) {
		t.Errorf("done: %+v", out.Done)
	}
	if q := b.query(out.Sends[0].Bytes); len(out.Sends) != 4 || len(q.Operations) != 1 || string(q.Operations[0]) != "read" {
		t.Errorf("sent to %d: %q", len(out.Sends), q.Operations)
	}
}
