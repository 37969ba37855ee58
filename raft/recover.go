package raft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
)

// errLog: the state on disk is not at the place that stands beside it. Something
// outside of this program changed one of them.
var errLog = errors.New("the state on disk is not what was kept: move the directory state away from the data directory and start again: the replica fetches it from the leader, and its log stays")

// New implements consensus.Protocol: the replica as it was when its log ended.
func (p *Protocol) New(rec consensus.Recovered) (consensus.Engine, error) {
	r := newReplica(p, rec)
	if err := r.recover(rec); err != nil {
		return nil, err
	}
	if err := r.connect(max(r.exec.Kept, r.store.base())); err != nil {
		return nil, fmt.Errorf("raft: %w", err)
	}
	r.rest()
	st := r.node.BasicStatus()
	r.lead = leadership{term: st.Term}
	if len(rec.Records) > 0 || rec.Height > 0 {
		r.out.Note(consensus.Note{Kind: consensus.Restarted, View: consensus.View(st.Term), Seq: r.exec.Handed})
	}
	return r, nil
}

// replayed is what the records say, before the state on disk is held against it.
type replayed struct {
	hard    pb.HardState
	entries []pb.Entry // without gaps
	base    uint64     // place of the first entry if it stands for a snapshot; else 0
}

// recover puts the log together: the state on disk, and the entries behind it.
func (r *replica) recover(rec consensus.Recovered) error {
	if rec.Amnesiac {
		r.alarm("no birth record: this disk was wiped. In crash mode nobody can tell what it had acknowledged: answers may be lost")
	}
	var log replayed
	for i, record := range rec.Records {
		if err := log.take(record.Bytes); err != nil {
			return fmt.Errorf("log record %d of %d (slot %d): %w", i+1, len(rec.Records), record.Slot, err)
		}
	}
	begin := r.recoverState
	if log.gap(uint64(rec.Height)) {
		begin = r.recoverGap
	}
	if err := begin(rec, &log); err != nil {
		return err
	}
	if len(log.entries) > 0 {
		if err := r.store.Append(log.entries); err != nil {
			return err
		}
	}
	// The commit index is recorded lazily: it may be lost where the state on
	// disk proves a higher one, or survive without the entries.
	last, err := r.store.LastIndex()
	if err != nil {
		return err
	}
	log.hard.Commit = min(max(log.hard.Commit, uint64(rec.Height)), last)
	if raft.IsEmptyHardState(log.hard) {
		return nil
	}
	return r.store.SetHardState(log.hard)
}

// recoverState begins the log behind the state on disk.
func (r *replica) recoverState(rec consensus.Recovered, log *replayed) error {
	if rec.Height == 0 {
		return nil
	}
	n, term, root, err := readCertificate(rec.Certificate)
	if err != nil {
		return err
	}
	if n != rec.Height || root != rec.Root {
		return fmt.Errorf("%w: the state is n=%d root %s, beside it stands n=%d root %s", errLog, rec.Height, rec.Root.Short(), n, root.Short())
	}
	log.cut(uint64(n), term)
	r.exec.Settle(transfer.Handle{Seq: n, Root: root})
	log.hard.Term = max(log.hard.Term, term)
	return r.store.ApplySnapshot(pb.Snapshot{Data: transfer.AppendHandle(nil, n, root), Metadata: pb.SnapshotMetadata{Index: uint64(n), Term: term, ConfState: r.store.members}})
}

// take replays one record.
func (l *replayed) take(b []byte) error {
	if len(b) == 0 {
		return consensus.ErrMalformed
	}
	switch b[0] {
	case recordHard:
		var hard pb.HardState
		if err := hard.Unmarshal(b[1:]); err != nil {
			return fmt.Errorf("term and vote: %w: %w", consensus.ErrMalformed, err)
		}
		l.hard = hard
	case recordEntry:
		var e pb.Entry
		if err := e.Unmarshal(b[1:]); err != nil {
			return fmt.Errorf("entry: %w: %w", consensus.ErrMalformed, err)
		}
		l.append(e)
	case recordBase:
		if len(b) != 17 || binary.BigEndian.Uint64(b[1:]) == 0 {
			return fmt.Errorf("base: %w", consensus.ErrMalformed)
		}
		l.base = binary.BigEndian.Uint64(b[1:])
		l.entries = []pb.Entry{{Index: l.base, Term: binary.BigEndian.Uint64(b[9:])}}
	default:
		return fmt.Errorf("record of kind %d: %w", b[0], consensus.ErrMalformed)
	}
	return nil
}

// append adds an entry and truncates what stood there. An entry beyond the end
// follows records that were forgotten with their segments: what stands before
// the gap was forgotten, too, as far as it was allowed to be, and is below the
// state on disk.
func (l *replayed) append(e pb.Entry) {
	if n := len(l.entries); n > 0 {
		first, next := l.entries[0].Index, l.entries[n-1].Index+1
		switch {
		case e.Index <= first || e.Index > next:
			l.entries = nil
		default:
			l.entries = l.entries[:e.Index-first]
		}
	}
	l.entries = append(l.entries, e)
}

// cut drops the entries that the state at n stands for; all of them, if the
// one at n is of another term: then the state came from a leader, and the log
// is what it replaced.
func (l *replayed) cut(n, term uint64) {
	for i := range l.entries {
		e := &l.entries[i]
		if e.Index == n && e.Term != term {
			l.entries = nil
			return
		}
		if e.Index > n {
			l.entries = l.entries[i:]
			return
		}
	}
	l.entries = nil
}
