package node

import (
	"sync"
	"testing"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
)

// witness counts what it is told.
type witness struct {
	mu      sync.Mutex
	sends   int
	commits map[consensus.Seq]int
}

func (w *witness) Sends(sends []consensus.Send) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sends += len(sends)
}

func (w *witness) Executes(jobs []consensus.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range jobs {
		if c, ok := j.(consensus.Commit); ok {
			w.commits[c.Seq]++
		}
	}
}

// What the host puts in the place of replies is what clients hear, and a
// witness is told of all that leaves and of all that is executed, once each.
func TestHostAnswersAndWitnesses(t *testing.T) {
	c := newCluster(t, 1)
	c.stop(0)
	w := &witness{commits: map[consensus.Seq]int{}}
	config := c.config(0)
	config.Witness = w
	config.Replies = func(rs []consensus.Reply) []consensus.Reply {
		out := append([]consensus.Reply(nil), rs...)
		for i := range out {
			out[i].Results = []consensus.Result{{Code: consensus.ResultFailed, Data: []byte("42")}}
		}
		return out
	}
	n, err := Start(config)
	if err != nil {
		t.Fatal(err)
	}
	c.nodes[0] = n
	a := c.dial("client")
	for range 3 {
		r := a.request(kv.Put([]byte("k"), []byte("v")))
		a.until("a reply", func() { a.network.Send(0, r.Raw) }, func() bool { return len(a.replies[r.Digest]) == 1 })
		a.mu.Lock()
		if got := a.replies[r.Digest][0].Results; len(got) != 1 || string(got[0].Data) != "42" {
			t.Errorf("the client heard %+v", got)
		}
		a.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sends == 0 || len(w.commits) != 3 {
		t.Errorf("%d sends, commits %v", w.sends, w.commits)
	}
	for seq, times := range w.commits {
		if times != 1 {
			t.Errorf("commit %d was told %d times", seq, times)
		}
	}
}
