package host

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

func questionOf(client byte) consensus.Job {
	return consensus.Answer{Request: &consensus.Request{Client: crypto.PublicKey{client}}}
}

// A client that repeats a request whose reply is large costs every replica a
// read of megabytes each time. In one queue with the commits, thousands of them
// stood before each batch.
func TestRepeatedRequestsDoNotStandBeforeCommits(t *testing.T) {
	b := DefaultBounds()
	q := NewJobs(b)
	q.Put(consensus.Commit{Seq: 1})
	for range b.Answers {
		q.Put(questionOf(1))
	}
	for _, j := range []consensus.Job{consensus.Commit{Seq: 2}, questionOf(2), consensus.Commit{Seq: 3}} {
		q.Put(j)
	}
	if _, waiting, dropped := q.Depth(); waiting != b.Answers/answerShare+1 || int(dropped) != b.Answers-b.Answers/answerShare {
		t.Fatalf("%d wait, %d dropped: one client's questions take the room of all", waiting, dropped)
	}
	var order []string
	for range 5 {
		switch j := q.Take().Job.(type) {
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
	q := NewJobs(DefaultBounds())
	for n := range consensus.Seq(3) {
		q.Put(consensus.Commit{Seq: n})
	}
	answer := questionOf(1)
	q.Put(answer)
	for range 3 {
		if q.Take().Job == answer {
			t.Fatal("the answer overtook a commit")
		}
	}
	if !q.Ready() || q.Take().Job != answer {
		t.Fatal("the answer did not come")
	}
	if q.Ready() || len(q.answers.of) != 0 {
		t.Fatalf("%d clients remembered", len(q.answers.of))
	}
}

// The engine is held back by jobs alone: reads and answers are what others ask for.
func TestWhatFillsTheQueueOfJobs(t *testing.T) {
	q := NewJobs(smallBounds())
	read := &consensus.ChunkRead{Seq: 1}
	for i, want := range []Verdict{Taken, Taken, Refused} {
		if got := q.Read(read); got != want {
			t.Fatalf("read %d: verdict %d, want %d", i, got, want)
		}
	}
	for i, want := range []Verdict{Taken, Refused} { // a sixteenth of two is one all the same
		if got := q.Put(questionOf(1)); got != want {
			t.Fatalf("answer %d: verdict %d, want %d", i, got, want)
		}
	}
	for n := range consensus.Seq(4) {
		if q.Full() {
			t.Fatalf("full with %d jobs of 4", n)
		}
		q.Put(consensus.Commit{Seq: n})
	}
	if q.Put(consensus.Commit{Seq: 4}) != Taken || !q.Full() {
		t.Fatal("not full with 5 jobs of 4, all of which are taken")
	}
	for range 2 {
		if q.Take().Read != read {
			t.Fatal("reads come first")
		}
	}
	if q.Read(read) != Taken {
		t.Fatal("reads that were taken make room")
	}
	for range 2 { // a job, and the answer, whose turn it is
		q.Take()
	}
	if q.Take(); q.Full() {
		t.Fatal("full with 3 jobs of 4")
	}
}

// Jobs come in order; an answer never before a job that was queued before it,
// and after at most one that was queued behind it for each answer before it.
func TestJobsAndAnswersTakeTurns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := NewJobs(DefaultBounds())
		var put, jobs, taken int
		var asked []int // jobs before each answer, when it was asked
		rt.Repeat(map[string]func(*rapid.T){
			"job": func(*rapid.T) {
				put++
				q.Put(consensus.Commit{Seq: consensus.Seq(put)})
			},
			"ask": func(rt *rapid.T) {
				q.Put(questionOf(byte(rapid.IntRange(1, 200).Draw(rt, "client"))))
				asked = append(asked, put)
			},
			"take": func(rt *rapid.T) {
				if !q.Ready() {
					return
				}
				if c, ok := q.Take().Job.(consensus.Commit); ok {
					jobs++
					if int(c.Seq) != jobs {
						rt.Fatalf("job %d when %d was due", c.Seq, jobs)
					}
					if taken++; len(asked) > 0 && taken > 1 && jobs > asked[0]+1 {
						rt.Fatalf("two jobs in a row while an answer is due since job %d: now %d", asked[0], jobs)
					}
					return
				}
				if jobs < asked[0] {
					rt.Fatalf("an answer after %d jobs that was asked after %d", jobs, asked[0])
				}
				asked, taken = asked[1:], 0
			},
		})
	})
}

// Tasks of checkpoints hold back commits beyond their bounds, and jobs of a restore
// at once: a restore drops what they work on. Nothing overtakes what waits.
func TestJobsWaitForTasks(t *testing.T) {
	b := DefaultBounds()
	b.Tasks, b.TaskBytes = 2, 100
	q := NewJobs(b)
	ready := func(j consensus.Job) bool {
		t.Helper()
		q.Put(j)
		q.Put(questionOf(1))
		is := q.Ready()
		tasks, bytes := q.underWay, q.waitBytes
		for range tasks {
			q.Ended(bytes / tasks)
		}
		if first := q.Take().Job; fmt.Sprintf("%T", first) != fmt.Sprintf("%T", j) {
			t.Errorf("%T overtook %T", first, j)
		}
		if q.Take(); q.Ready() {
			t.Error("something is left")
		}
		for range tasks {
			q.Begun(bytes / tasks)
		}
		return is
	}
	commit, restore, keep := consensus.Commit{Seq: 1}, consensus.RestoreEnd{}, consensus.Stabilize{Seq: 1}
	if !ready(commit) || !ready(restore) {
		t.Error("waits for no task")
	}
	q.Begun(40)
	if !ready(commit) || ready(restore) || ready(consensus.RestoreAbort{}) {
		t.Error("one small task: commits go on, restores wait")
	}
	q.Begun(40)
	if ready(commit) || !ready(keep) {
		t.Error("two tasks: commits wait, and nothing else")
	}
	q.Ended(40)
	q.Ended(40)
	q.Begun(100)
	if ready(commit) {
		t.Error("a commit does not wait though there is no room for more")
	}
}
