package node

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/driver"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/storage"
)

// frames makes n frames of one size, numbered by their first two bytes.
func frames(from consensus.Peer, first, n, size int) []consensus.Frame {
	var out []consensus.Frame
	for i := first; i < first+n; i++ {
		b := make([]byte, size)
		b[0], b[1] = byte(i>>8), byte(i)
		out = append(out, consensus.Frame{From: from, Bytes: b})
	}
	return out
}

func number(f consensus.Frame) int { return int(f.Bytes[0])<<8 | int(f.Bytes[1]) }

func smallBounds() Bounds {
	return Bounds{
		Workers: 2, Proven: 16, GroupFrames: 8, PeerFrames: 16, PeerBytes: 10 << 10, ClientFrames: 4, ClientBytes: 4 << 10,
		InboxEvents: 4, InboxBytes: 4 << 10, Jobs: 4, Answers: 2, Reads: 2, EvidenceFiles: 2,
	}
}

func takeAll(q *intake, n int) (got []consensus.Frame) {
	for len(got) < n {
		frames, lanes, _ := q.take(nil, nil)
		got = append(got, frames...)
		q.done(lanes)
	}
	return got
}

func TestIntakeDropsTheOldestVotesOfAFloodingReplicaOnly(t *testing.T) {
	q := newIntake(smallBounds())
	liar, honest := consensus.ReplicaPeer(1), consensus.ReplicaPeer(2)
	q.offer(frames(honest, 0, 3, 100))
	if refused := q.offer(frames(liar, 0, 20, 100)); len(refused) > 0 {
		t.Fatalf("%d votes handed back", len(refused))
	}
	counts := map[consensus.Peer][]int{}
	for _, f := range takeAll(q, 19) {
		counts[f.From] = append(counts[f.From], number(f))
	}
	if fmt.Sprint(counts[honest]) != "[0 1 2]" || len(counts[liar]) != 16 || counts[liar][0] != 4 {
		t.Fatalf("taken: %v", counts)
	}
	if n, dropped := q.depth(); n != 0 || dropped[urgent] != 4 {
		t.Fatalf("%d left, dropped %v", n, dropped)
	}
}

func TestIntakeServesVotesFirstAndClientsNowAndThen(t *testing.T) {
	q := newIntake(smallBounds())
	r, client := consensus.ReplicaPeer(1), consensus.ClientPeer(crypto.PublicKey{1})
	q.offer(frames(client, 0, 2, 100))
	q.offer(frames(r, 100, 1, 3<<10))
	q.offer(frames(r, 200, 2, 100))
	var order []int
	for _, f := range takeAll(q, 5) {
		order = append(order, number(f))
	}
	if fmt.Sprint(order) != "[200 201 100 0 1]" {
		t.Fatalf("order %v: votes, then larger frames, then clients", order)
	}
	// A replica that floods us with votes cannot starve clients.
	q.offer(frames(client, 0, 1, 100))
	for i := range fairness {
		q.offer(frames(r, 300, 8, 100))
		got, lanes, _ := q.take(nil, nil)
		q.done(lanes)
		if got[0].From == client {
			return
		}
		if i == fairness-1 {
			t.Fatal("a client waits behind votes for ever")
		}
	}
}

func TestIntakeAnswersClientsBeyondTheirBound(t *testing.T) {
	q := newIntake(smallBounds())
	greedy, modest := consensus.ClientPeer(crypto.PublicKey{1}), consensus.ClientPeer(crypto.PublicKey{2})
	if refused := q.offer(frames(greedy, 0, 6, 100)); len(refused) != 2 || number(refused[0]) != 4 {
		t.Fatalf("%d refused, want the last 2", len(refused))
	}
	if refused := q.offer(frames(modest, 0, 1, 100)); len(refused) != 0 {
		t.Fatal("one client's flood costs another one a request")
	}
	if refused := q.offer(frames(modest, 1, 1, 4<<10)); len(refused) != 1 {
		t.Fatal("more bytes of clients than the bound are taken")
	}
	takeAll(q, 5)
	if refused := q.offer(frames(modest, 2, 1, 4<<10)); len(refused) != 0 {
		t.Fatal("a large request is refused by an empty intake")
	}
	takeAll(q, 1)
	if len(q.lanes) != 0 {
		t.Fatalf("%d lanes are kept for nobody", len(q.lanes))
	}
}

func TestIntakeHoldsLargeFramesBackWithoutLosingOne(t *testing.T) {
	q := newIntake(smallBounds())
	r := consensus.ReplicaPeer(1)
	done := make(chan []consensus.Frame)
	go func() { done <- q.offer(frames(r, 0, 20, 4<<10)) }()
	got := takeAll(q, 20)
	if refused := <-done; len(refused) != 0 {
		t.Fatalf("%d large frames handed back", len(refused))
	}
	for i, f := range got {
		if number(f) != i {
			t.Fatalf("frame %d comes as number %d", number(f), i)
		}
	}
}

