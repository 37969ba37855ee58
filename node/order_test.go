package node

import (
	"path/filepath"
	"runtime"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/driver"
	"quorate.dev/quorate/consensus/host"
	"quorate.dev/quorate/storage"
)

// A task for the disk is done when the records of its step are synced, also those
// that force no sync themselves: that a replica has rejoined is said by one file,
// and by which limits it is bound by the log.
func TestTasksWaitForLazyRecords(t *testing.T) {
	log, _, err := storage.OpenLog(filepath.Join(t.TempDir(), "log"), storage.LogOptions{SegmentBytes: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	j := newJournal(log, newMetrics(), func(driver.Ticket) {}, func(err error) { t.Error(err) })
	done := false
	task := func() error {
		if s := log.Status(); s.Synced != s.Last || s.Last != 2 {
			t.Errorf("done when %d of %d records were synced", s.Synced, s.Last)
		}
		done = true
		return nil
	}
	lazy := []consensus.Record{{Slot: 1, Lazy: true, Bytes: []byte("a")}, {Slot: 1, Lazy: true, Bytes: []byte("b")}}
	if err := j.write([]entry{{ticket: 1, records: lazy}, {task: task}}); err != nil || !done {
		t.Errorf("done %v, error %v", done, err)
	}
}

// A worker that gives a queue back leaves what came meanwhile to whoever waits: it
// may not come again itself.
func TestWhatCameMeanwhileIsForWhoWaits(t *testing.T) {
	for range 100 {
		q := newIntake(smallBounds())
		group := frames(consensus.ReplicaPeer(1), 2, 10)
		q.offer(group[:1])
		var first host.Group
		q.take(&first)
		got := make(chan int)
		go func() {
			var g host.Group
			q.take(&g)
			got <- len(g.Frames)
		}()
		runtime.Gosched() // mostly, it waits by now
		q.offer(group[1:])
		q.done(&first)
		if n := <-got; n != 1 {
			t.Fatalf("the one who waits gets %d frames", n)
		}
	}
}
