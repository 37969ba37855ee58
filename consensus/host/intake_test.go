package host

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// frames makes n frames of one size, numbered by two bytes behind a kind that is
// not a request's.
func frames(from consensus.Peer, first, n, size int) []consensus.Frame {
	var out []consensus.Frame
	for i := first; i < first+n; i++ {
		b := make([]byte, size)
		b[1], b[2] = byte(i>>8), byte(i)
		out = append(out, consensus.Frame{From: from, Bytes: b})
	}
	return out
}

func number(f consensus.Frame) int { return int(f.Bytes[1])<<8 | int(f.Bytes[2]) }

func smallBounds() Bounds {
	return Bounds{
		GroupFrames: 8, PeerFrames: 16, PeerBytes: 10 << 10, ClientFrames: 4, ClientBytes: 4 << 10,
		InboxEvents: 4, InboxBytes: 4 << 10, Jobs: 4, Answers: 2, Reads: 2,
	}
}

// offer offers frames and counts the verdicts.
func offer(q *Intake, fs []consensus.Frame) (n [Held + 1]int) {
	for i := range fs {
		n[q.Offer(&fs[i])]++
	}
	return n
}

// takeAll takes n frames, group after group.
func takeAll(q *Intake, n int) (got []consensus.Frame) {
	for len(got) < n {
		var g Group
		q.Take(&g)
		got = append(got, g.Frames...)
		q.Done(&g)
	}
	return got
}

var (
	liar, honest   = consensus.ReplicaPeer(1), consensus.ReplicaPeer(2)
	greedy, modest = consensus.ClientPeer(crypto.PublicKey{1}), consensus.ClientPeer(crypto.PublicKey{2})
	observer       = consensus.Peer{Kind: consensus.PeerObserver}
)

// What a full queue does with one more, by who sends it and how large it is.
func TestVerdictsOfTheIntake(t *testing.T) {
	const small, large = 100, 4 << 10
	for _, c := range []struct {
		name   string
		before []consensus.Frame
		offer  consensus.Frame
		want   Verdict
	}{
		{"a vote into an empty intake", nil, frames(honest, 0, 1, small)[0], Taken},
		{"a vote beyond its sender's bound pushes out the oldest", frames(honest, 0, 16, small), frames(honest, 16, 1, small)[0], Taken},
		{"a larger frame than the bound, alone", nil, frames(honest, 0, 1, 20<<10)[0], Taken},
		{"a larger frame beyond its sender's bytes", frames(honest, 0, 2, large), frames(honest, 2, 1, large)[0], Held},
		{"a larger frame when another one's are held", frames(liar, 0, 2, large), frames(honest, 0, 1, large)[0], Taken},
		{"a vote when its sender's larger frames are held", frames(honest, 0, 2, large), frames(honest, 2, 1, small)[0], Taken},
		{"a client's beyond its number", frames(greedy, 0, 4, small), frames(greedy, 4, 1, small)[0], Refused},
		{"a client's when another one's are refused", frames(greedy, 0, 4, small), frames(modest, 0, 1, small)[0], Taken},
		{"a client's beyond its share of the bytes", frames(greedy, 0, 1, 600), frames(greedy, 1, 1, 600)[0], Refused},
		{"a client's large frame, alone", nil, frames(greedy, 0, 1, 8<<10)[0], Taken},
		{"a client's beyond the bytes of all", frames(greedy, 0, 1, 4<<10), frames(modest, 0, 1, small)[0], Refused},
		{"an observer's beyond its number", frames(observer, 0, 4, small), frames(observer, 4, 1, small)[0], Refused},
	} {
		q := NewIntake(smallBounds())
		if n := offer(q, c.before); n[Taken] != len(c.before) {
			t.Fatalf("%s: %d of %d taken before", c.name, n[Taken], len(c.before))
		}
		if got := q.Offer(&c.offer); got != c.want {
			t.Errorf("%s: verdict %d, want %d", c.name, got, c.want)
		}
	}
}

