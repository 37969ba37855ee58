package host

import (
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Frames that were opened, one of each class.
var (
	vote    = frames(honest, 1, 1, 100)[0]
	body    = frames(honest, 2, 1, 3<<10)[0]
	request = frames(modest, 3, 1, 100)[0]
)

func TestVerdictsOfTheInbox(t *testing.T) {
	submit, receive := consensus.Submit{}, consensus.Receive{}
	many := func(f consensus.Frame, n int) (fs []consensus.Frame) {
		for range n {
			fs = append(fs, f)
		}
		return fs
	}
	for _, c := range []struct {
		name   string
		before []consensus.Frame
		frame  consensus.Frame
		event  consensus.Event
		want   Verdict
	}{
		{"a vote beyond the number", many(vote, 4), vote, receive, Held},
		{"a body when votes are held", many(vote, 4), body, receive, Taken},
		{"a body beyond the bytes", many(body, 1), body, receive, Held},
		{"a request beyond the number", many(request, 4), request, submit, Refused},
		{"a forwarded request beyond the number", many(request, 4), vote, submit, Refused},
		{"a vote when requests are refused", many(request, 4), vote, receive, Taken},
	} {
		q := NewInbox(smallBounds())
		for i := range c.before {
			e := consensus.Event(receive)
			if c.before[i].From.Kind == consensus.PeerClient {
				e = submit
			}
			if v := q.Offer(&c.before[i], e); v != Taken {
				t.Fatalf("%s: verdict %d before", c.name, v)
			}
		}
		if got := q.Offer(&c.frame, c.event); got != c.want {
			t.Errorf("%s: verdict %d, want %d", c.name, got, c.want)
		}
	}
}

func TestWhoIsToldThatWeAreBusy(t *testing.T) {
	signer := crypto.NewSigner([crypto.PrivateKeySize]byte{7})
	req := consensus.SignRequest(signer, crypto.Digest{}, consensus.Sequence{Epoch: 1, Counter: 9}, [][]byte{[]byte("op")})
	from := consensus.ClientPeer(signer.Public())
	for _, c := range []struct {
		name  string
		frame consensus.Frame
		event consensus.Event
		told  bool
		named bool // ... of which request
	}{
		{"a client whose frame nobody has opened", consensus.Frame{From: from, Bytes: req.Raw}, nil, true, true},
		{"a client whose request was opened", consensus.Frame{From: from, Bytes: req.Raw}, consensus.Submit{Request: req}, true, true},
		{"a client whose frame is no request", consensus.Frame{From: from, Bytes: []byte("?")}, nil, true, false},
		{"a replica that forwards", consensus.Frame{From: honest, Bytes: req.Raw}, consensus.Submit{Request: req}, false, false},
		{"an observer", consensus.Frame{From: observer, Bytes: req.Raw}, nil, false, false},
	} {
		r := Refusal(&c.frame, c.event)
		if (r != nil) != c.told {
			t.Errorf("%s: told %+v", c.name, r)
			continue
		}
		if c.told && (r.Code != consensus.RefusedBusy || r.Client != from.Key || (r.Request == req.Digest) != c.named) {
			t.Errorf("%s: told %+v", c.name, r)
		}
	}
}

// One replica can send STATUS faster than the engine takes it.
func TestFloodOfVotesLeavesRoomInEveryBurst(t *testing.T) {
	q := NewInbox(DefaultBounds())
	for range DefaultBounds().InboxEvents {
		q.Offer(&vote, consensus.Receive{})
	}
	batch := consensus.Receive{From: honest}
	q.Offer(&body, batch)
	q.Offer(&request, consensus.Submit{})
	events, more := q.Burst(true)
	if len(events) != consensus.MaxBurst || !more {
		t.Fatalf("%d events, more %v", len(events), more)
	}
	last := events[len(events)-3:]
	if last[0] != consensus.Event(batch) || last[1] != consensus.Event(consensus.Submit{}) || last[2] != consensus.Event(consensus.Tick{}) {
		t.Fatalf("a burst ends with %v: a batch and a request wait behind a flood of votes for ever", last)
	}
}

func TestOwnEventsAlwaysFindRoom(t *testing.T) {
	q := NewInbox(smallBounds())
	for n := range consensus.Seq(100) {
		q.Own(consensus.Executed{Seq: n})
	}
	if events, _ := q.Burst(false); len(events) != 100 {
		t.Fatalf("%d of 100 own events come", len(events))
	}
}

func TestBurstsOfNothing(t *testing.T) {
	q := NewInbox(smallBounds())
	if events, more := q.Burst(false); len(events) != 0 || more {
		t.Errorf("an empty inbox gives %v, more %v", events, more)
	}
	if events, more := q.Burst(true); len(events) != 1 || more {
		t.Errorf("a tick alone gives %v, more %v", events, more)
	}
}

// What was taken in comes out, each class in order, own events first, and no
// class with something to say is left out of a burst.
func TestBurstsAgainstLists(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := NewInbox(DefaultBounds())
		var lists [Classes][]consensus.Event
		next := consensus.Seq(0)
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				c := Class(rapid.IntRange(0, int(Classes)-1).Draw(rt, "class"))
				for range rapid.IntRange(1, 30).Draw(rt, "n") {
					next++
					e := consensus.Event(consensus.Receive{Message: next})
					switch c {
					case Own:
						e = consensus.Kept{Seq: next}
						q.Own(e)
					case Requests:
						e = consensus.Submit{Request: &consensus.Request{Sequence: consensus.Sequence{Counter: uint64(next)}}}
						q.Offer(&request, e)
					case Votes:
						q.Offer(&vote, e)
					default:
						q.Offer(&body, e)
					}
					lists[c] = append(lists[c], e)
				}
			},
			"take": func(rt *rapid.T) {
				room := rapid.IntRange(int(Classes)*classShare, 100).Draw(rt, "room")
				events, more := q.take(room)
				waiting, left := 0, 0
				for c := range lists {
					waiting += len(lists[c])
					least := min(len(lists[c]), room/classShare)
					n := 0
					for n < len(lists[c]) && n < len(events) && events[n] == lists[c][n] {
						n++
					}
					if n < least {
						rt.Fatalf("class %v has %d of %d, and %d events in the burst", Class(c), len(lists[c]), room, n)
					}
					events, lists[c] = events[n:], lists[c][n:]
					left += len(lists[c])
				}
				if len(events) > 0 || waiting-left != min(waiting, room) || more != (left > 0) {
					rt.Fatalf("%d events too many, %d taken of %d with room %d, more %v", len(events), waiting-left, waiting, room, more)
				}
			},
		})
	})
}