func TestIntakeClosesUnderThoseWhoWait(t *testing.T) {
	q := newIntake(smallBounds())
	var wait sync.WaitGroup
	wait.Go(func() { q.offer(frames(consensus.ReplicaPeer(1), 0, 20, 4<<10)) })
	wait.Go(func() {
		for {
			_, lanes, ok := q.take(nil, nil)
			if !ok {
				return
			}
			q.done(lanes)
		}
	})
	q.close()
	wait.Wait()
}

// Whatever several workers take and give back, the frames of one replica and
// rank come in order, and none is lost or doubled.
func TestIntakeKeepsOrderPerReplica(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := smallBounds()
		b.PeerFrames, b.PeerBytes = 1<<20, 1<<30
		q := newIntake(b)
		offered, taken := map[laneKey]int{}, map[laneKey]int{}
		type hold struct {
			frames []consensus.Frame
			lanes  []*lane
		}
		var workers []hold
		giveBack := func(h hold) {
			for _, f := range h.frames {
				k := laneKey{f.From, rankOf(&f)}
				if number(f) != taken[k] {
					rt.Fatalf("%v: frame %d when %d was due", k, number(f), taken[k])
				}
				taken[k]++
			}
			q.done(h.lanes)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"offer": func(rt *rapid.T) {
				from := consensus.ReplicaPeer(consensus.ReplicaID(rapid.IntRange(0, 2).Draw(rt, "from")))
				size := rapid.SampledFrom([]int{10, 3 << 10}).Draw(rt, "size")
				n := rapid.IntRange(1, 20).Draw(rt, "n")
				group := frames(from, 0, n, size)
				k := laneKey{from, rankOf(&group[0])}
				q.offer(frames(from, offered[k], n, size))
				offered[k] += n
			},
			"take": func(rt *rapid.T) {
				if !q.waiting() {
					return
				}
				var h hold
				h.frames, h.lanes, _ = q.take(nil, nil)
				workers = append(workers, h)
			},
			"done": func(rt *rapid.T) {
				if len(workers) == 0 {
					return
				}
				i := rapid.IntRange(0, len(workers)-1).Draw(rt, "worker")
				giveBack(workers[i])
				workers = append(workers[:i], workers[i+1:]...)
			},
		})
		for _, h := range workers {
			giveBack(h)
		}
		for q.waiting() {
			var h hold
			h.frames, h.lanes, _ = q.take(nil, nil)
			giveBack(h)
		}
		if fmt.Sprint(offered) != fmt.Sprint(taken) {
			rt.Fatalf("offered %v, taken %v", offered, taken)
		}
	})
}

func TestInboxBoundsEachLotInItsOwnWay(t *testing.T) {
	q := newInbox(smallBounds())
	for range 4 {
		if !q.put(requests, consensus.Submit{}, 10) {
			t.Fatal("no room for a request in an empty inbox")
		}
	}
	if q.put(requests, consensus.Submit{}, 10) {
		t.Fatal("a request beyond the bound is taken")
	}
	for i := range 10 {
		if !q.put(own, consensus.Executed{Seq: consensus.Seq(i)}, 0) {
			t.Fatal("an own event finds no room")
		}
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for range 9 {
			q.put(votes, consensus.Receive{}, 10)
		}
	})
	count := map[string]int{}
	for n := 0; n < 23; {
		<-q.wake
		for more := true; more; {
			var events []consensus.Event
			events, more = q.take(nil, 5)
			if n == 0 && fmt.Sprintf("%T", events[0]) != "consensus.Executed" {
				t.Fatalf("first of all comes %T, want own events", events[0])
			}
			for _, e := range events {
				count[fmt.Sprintf("%T", e)]++
				n++
			}
		}
	}
	wait.Wait()
	if fmt.Sprint(count) != "map[consensus.Executed:10 consensus.Receive:9 consensus.Submit:4]" {
		t.Fatalf("taken: %v", count)
	}
	q.close()
	if q.put(own, consensus.Tick{}, 0) {
		t.Fatal("a closed inbox takes events")
	}
}