func TestAFloodOfVotesLosesItsOldestOnly(t *testing.T) {
	q := NewIntake(smallBounds())
	offer(q, frames(honest, 0, 3, 100))
	offer(q, frames(liar, 0, 20, 100))
	counts := map[consensus.Peer][]int{}
	for _, f := range takeAll(q, 19) {
		counts[f.From] = append(counts[f.From], number(f))
	}
	if fmt.Sprint(counts[honest]) != "[0 1 2]" || len(counts[liar]) != 16 || counts[liar][0] != 4 {
		t.Fatalf("taken: %v", counts)
	}
	if n, dropped := q.Depth(); n != 0 || dropped != [Priorities]uint64{Small: 4} {
		t.Fatalf("%d left, dropped %v", n, dropped)
	}
}

func TestVotesComeFirstAndClientsNowAndThen(t *testing.T) {
	q := NewIntake(smallBounds())
	offer(q, frames(modest, 0, 2, 100))
	offer(q, frames(liar, 100, 1, 3<<10))
	offer(q, frames(liar, 200, 2, 100))
	var order []int
	for _, f := range takeAll(q, 5) {
		order = append(order, number(f))
	}
	if fmt.Sprint(order) != "[200 201 100 0 1]" {
		t.Fatalf("order %v: votes, then larger frames, then clients", order)
	}
}

// turns offers a frame, before a flood or after it began, and floods the intake
// before each take: it counts the takes until the frame comes.
func turns(t *testing.T, flood consensus.Peer, one consensus.Frame, before bool) int {
	t.Helper()
	b := smallBounds()
	b.ClientBytes = 1 << 20
	q := NewIntake(b)
	if before {
		offer(q, []consensus.Frame{one})
	}
	for i := range 10 * fairness {
		offer(q, frames(flood, 300, 16, 100))
		if i == 0 && !before {
			offer(q, []consensus.Frame{one})
		}
		for _, f := range takeAll(q, 1) {
			if f.From == one.From {
				return i + 1
			}
		}
	}
	t.Fatalf("%v with %d bytes waits behind %v for ever", one.From, len(one.Bytes), flood)
	return 0
}

// Whoever floods, everybody else's frame comes within a few takes.
func TestNobodyStarvesAnother(t *testing.T) {
	for _, c := range []struct {
		name  string
		flood consensus.Peer
		one   consensus.Frame
		most  int
	}{
		{"votes before a vote", liar, frames(honest, 1, 1, 100)[0], 2},
		{"votes before a batch", liar, frames(honest, 1, 1, 3<<10)[0], fairness},
		{"votes before a request", liar, frames(modest, 1, 1, 100)[0], fairness},
		{"requests before a request", greedy, frames(modest, 1, 1, 100)[0], 2},
		{"requests before a vote", greedy, frames(honest, 1, 1, 100)[0], 1},
		{"requests before a batch", greedy, frames(honest, 1, 1, 3<<10)[0], 1},
	} {
		for _, before := range []bool{true, false} {
			if n := turns(t, c.flood, c.one, before); n > c.most {
				t.Errorf("%s: it comes with take %d, want %d at most", c.name, n, c.most)
			}
		}
	}
}

// A client that floods has replicas forward what it says: that must not stand
// before their votes.
func TestForwardedRequestsWaitWithClients(t *testing.T) {
	q := NewIntake(smallBounds())
	for _, f := range frames(honest, 0, 4, 100) {
		f.Bytes[0] = consensus.KindRequest
		q.Offer(&f)
	}
	last := frames(honest, 9, 1, 100)
	offer(q, last)
	if got := takeAll(q, 1); len(got) != 1 || number(got[0]) != 9 {
		t.Fatalf("%d frames come first, want the vote alone", len(got))
	}
}

func TestNothingIsKeptForWhoLeft(t *testing.T) {
	q := NewIntake(smallBounds())
	offer(q, frames(greedy, 0, 6, 100))
	offer(q, frames(modest, 0, 1, 8<<10))
	takeAll(q, 4)
	if n := offer(q, frames(modest, 0, 1, 8<<10)); n[Taken] != 1 {
		t.Fatal("a large request is refused by an empty intake")
	}
	takeAll(q, 1)
	if len(q.sources) != 0 || q.clientBytes != 0 {
		t.Fatalf("%d queues and %d bytes are kept for nobody", len(q.sources), q.clientBytes)
	}
}

