package node

import (
	"fmt"
	"sync"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
	"quorate.dev/quorate/crypto"
)

// frames makes n frames of one size, numbered by their second byte: the first one is a kind.
func frames(from consensus.Peer, n, size int) []consensus.Frame {
	var out []consensus.Frame
	for i := range n {
		b := make([]byte, size)
		b[1] = byte(i)
		out = append(out, consensus.Frame{From: from, Bytes: b})
	}
	return out
}

func smallBounds() host.Bounds {
	b := host.DefaultBounds()
	b.GroupFrames, b.PeerBytes, b.ClientFrames, b.InboxEvents, b.Jobs = 8, 10<<10, 4, 4, 4
	return b
}

func takeAll(q *intake, n int) (got []consensus.Frame) {
	for len(got) < n {
		var g host.Group
		q.take(&g)
		got = append(got, g.Frames...)
		q.done(&g)
	}
	return got
}

func TestIntakeHoldsLargeFramesBackWithoutLosingOne(t *testing.T) {
	q := newIntake(smallBounds())
	done := make(chan []consensus.Frame)
	go func() { done <- q.offer(frames(consensus.ReplicaPeer(1), 20, 4<<10)) }()
	got := takeAll(q, 20)
	if refused := <-done; len(refused) != 0 {
		t.Fatalf("%d large frames handed back", len(refused))
	}
	for i, f := range got {
		if int(f.Bytes[1]) != i {
			t.Fatalf("frame %d comes as number %d", f.Bytes[1], i)
		}
	}
}

func TestIntakeHandsBackWhatItRefuses(t *testing.T) {
	q := newIntake(smallBounds())
	refused := q.offer(frames(consensus.ClientPeer(crypto.PublicKey{1}), 6, 100))
	if len(refused) != 2 || refused[0].Bytes[1] != 4 {
		t.Fatalf("%d refused, want the last 2", len(refused))
	}
	if n, dropped := q.depth(); n != 4 || dropped[host.Clients] != 2 {
		t.Fatalf("%d wait, %v dropped", n, dropped)
	}
}

// However many workers wait, whatever is offered is soon with one of them.
func TestEveryWorkerIsWoken(t *testing.T) {
	q := newIntake(smallBounds())
	var wait sync.WaitGroup
	busy, leave := make(chan int), make(chan bool)
	for range 4 {
		wait.Go(func() {
			var g host.Group
			if q.take(&g) {
				busy <- len(g.Frames)
				<-leave
				q.done(&g)
			}
		})
	}
	group := frames(consensus.ClientPeer(crypto.PublicKey{1}), 4, 100)
	for i := range group { // one large frame each, so that no two fit in one group
		group[i] = consensus.Frame{From: consensus.ReplicaPeer(consensus.ReplicaID(i)), Bytes: make([]byte, 1<<20)}
	}
	q.offer(group)
	for range 4 {
		if n := <-busy; n != 1 {
			t.Errorf("a worker has %d frames of a megabyte", n)
		}
	}
	close(leave)
	wait.Wait()
}

func TestIntakeClosesUnderThoseWhoWait(t *testing.T) {
	q := newIntake(smallBounds())
	var wait sync.WaitGroup
	wait.Go(func() { q.offer(frames(consensus.ReplicaPeer(1), 20, 4<<10)) })
	wait.Go(func() {
		for {
			var g host.Group
			if !q.take(&g) {
				return
			}
			q.done(&g)
		}
	})
	q.close()
	wait.Wait()
}

func TestInboxHoldsVotesAndRefusesRequests(t *testing.T) {
	q := newInbox(smallBounds())
	request, vote := frames(consensus.ClientPeer(crypto.PublicKey{1}), 1, 10)[0], frames(consensus.ReplicaPeer(1), 1, 10)[0]
	for range 4 {
		if !q.offer(&request, consensus.Submit{}) {
			t.Fatal("no room for a request in an empty inbox")
		}
	}
	if q.offer(&request, consensus.Submit{}) {
		t.Fatal("a request beyond the bound is taken")
	}
	q.own(consensus.Executed{Seq: 1})
	var wait sync.WaitGroup
	wait.Go(func() {
		for range 9 {
			q.offer(&vote, consensus.Receive{})
		}
	})
	count := map[string]int{}
	for n := 0; n < 14; {
		<-q.wake
		for more := true; more; {
			var events []consensus.Event
			events, more = q.burst(false)
			for _, e := range events {
				count[fmt.Sprintf("%T", e)]++
				n++
			}
		}
	}
	wait.Wait()
	if fmt.Sprint(count) != "map[consensus.Executed:1 consensus.Receive:9 consensus.Submit:4]" {
		t.Fatalf("taken: %v", count)
	}
	q.close()
	if q.offer(&vote, consensus.Receive{}) {
		t.Fatal("a closed inbox takes events")
	}
}

// The engine is told to go on once there is room for a job again, and not each
// time that one is taken.
func TestExecutorLetsTheEngineGoOn(t *testing.T) {
	x := newExecutor(nil, smallBounds())
	told := 0
	x.idle = func() { told++ }
	for n := range consensus.Seq(5) {
		x.execute([]consensus.Job{consensus.Commit{Seq: n}})
	}
	for i, want := range []int{0, 1, 1, 1} {
		if x.next(); told != want || x.behind() != (want == 0) {
			t.Fatalf("after %d jobs told %d times, behind %v", i+1, told, x.behind())
		}
	}
}