// One sync covers whatever waited; what is durable is said after it; a failed
// log ends the node.
func TestJournalSharesSyncsAndStopsWhenTheLogFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	log, _, err := storage.OpenLog(dir, storage.LogOptions{SegmentBytes: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	type word struct {
		durable driver.Ticket
		synced  uint64 // what the log says at that moment
	}
	told := make(chan word, 16)
	failed := make(chan error, 1)
	// All of these run on the journal's goroutine, which owns the log.
	j := newJournal(log, newMetrics(), func(t driver.Ticket) { told <- word{t, log.Status().Synced} }, func(err error) { failed <- err })
	done := make(chan uint64, 1)
	for i := range 10 {
		j.append(entry{ticket: driver.Ticket(i + 1), records: []consensus.Record{{Slot: 1, Bytes: []byte("r")}}})
	}
	j.append(entry{errand: func() error { done <- log.Status().Synced; return nil }})
	var wait sync.WaitGroup
	wait.Go(j.run)
	if w := <-told; w != (word{10, 10}) {
		t.Fatalf("after the first group %+v, want all 10 synced and durable", w)
	}
	if synced := <-done; synced != 10 {
		t.Fatalf("an errand ran when %d records were synced", synced)
	}
	j.append(entry{ticket: 11, records: []consensus.Record{{Slot: 2, Lazy: true, Bytes: []byte("lazy")}}})
	if w := <-told; w != (word{11, 10}) {
		t.Fatalf("after a lazy record alone %+v, want it written and not synced", w)
	}
	closed := make(chan error, 1)
	j.append(entry{errand: func() error { closed <- log.Close(); return nil }})
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	j.append(entry{ticket: 12, records: []consensus.Record{{Slot: 3}}})
	if err := <-failed; !errors.Is(err, storage.ErrClosed) {
		t.Fatalf("failed with %v", err)
	}
	wait.Wait()
	if len(told) > 0 {
		t.Fatal("a record that could not be written is called durable")
	}
}

func TestReporterKeepsTheLogShort(t *testing.T) {
	var text bytes.Buffer
	r := newReporter(slog.New(slog.NewTextHandler(&text, nil)), newMetrics(), quorum.PBFT)
	now := time.Unix(1000, 0)
	r.now = func() time.Time { return now }
	r.report([]consensus.Note{{Kind: consensus.LeftView, View: 4, Reason: "impatient"}, {Kind: consensus.EnteredView, View: 4}})
	for i := range 50 {
		r.report([]consensus.Note{{Kind: consensus.Stable, Seq: consensus.Seq(i)}, {Kind: consensus.Alarm, Text: "look"}, {Kind: consensus.Prepared}})
		now = now.Add(100 * time.Millisecond)
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if n := strings.Count(text.String(), "checkpoint is stable"); n != 5 {
		t.Errorf("%d lines for checkpoints in 5 seconds", n)
	}
	if n := strings.Count(text.String(), "level=WARN msg=alarm"); n != 5 {
		t.Errorf("%d lines for one alarm in 5 seconds", n)
	}
	if len(lines) != 11 || !strings.Contains(lines[0], "entered view") || !strings.Contains(lines[0], "impatient") {
		t.Errorf("the log:\n%s", text.String())
	}
}

func TestReadyMeansInAViewWithinTheWindowReachingAQuorum(t *testing.T) {
	good := consensus.Status{View: 3, Executed: 70, Stable: 64, High: 320, Heard: []consensus.ReplicaID{0, 1, 2}}
	if why := unready(&good, 3); len(why) != 0 {
		t.Fatalf("not ready: %v", why)
	}
	for name, spoil := range map[string]func(*consensus.Status){
		"changing":    func(s *consensus.Status) { s.Changing = true },
		"rejoining":   func(s *consensus.Status) { s.Rejoining = true },
		"fetching":    func(s *consensus.Status) { s.Fetching = 128 },
		"left behind": func(s *consensus.Status) { s.Executed = 12 },
		"alone":       func(s *consensus.Status) { s.Heard = s.Heard[:2] },
	} {
		s := good
		spoil(&s)
		if why := unready(&s, 3); len(why) != 1 {
			t.Errorf("%s: %v", name, why)
		}
	}
}

func TestStuckLoopIsNotReady(t *testing.T) {
	p := picture{at: time.Unix(1000, 0)}
	if why := p.stuck(time.Unix(1001, 0)); len(why) != 0 {
		t.Errorf("after a second: %v", why)
	}
	w := httptest.NewRecorder()
	health(w, p.stuck(time.Unix(1000, 0).Add(stuckAfter+1)))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "has not ticked") {
		t.Errorf("after %v: %d %s", stuckAfter, w.Code, w.Body)
	}
}

func TestFullDiskHasARemedy(t *testing.T) {
	if full, other := remedy(fmt.Errorf("append: %w", syscall.ENOSPC)), remedy(syscall.EIO); !strings.Contains(full, "make room") || full == other {
		t.Errorf("a full disk: %q; another failure: %q", full, other)
	}
}

func TestEvidenceIsKeptWithinBounds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "evidence")
	for i := range 5 {
		for r := range consensus.ReplicaID(2) {
			n := consensus.Note{Kind: consensus.EvidenceNote, Replica: r, Bytes: []byte{byte(i % 4)}}
			if err := keepEvidence(dir, &n, 3); err != nil {
				t.Fatal(err)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 6 {
		t.Fatalf("%d files, %v; want 3 for each replica", len(entries), err)
	}
}
