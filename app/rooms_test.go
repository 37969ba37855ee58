package app

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// A new epoch begins with nothing that counts against its room: what a replica
// remembers in memory is what it would read after a restart, else the one that
// restarted would forget other replies than the others.
func TestEpochsShareNoRoom(t *testing.T) {
	s := &session{epoch: 1}
	reply := func(counter uint64) []byte {
		return encodeReply(counter, crypto.Hash(nil), 1, []consensus.Result{{Data: make([]byte, 100)}})
	}
	for epoch := range uint64(3) {
		if epoch > 0 {
			s.reset(epoch + 1)
		}
		for counter := range uint64(4) {
			s.record(counter+1, 5, reply(counter+1), 500)
		}
		read, err := decodeSession(s.encode())
		if err != nil {
			t.Fatal(err)
		}
		if s.cached != read.cached || s.wanted() != read.wanted() || s.executed[0].size == forgotten {
			t.Errorf("epoch %d: %d bytes of replies, after a restart %d; the first reply has %d", s.epoch, s.cached, read.cached, s.executed[0].size)
		}
	}
}