func TestLargeFramesOfOneClientLeaveRoomForOthers(t *testing.T) {
	b := DefaultBounds()
	q := NewIntake(b)
	if n := offer(q, frames(greedy, 0, 1+b.ClientBytes>>20, 1<<20)); n[Refused] == 0 {
		t.Fatal("one client's frames are all taken")
	}
	if n := offer(q, frames(modest, 0, 1, 1<<20)); n[Taken] != 1 {
		t.Fatal("one client's large frames cost another one a request")
	}
}

// Whatever several workers take and give back, the frames of one replica and
// priority come in order, and none is lost or doubled.
func TestOrderPerReplica(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := smallBounds()
		b.PeerFrames, b.PeerBytes = 1<<20, 1<<30
		q := NewIntake(b)
		offered, taken := map[sourceKey]int{}, map[sourceKey]int{}
		var workers []*Group
		take := func() *Group {
			g := &Group{}
			q.Take(g)
			return g
		}
		giveBack := func(g *Group) {
			for _, f := range g.Frames {
				k := sourceKey{f.From, PriorityOf(&f)}
				if number(f) != taken[k] {
					rt.Fatalf("%v: frame %d when %d was due", k, number(f), taken[k])
				}
				taken[k]++
			}
			q.Done(g)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"offer": func(rt *rapid.T) {
				from := consensus.ReplicaPeer(consensus.ReplicaID(rapid.IntRange(0, 2).Draw(rt, "from")))
				size := rapid.SampledFrom([]int{10, 3 << 10}).Draw(rt, "size")
				k := sourceKey{from, PriorityOf(&frames(from, 0, 1, size)[0])}
				group := frames(from, offered[k], rapid.IntRange(1, 20).Draw(rt, "n"), size)
				offered[k] += offer(q, group)[Taken]
			},
			"take": func(rt *rapid.T) {
				if q.Ready() {
					workers = append(workers, take())
				}
			},
			"done": func(rt *rapid.T) {
				if len(workers) > 0 {
					i := rapid.IntRange(0, len(workers)-1).Draw(rt, "worker")
					giveBack(workers[i])
					workers = append(workers[:i], workers[i+1:]...)
				}
			},
		})
		for _, g := range workers {
			giveBack(g)
		}
		for q.Ready() {
			giveBack(take())
		}
		if fmt.Sprint(offered) != fmt.Sprint(taken) {
			rt.Fatalf("offered %v, taken %v", offered, taken)
		}
	})
}

// The intake never holds more than its bounds, whoever sends what.
func TestTheIntakeIsBounded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := smallBounds()
		q := NewIntake(b)
		var all []consensus.Frame
		rt.Repeat(map[string]func(*rapid.T){
			"offer": func(rt *rapid.T) {
				from := rapid.SampledFrom([]consensus.Peer{liar, honest, greedy, modest, observer}).Draw(rt, "from")
				size := rapid.SampledFrom([]int{10, 900, 3 << 10, 20 << 10}).Draw(rt, "size")
				f := frames(from, len(all)%1000, 1, size)[0]
				all = append(all, f)
				q.Offer(&f)
			},
			"take": func(rt *rapid.T) {
				if q.Ready() {
					var g Group
					q.Take(&g)
					if len(g.Frames) == 0 || len(g.Frames) > b.GroupFrames {
						rt.Fatalf("a group of %d frames", len(g.Frames))
					}
					q.Done(&g)
				}
			},
			"": func(rt *rapid.T) {
				frames, clients := 0, 0
				for k, s := range q.sources {
					frames += s.frames.len()
					alone := s.frames.len() == 1
					switch k.priority {
					case Small:
						alone = s.frames.len() <= b.PeerFrames
					case Large:
						alone = alone || s.bytes <= b.PeerBytes
					default:
						clients += s.bytes
						alone = alone || s.frames.len() <= b.ClientFrames && s.bytes <= b.ClientBytes/clientShare
					}
					if !alone {
						rt.Fatalf("%v holds %d frames of %d bytes", k, s.frames.len(), s.bytes)
					}
				}
				if depth, _ := q.Depth(); depth != frames || clients != q.clientBytes {
					rt.Fatalf("depth %d of %d, %d bytes of clients counted as %d", depth, frames, clients, q.clientBytes)
				}
			},
		})
	})
}
