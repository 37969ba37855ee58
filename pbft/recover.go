package pbft

import (
	"errors"
	"fmt"
	"math"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/viewchange"
)

// errAmnesiac refuses a wiped member where nobody could spare its vote.
var errAmnesiac = errors.New("this replica's disk holds no birth record: it was wiped, and with f = 0 the cluster cannot tell what it said before. " +
	"Restore its home, or start a new cluster")

// recover makes the replica what it was when its log ended (§8): it never
// contradicts a vote that it sent, executes again what it had executed above
// the state on disk, and says again what may have been lost.
func (r *replica) recover(rec consensus.Recovered) error {
	r.now = rec.Now
	past := replay{r}
	if err := past.onDisk(rec); err != nil {
		return err
	}
	r.rejoin = newRejoining(r.rules, r.id, rec.Nonce)
	if rec.Amnesiac {
		if r.rules.System.Faults() == 0 {
			return errAmnesiac
		}
		r.rejoin.asleep = true
		r.out.Note(consensus.Note{Kind: consensus.Rejoining, Text: "no birth record: signs nothing until it is caught up"})
		return nil
	}
	// Where this replica stands comes first, wherever it was written: when the
	// log is cut, the NEW-VIEW is written again, behind votes of its view that
	// must still count.
	r.exec.replayed = math.MaxUint64 // nothing is out of reach while replaying
	for _, take := range []func([]byte) error{past.position, past.slot} {
		for i, record := range rec.Records {
			if err := take(record.Bytes); err != nil {
				return fmt.Errorf("log record %d of %d (slot %d): %w", i+1, len(rec.Records), record.Slot, err)
			}
		}
	}
	r.exec.replayed = r.log.executable(r.exec.handed)
	if len(rec.Records) > 0 {
		r.resume()
	}
	return nil
}

// begin sets the position to a view that opens, and forgets the votes of the
// one before.
func (r *replica) begin(nv *message.NewView, start viewchange.Start) {
	r.view.begin(nv, start)
	r.view.entered, r.exec.progress = r.tick, r.tick
	r.views.Entered(start.View)
	r.log.reset()
}

// resume says again what may have been lost with the process, and goes on.
func (r *replica) resume() {
	r.out.Note(consensus.Note{Kind: consensus.Restarted, View: r.view.number, Seq: r.exec.handed})
	r.view.recordedAt = 0 // written anew at the next cut of the log
	r.execute()
	if vc := r.views.Mine(); vc != nil && r.view.changing {
		r.out.Broadcast(consensus.Votes, vc.Frame)
	}
	if next := max(r.view.next, r.low()+1); r.view.leads() && r.lease.forgets(r.view.number, next) {
		r.leave(r.view.number+1, "this primary may have forgotten what it proposed")
	}
	for _, n := range r.log.numbers() {
		s := r.log.slots[n]
		if s.committed == nil && !r.view.changing {
			r.sayAgain(s)
		}
	}
	r.catchUp()
}

// sayAgain repeats my votes in a slot that is under way, and casts the one
// that the crash came before.
func (r *replica) sayAgain(s *slot) {
	for _, v := range []*message.Vote{s.prepares.votes[r.id], s.commits.votes[r.id]} {
		if v != nil {
			r.out.Broadcast(consensus.Votes, v.Encode())
		}
	}
	p := s.proposal
	if p == nil {
		return
	}
	b, here := s.body(p.Digest)
	switch {
	case here && p.Replica == r.id && b != nil:
		r.out.Broadcast(consensus.Bodies, message.Reframe(*p, b).Frame)
	case here && !s.voted && b != nil:
		r.accept(s, message.Reframe(*p, b).Frame)
		return
	case here && !s.voted:
		r.accept(s, nil)
		return
	}
	r.advance(s)
}
