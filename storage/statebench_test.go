//go:build unix

package storage

import (
	"encoding/binary"
	"fmt"
	"syscall"
	"testing"

	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
)

// BenchmarkState puts values of 256 bytes under random keys of a state of the
// given size, marks after every 1,000 or 10,000 of them and keeps each mark. An
// operation is one put with its share of all that. In memory the store is a
// B-tree; on disk it is goleveldb, synced.
func BenchmarkState(b *testing.B) {
	for _, keys := range []int{100_000, 1_000_000} {
		for _, disk := range []bool{false, true} {
			b.Run(fmt.Sprintf("keys=%d,disk=%v", keys, disk), func(b *testing.B) {
				s := filledState(b, keys, disk)
				for _, interval := range []int{1_000, 10_000} {
					b.Run(fmt.Sprintf("mark=%d", interval), func(b *testing.B) { updateState(b, s, keys, interval) })
				}
			})
		}
	}
}

type stateBench struct {
	s      *state.State
	seq    consensus.Seq
	random uint64
}

func stateKey(i uint64) string {
	var k [16]byte
	binary.BigEndian.PutUint64(k[:], i)
	return string(k[:])
}

func filledState(b *testing.B, keys int, disk bool) *stateBench {
	var store state.Store = state.NewMemory()
	if disk {
		level, err := OpenState(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { level.Close() })
		store = level
	}
	s, err := state.Open(store, state.Config{NodeCacheBytes: 512 << 20})
	if err != nil {
		b.Fatal(err)
	}
	out := &stateBench{s: s, random: 1}
	value := make([]byte, 256)
	for i := range keys {
		tx := s.Begin()
		tx.Put(stateKey(uint64(i)), value)
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		if i%50_000 == 49_999 || i == keys-1 {
			out.keep(b)
		}
	}
	return out
}

func (s *stateBench) keep(b *testing.B) (mark, keep float64) {
	s.seq++
	start := cpu(b)
	root, err := s.s.Mark(s.seq)
	mark = cpu(b) - start
	if err == nil {
		err = s.s.Keep(s.seq, root, nil)
	}
	if err != nil {
		b.Fatal(err)
	}
	return mark, cpu(b) - start - mark
}

// cpu is the processor time of the process, garbage collection and the store's
// compactions included, in microseconds: on a machine that does other things at
// the same time it means more than the time on the wall.
func cpu(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec)*1e6 + float64(u.Utime.Usec+u.Stime.Usec)
}

func updateState(b *testing.B, s *stateBench, keys, interval int) {
	b.ReportAllocs()
	value := make([]byte, 256)
	var mark, keep float64
	start := cpu(b)
	for i := 0; b.Loop(); i++ {
		s.random = s.random*6364136223846793005 + 1442695040888963407
		binary.BigEndian.PutUint64(value, s.random)
		tx := s.s.Begin()
		tx.Put(stateKey(s.random>>20%uint64(keys)), value)
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		if i%interval == interval-1 {
			m, k := s.keep(b)
			mark, keep = mark+m, keep+k
		}
	}
	n := float64(b.N)
	b.ReportMetric((cpu(b)-start)/n, "cpu-µs/update")
	b.ReportMetric(mark/n, "of-it-mark")
	b.ReportMetric(keep/n, "of-it-keep")
	stored, unsaved := s.s.CacheBytes()
	b.ReportMetric(float64(stored+unsaved)/(1<<20), "MiB-nodes")
}

// BenchmarkStateRestore takes a state of 100,000 keys with values of 256 bytes
// over from a snapshot: onto an empty disk, and onto one where every hundredth
// key differs. An operation is the whole restore.
func BenchmarkStateRestore(b *testing.B) {
	const keys = 100_000
	source := filledState(b, keys, true)
	seq, root, _ := source.s.Height()
	_, _ = source.s.Snapshot(seq, root)
	snapshot, err := source.s.Snapshot(seq, root)
	if err != nil {
		b.Fatal(err)
	}
	for _, have := range []string{"nothing", "all but 1%"} {
		b.Run(have, func(b *testing.B) {
			bytes, requests := 0, 0
			start := 0.0
			for b.Loop() {
				b.StopTimer()
				s := filledState(b, 0, true).s
				if have != "nothing" {
					s = filledState(b, keys, true).s
					differ(b, s, keys)
				}
				b.StartTimer()
				before := cpu(b)
				moved, asked := takeOver(b, s, snapshot)
				bytes, requests, start = bytes+moved, requests+asked, start+cpu(b)-before
			}
			b.ReportMetric(float64(bytes)/float64(b.N)/(1<<20), "MiB-moved")
			b.ReportMetric(float64(requests)/float64(b.N), "requests")
			b.ReportMetric(start/float64(b.N)/1000, "cpu-ms/op")
		})
	}
}

func differ(b *testing.B, s *state.State, keys int) {
	tx := s.Begin()
	for i := 0; i < keys; i += 100 {
		tx.Put(stateKey(uint64(i)), []byte("different"))
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
	seq, _, _ := s.Height()
	root, err := s.Mark(seq + 1)
	if err == nil {
		err = s.Keep(seq+1, root, nil)
	}
	if err != nil {
		b.Fatal(err)
	}
}

func takeOver(b *testing.B, s *state.State, from *state.Snapshot) (bytes, requests int) {
	for {
		missing, _, err := s.RestoreBegin(from.Seq+100, from.Root, nil)
		if err != nil {
			b.Fatal(err)
		}
		if len(missing) == 0 {
			break
		}
		for ; len(missing) > 0; requests++ {
			items := missing[:min(len(missing), consensus.MaxItemsPerFetch)]
			parts, err := from.Read(items, consensus.ChunkBytes)
			if err != nil {
				b.Fatal(err)
			}
			for _, p := range parts {
				bytes += len(p.Bytes)
			}
			_, bad, next, _, err := s.RestorePut(items[:len(parts)], parts)
			if err != nil || len(bad) > 0 {
				b.Fatal(len(bad), err)
			}
			missing = append(missing[len(parts):], next...)
		}
	}
	if ok, err := s.RestoreEnd(); !ok || err != nil {
		b.Fatal(ok, err)
	}
	return bytes, requests
}
