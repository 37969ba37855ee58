package storage

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"quorate.dev/quorate/consensus"
)

// BenchmarkLog appends groups of records of 300 bytes, one data sync each.
// "warm" has its segments from earlier use, as a replica has after its first
// few checkpoints.
func BenchmarkLog(b *testing.B) {
	for _, size := range []int{1, 10, 100} {
		for _, mode := range []string{"fresh", "warm", "volatile"} {
			b.Run(fmt.Sprintf("%s/%d", mode, size), func(b *testing.B) {
				benchLog(b, size, mode)
			})
		}
	}
}

func benchLog(b *testing.B, size int, mode string) {
	o := LogOptions{Identity: me, Volatile: mode == "volatile"}
	if mode == "warm" {
		o.SegmentBytes = 4 << 20
	}
	l, _ := open(b, filepath.Join(b.TempDir(), "log"), o)
	defer l.Close()
	group := make([]consensus.Record, size)
	for i := range group {
		group[i] = consensus.Record{Slot: 1, Bytes: make([]byte, 300)}
	}
	for l.Status().Segments < 4 && mode == "warm" {
		if err := l.Append(group); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Forget(1); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(300 * size))
	took := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for range b.N {
		begin := time.Now()
		if err := l.Append(group); err != nil {
			b.Fatal(err)
		}
		if err := l.Sync(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
		if err := l.Forget(1); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "median-µs")
}
