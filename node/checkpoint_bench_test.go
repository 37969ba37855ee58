package node

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/storage"
)

// BenchmarkTurns executes batches of 400 puts of 256 bytes under new keys on a disk,
// one each millisecond but for what execution takes, with a checkpoint after every
// 64 of them that is kept at once, and reports what one turn of the executor takes.
// An operation is a batch. At once, each checkpoint is done as a part of its job.
func BenchmarkTurns(b *testing.B) {
	for _, beside := range []bool{false, true} {
		b.Run(fmt.Sprintf("beside=%v", beside), func(b *testing.B) { benchmarkTurns(b, beside) })
	}
}

func benchmarkTurns(b *testing.B, beside bool) {
	g := consensus.NewGenesis("bench", "pbft", []crypto.PublicKey{{1}})
	g.OpenClients = true
	store, err := storage.OpenState(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	m, err := app.Open(store, kv.Store{}, g, app.Options{})
	if err != nil {
		b.Fatal(err)
	}
	perform, turns := atOnce(b, m), []time.Duration(nil)
	took := func(d time.Duration) { turns = append(turns, d) }
	if beside {
		perform = besideExecution(b, m)
	}
	key := 0
	for n := consensus.Seq(1); b.Loop(); n++ {
		perform(putsAt(n, &key), took)
		time.Sleep(time.Millisecond)
	}
	slices.Sort(turns)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(turns[len(turns)/2]), "ms-median")
	b.ReportMetric(ms(turns[len(turns)*999/1000]), "ms-p99.9")
	b.ReportMetric(ms(turns[len(turns)-1]), "ms-longest")
}

// performer executes a batch, and whatever it brings about, and says what each turn
// has taken.
type performer func(c consensus.Commit, took func(time.Duration))

func atOnce(b *testing.B, m *app.Machine) performer {
	do := func(j consensus.Job, took func(time.Duration)) []consensus.Event {
		begin := time.Now()
		out, err := m.Do(j)
		if err != nil {
			b.Fatal(err)
		}
		took(time.Since(begin))
		return out.Events
	}
	return func(c consensus.Commit, took func(time.Duration)) {
		for _, e := range do(c, took) {
			if e, ok := e.(consensus.Rooted); ok {
				do(consensus.Stabilize{Seq: e.Seq, Root: e.Root}, took)
			}
		}
	}
}

func besideExecution(b *testing.B, m *app.Machine) performer {
	x := newExecutor(m, host.DefaultBounds())
	events, times := make(chan consensus.Event, 64), make(chan time.Duration, 1024)
	x.fail, x.batch, x.idle = func(err error) { b.Error(err) }, func(*consensus.Commit) {}, func() {}
	x.took = func(d time.Duration) { times <- d }
	x.deliver = func(out app.Outcome) {
		for _, e := range out.Events {
			events <- e
		}
	}
	x.background = newBackground(x)
	var both sync.WaitGroup
	both.Go(x.run)
	both.Go(x.background.run)
	b.Cleanup(func() {
		x.close()
		x.background.close()
		both.Wait()
	})
	return func(c consensus.Commit, took func(time.Duration)) {
		x.execute([]consensus.Job{c})
		for executed := false; !executed; {
			select {
			case d := <-times:
				took(d)
			case e := <-events:
				if e, ok := e.(consensus.Rooted); ok {
					x.execute([]consensus.Job{consensus.Stabilize{Seq: e.Seq, Root: e.Root}})
				}
				_, executed = e.(consensus.Executed)
			}
		}
	}
}

// putsAt is a batch of one request with 400 puts.
func putsAt(n consensus.Seq, key *int) consensus.Commit {
	r := &consensus.Request{Client: crypto.PublicKey{2}, Sequence: consensus.Sequence{Epoch: 1, Counter: uint64(n)}}
	for range 400 {
		*key++
		k := crypto.Hash(fmt.Append(nil, *key))
		r.Operations = append(r.Operations, kv.Put(k[:16], make([]byte, 256)))
	}
	r.Raw = fmt.Append(nil, n)
	r.Digest = crypto.Hash(r.Raw)
	batch := &consensus.Batch{Stamp: consensus.Time(n), Requests: []*consensus.Request{r}}
	return consensus.Commit{Seq: n, Digest: batch.Digest(), Batch: batch}
}
