//go:build unix

package storage

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/app/state"
)

// BenchmarkStateSteps runs a state on disk, with the settings of a replica, through
// 16,000 puts of 256 bytes to a checkpoint, under random keys out of so many, and
// reports the processor time of each step for one put, and the bytes that the
// process has written for it. Open is what a start after that costs, for one key.
func BenchmarkStateSteps(b *testing.B) {
	for _, keys := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) { stateSteps(b, keys) })
	}
}

const stepPuts = 16_000

func stateSteps(b *testing.B, keys int) {
	dir := b.TempDir()
	level, err := OpenState(dir)
	if err != nil {
		b.Fatal(err)
	}
	s := &stateBench{s: nil, random: 1}
	if s.s, err = state.Open(level, state.Config{}); err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 256)
	puts := func(n int, key func(i int) uint64) float64 {
		start := cpu(b)
		for i := range n {
			k := key(i)
			binary.BigEndian.PutUint64(value, s.random)
			tx := s.s.Begin()
			tx.Put(stateKey(k), value)
			if err := tx.Commit(); err != nil {
				b.Fatal(err)
			}
		}
		return cpu(b) - start
	}
	for i := 0; i < keys; i += stepPuts {
		puts(min(stepPuts, keys-i), func(j int) uint64 { return uint64(i + j) })
		s.keep(b)
	}
	var put, mark, keep float64
	start, written := cpu(b), writtenBytes(b)
	b.ResetTimer()
	for b.Loop() {
		put += puts(stepPuts, func(int) uint64 {
			s.random = s.random*6364136223846793005 + 1442695040888963407
			return s.random >> 20 % uint64(keys)
		})
		m, k := s.keep(b)
		mark, keep = mark+m, keep+k
	}
	n := float64(b.N) * stepPuts
	b.ReportMetric((cpu(b)-start)/n, "cpu-µs/put-in-all")
	b.ReportMetric(put/n, "put")
	b.ReportMetric(mark/n, "mark")
	b.ReportMetric(keep/n, "keep")
	b.ReportMetric(float64(writtenBytes(b)-written)/n, "bytes/put")
	if err := level.Close(); err != nil {
		b.Fatal(err)
	}
	if level, err = OpenState(dir); err != nil {
		b.Fatal(err)
	}
	defer level.Close()
	start = cpu(b)
	if _, err := state.Open(level, state.Config{}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric((cpu(b)-start)/1000, "open-ms")
	b.ReportMetric(float64(diskBytes(b, dir))/float64(keys)/272, "disk/user")
	b.ReportMetric(0, "ns/op")
}

// writtenBytes is what the process has written to files, or 0 where it is unknown.
func writtenBytes(b *testing.B) (n int64) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "wchar: %d", &n); err == nil {
			return n
		}
	}
	return 0
}

func diskBytes(b *testing.B, dir string) (n int64) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			n += info.Size()
		}
	}
	return n
}
