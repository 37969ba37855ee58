package state

import (
	"encoding/binary"
	"fmt"
	"testing"

	"quorate.dev/quorate/consensus"
)

// BenchmarkPut is a transaction of one put of 256 bytes, 16,000 to a mark, of keys
// that come once or 16 times in that. The mark is not counted.
func BenchmarkPut(b *testing.B) {
	for _, times := range []int{1, 16} {
		b.Run(fmt.Sprintf("times=%d", times), func(b *testing.B) {
			const interval = 16_000
			s := open(b, NewMemory())
			value := make([]byte, 256)
			var k [16]byte
			b.ReportAllocs()
			seq := consensus.Seq(0)
			for i := 0; b.Loop(); i++ {
				if i == interval {
					i = 0
					b.StopTimer()
					seq++
					root := mark(b, s, seq)
					must(b, s.Keep(seq, root, nil))
					b.StartTimer()
				}
				binary.BigEndian.PutUint64(k[:], uint64(i%(interval/times))*0x9e3779b97f4a7c15)
				tx := s.Begin()
				tx.Put(string(k[:]), value)
				if err := tx.Commit(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRange reads ten entries out of a layer of 16,000, with a put before each.
func BenchmarkRange(b *testing.B) {
	s := open(b, NewMemory())
	for i := range 16_000 {
		put(b, s, fmt.Sprintf("%05d", i*7919%100_000), "v")
	}
	for i := 0; b.Loop(); i++ {
		tx := s.Begin()
		tx.Put(fmt.Sprintf("%05d", i*31%100_000), nil)
		tx.Range(fmt.Sprintf("%05d", i*17%100_000), "", 10, func(string, []byte) bool { return true })
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}
