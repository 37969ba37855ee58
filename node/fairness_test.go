package node

import (
	"fmt"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// A client that repeats a request whose reply is large costs every replica a
// read of megabytes each time. In one queue with the commits, thousands of them
// stood before each batch.
func TestRepeatedRequestsDoNotStandBeforeCommits(t *testing.T) {
	b := DefaultBounds()
	x := newExecutor(nil, b)
	question := func(client byte) consensus.Job {
		return consensus.Answer{Request: &consensus.Request{Client: crypto.PublicKey{client}}}
	}
	x.execute([]consensus.Job{consensus.Commit{Seq: 1}})
	for range b.Answers {
		x.execute([]consensus.Job{question(1)})
	}
	x.execute([]consensus.Job{consensus.Commit{Seq: 2}, question(2), consensus.Commit{Seq: 3}})
	if _, waiting, dropped := x.depth(); waiting != b.Answers/answerShare+1 || int(dropped) != b.Answers-b.Answers/answerShare {
		t.Fatalf("%d wait, %d dropped: one client's questions take the room of all", waiting, dropped)
	}
	var order []string
	for range 5 {
		task, _ := x.next()
		switch j := task.job.(type) {
		case consensus.Commit:
			order = append(order, fmt.Sprint(j.Seq))
		case consensus.Answer:
			order = append(order, "answer")
		}
	}
	if fmt.Sprint(order) != "[1 answer 2 answer 3]" {
		t.Fatalf("order %v: answers and jobs take turns", order)
	}
}

// What an answer tells must include every job that was queued before it.
func TestAnswerWaitsForTheJobsBeforeIt(t *testing.T) {
	x := newExecutor(nil, DefaultBounds())
	answer := consensus.Answer{Request: &consensus.Request{}}
	x.execute([]consensus.Job{consensus.Commit{Seq: 1}, consensus.Commit{Seq: 2}, consensus.Commit{Seq: 3}, answer})
	for range 3 {
		if task, _ := x.next(); task.job == consensus.Job(answer) {
			t.Fatal("the answer overtook a commit")
		}
	}
	if task, ok := x.next(); !ok || task.job != consensus.Job(answer) {
		t.Fatal("the answer did not come")
	}
	if _, waiting, _ := x.depth(); waiting != 0 || len(x.answers.of) != 0 {
		t.Fatalf("%d wait, %d clients remembered", waiting, len(x.answers.of))
	}
}

// One replica can send STATUS faster than the engine takes it.
func TestFloodOfVotesLeavesRoomInEveryBurst(t *testing.T) {
	b := DefaultBounds()
	q := newInbox(b)
	for range b.InboxEvents {
		q.put(votes, consensus.Receive{}, 10)
	}
	body := consensus.Receive{From: consensus.ReplicaPeer(1)}
	q.put(bodies, body, 10)
	q.put(requests, consensus.Submit{}, 10)
	events, more := q.take(nil, consensus.MaxBurst)
	if len(events) != consensus.MaxBurst || !more {
		t.Fatalf("%d events, more %v", len(events), more)
	}
	if _, ok := events[len(events)-1].(consensus.Submit); !ok || events[len(events)-2] != consensus.Event(body) {
		t.Fatal("a batch and a request wait behind a flood of votes for ever")
	}
}

func TestLargeFramesOfOneClientLeaveRoomForOthers(t *testing.T) {
	b := DefaultBounds()
	q := newIntake(b)
	greedy, modest := consensus.ClientPeer(crypto.PublicKey{1}), consensus.ClientPeer(crypto.PublicKey{2})
	if refused := q.offer(frames(greedy, 0, 1+b.ClientBytes>>20, 1<<20)); len(refused) == 0 {
		t.Fatal("one client's frames are all taken")
	}
	if refused := q.offer(frames(modest, 0, 1, 1<<20)); len(refused) != 0 {
		t.Fatal("one client's large frames cost another one a request")
	}
}
