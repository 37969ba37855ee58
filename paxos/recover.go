package paxos

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/paxos/synod"
)

// errLog: the state on disk is not at the place that stands beside it. Something
// outside of this program changed one of them.
var errLog = errors.New("the state on disk is not what was kept: move the directory state away from the data directory and start again: the replica fetches it from the others, and its log stays")

// New implements consensus.Protocol: the replica as it was when its log ended.
func (p *Protocol) New(rec consensus.Recovered) (consensus.Engine, error) {
	r := newReplica(p, rec)
	if rec.Amnesiac {
		r.alarm("no birth record: this disk was wiped. In crash mode nobody can tell what it had promised and voted for: answers may be lost")
	}
	if err := (recovery{r}).recoverState(rec); err != nil {
		return nil, err
	}
	if err := (recovery{r}).recoverLog(rec.Records); err != nil {
		return nil, err
	}
	r.lead.ballot = r.acceptor.Promised()
	r.rest()
	if r.lacking() {
		r.alarm(fmt.Sprintf("the state on disk is at %d and the log was cut at %d: the state is fetched from the others, the log and its votes stay", r.exec.Kept, r.acceptor.Base()))
	}
	if len(rec.Records) > 0 || rec.Height > 0 {
		r.note(consensus.Note{Kind: consensus.Restarted, Seq: r.exec.Handed})
	}
	return r, nil
}

// recovery puts a replica together from its disk.
type recovery struct{ *replica }

// recoverState begins behind the state on disk.
func (r recovery) recoverState(rec consensus.Recovered) error {
	if rec.Height == 0 {
		return nil
	}
	s := cryptobyte.String(rec.Certificate)
	n, root, ok := transfer.ReadHandle(&s)
	if !ok || !s.Empty() {
		return fmt.Errorf("place of the state on disk: %w", consensus.ErrMalformed)
	}
	if n != rec.Height || root != rec.Root {
		return fmt.Errorf("%w: the state is n=%d root %s, beside it stands n=%d root %s", errLog, rec.Height, rec.Root.Short(), n, root.Short())
	}
	r.exec.Settle(transfer.Handle{Seq: n, Root: root})
	r.snapshot = r.exec.Last
	return nil
}

// record is one of the log.
type record struct {
	kind  byte
	first uint64 // the ballot
	n     consensus.Seq
	voted value
}

// recoverLog replays the log. The base comes first: below it votes were forgotten,
// whatever the state on disk is.
func (r recovery) recoverLog(records []consensus.Record) error {
	log := make([]record, len(records))
	base := r.exec.Kept
	for i := range records {
		var err error
		if log[i], err = readRecord(records[i].Bytes); err != nil {
			return fmt.Errorf("log record %d of %d (slot %d): %w", i+1, len(records), records[i].Slot, err)
		}
		if log[i].kind == recordPromise {
			base = max(base, log[i].n)
		}
	}
	r.acceptor.Drop(base)
	r.learner.Drop(base)
	r.missing.target = base
	for i := range log {
		r.replay(&log[i])
	}
	return nil
}

// replay takes one record, in the order in which they were written.
func (r recovery) replay(x *record) {
	b := synod.Ballot(x.first)
	switch x.kind {
	case recordPromise:
		r.acceptor.Restore(b, synod.Vote{})
	case recordVote:
		r.acceptor.Restore(b, synod.Vote{Slot: x.n, Ballot: b, Digest: x.voted.digest})
		if v, ok := r.acceptor.Vote(x.n); ok && v.Ballot == b && v.Digest == x.voted.digest {
			r.values.voted[x.n] = x.voted
		}
	case recordCommit:
		r.missing.target = max(r.missing.target, x.n)
		r.commitVotes(b, x.n)
	}
}

func readRecord(b []byte) (x record, err error) {
	bad := func() (record, error) {
		return record{}, fmt.Errorf("record of %d bytes: %w", len(b), consensus.ErrMalformed)
	}
	if len(b) < 17 {
		return bad()
	}
	x = record{kind: b[0], first: binary.BigEndian.Uint64(b[1:]), n: consensus.Seq(binary.BigEndian.Uint64(b[9:]))}
	d := decoder{cryptobyte.String(b[17:]), synod.Ballot(x.first) <= synod.MaxBallot && x.n <= consensus.MaxSeq}
	switch x.kind {
	case recordPromise:
	case recordVote:
		x.voted.ballot = synod.Ballot(x.first)
		x.voted.batch, x.voted.digest = d.batch()
		d.ok = d.ok && x.first > 0 && x.n > 0
	case recordCommit:
		d.ok = d.ok && x.first > 0
	default:
		return bad()
	}
	if !d.ok || !d.s.Empty() {
		return bad()
	}
	return x, nil
}
