package raft

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
)

// store is the log in memory as the library reads it, with the fixed
// membership. What is in it was handed to the host to be written down.
type store struct {
	*raft.MemoryStorage
	members pb.ConfState
}

func newStore(n int) *store {
	s := &store{MemoryStorage: raft.NewMemoryStorage()}
	for i := range n {
		s.members.Voters = append(s.members.Voters, uint64(i)+1)
	}
	return s
}

// InitialState implements the library's Storage.
func (s *store) InitialState() (pb.HardState, pb.ConfState, error) {
	hard, _, err := s.MemoryStorage.InitialState()
	return hard, s.members, err
}

// batch reads the entry at n: its batch, nil for an empty one, and its term.
func (s *store) batch(n consensus.Seq) (b *consensus.Batch, term uint64, ok bool) {
	first, err := s.FirstIndex()
	last, lastErr := s.LastIndex()
	if err != nil || lastErr != nil || uint64(n) < first || uint64(n) > last {
		return nil, 0, false
	}
	entries, err := s.Entries(uint64(n), uint64(n)+1, 1<<62)
	if err != nil || len(entries) != 1 {
		return nil, 0, false
	}
	if b, err = ReadEntry(&entries[0]); err != nil {
		return nil, 0, false
	}
	return b, entries[0].Term, true
}

// size is how many bytes the entry at n takes; 0 if there is none.
func (s *store) size(n uint64) int {
	entries, err := s.Entries(n, n+1, 1<<62)
	if err != nil || len(entries) != 1 {
		return 0
	}
	return entries[0].Size()
}

// The kinds of records in the log on disk: the first byte.
const (
	recordHard  byte = iota + 1 // term, vote and commit index
	recordEntry                 // one entry; it truncates what stood at and above it
	recordBase                  // a snapshot was installed: all entries before are void
)

// tagged is a record: its kind, and what it holds.
func tagged(kind byte, body []byte) []byte { return append([]byte{kind}, body...) }

// keep writes down one Ready, in the library's order: a snapshot voids the log,
// then entries, then term and vote.
func (r *replica) keep(rd *raft.Ready) {
	last, _ := r.store.LastIndex()
	if !raft.IsEmptySnap(rd.Snapshot) {
		meta := &rd.Snapshot.Metadata
		if err := r.store.ApplySnapshot(rd.Snapshot); err != nil {
			r.alarm(fmt.Sprintf("snapshot at %d: %v", meta.Index, err))
		} else {
			// It voids what was written down, so it outlives all of that.
			body := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, meta.Index), meta.Term)
			r.out.Record(consensus.Seq(max(last, meta.Index))+1, tagged(recordBase, body))
			last = meta.Index
		}
	}
	for i := range rd.Entries {
		e := &rd.Entries[i]
		body, err := e.Marshal()
		if err != nil { // a value of the library's own making
			panic(fmt.Sprintf("raft: entry %d: %v", e.Index, err))
		}
		// An entry that truncates must not be forgotten before what it
		// truncates, else that would come back after a restart.
		r.out.Record(consensus.Seq(max(last, e.Index)), tagged(recordEntry, body))
		last = e.Index
	}
	if len(rd.Entries) > 0 {
		if err := r.store.Append(rd.Entries); err != nil {
			r.alarm(fmt.Sprintf("log from %d on: %v", rd.Entries[0].Index, err))
		}
	}
	if !raft.IsEmptyHardState(rd.HardState) {
		_ = r.store.SetHardState(rd.HardState) // never fails
		r.recordHard(!rd.MustSync)
	}
}

// recordHard writes down term, vote and commit index, for as long as the log is
// not cut above its present end: cutting writes them again. A commit index
// alone is worth no sync: it is learnt again.
func (r *replica) recordHard(lazy bool) {
	hard, _, _ := r.store.InitialState() // of memory: never fails
	last, _ := r.store.LastIndex()
	body, err := hard.Marshal()
	if err != nil { // a value of the library's own making
		panic(fmt.Sprintf("raft: hard state: %v", err))
	}
	record := r.out.Record
	if lazy {
		record = r.out.RecordLazy
	}
	record(max(consensus.Seq(last), r.exec.Kept)+1, tagged(recordHard, body))
}

// certificate stands beside the state on disk: at which place of the log it is.
// It proves nothing.
func certificate(n consensus.Seq, term uint64, root crypto.Digest) []byte {
	return binary.BigEndian.AppendUint64(transfer.AppendHandle(nil, n, root), term)
}

func readCertificate(b []byte) (n consensus.Seq, term uint64, root crypto.Digest, err error) {
	s := cryptobyte.String(b)
	n, root, ok := transfer.ReadHandle(&s)
	if !ok || !s.ReadUint64(&term) || !s.Empty() || term == 0 {
		return 0, 0, root, fmt.Errorf("place of the state on disk: %w", consensus.ErrMalformed)
	}
	return n, term, root, nil
}
