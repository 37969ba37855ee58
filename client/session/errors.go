package session

import (
	"errors"
	"fmt"
	"time"

	"quorate.dev/quorate/consensus"
)

// The errors of operations, for errors.Is. All but ErrUnknown, and those that
// come together with it, say that the operation was not executed.
var (
	// ErrUnknown: the operation was sent and may or may not have been
	// executed, or may yet be. Read before writing again.
	ErrUnknown = errors.New("outcome unknown: the operation may have been executed")
	// ErrNotSent: the operation was cancelled before it was sent.
	ErrNotSent = errors.New("not sent")
	// ErrBusy: too many operations wait in this client. Try again later.
	ErrBusy = errors.New("too many operations are waiting")
	// ErrTooLarge: the operation is over a limit of the genesis.
	ErrTooLarge = errors.New("operation too large")
	// ErrWrites: the operation was to be read, and writes (Config.Writes).
	ErrWrites = errors.New("a read may not write")
	// ErrClosed: the session has ended.
	ErrClosed = errors.New("closed")
	// ErrRefused: f+1 replicas refused the request for good, or all within
	// reach for want of a leader; one of the following says why. RefusedError
	// carries the code.
	ErrRefused = errors.New("refused by the replicas")

	ErrUnknownClient = errors.New("the genesis does not admit this client key")
	ErrNotPermitted  = errors.New("the client's role does not permit this operation")
	ErrSignature     = errors.New("bad signature: is this the genesis of that cluster?")
	ErrMalformed     = errors.New("malformed request")
	// ErrOlder: so many replicas run a program of before this client's kind of request
	// that the others are no quorum. Together with ErrUnknown if a replica may have
	// taken the operation, which may be executed once the others are upgraded.
	ErrOlder = errors.New("they run an older program that does not know this kind of request: upgrade the replicas first")
	// ErrStale: the sequence is used up or too old. Usually another process
	// uses the same client key. Together with ErrUnknown if the operation may
	// have been executed before.
	ErrStale = errors.New("stale sequence: does another process use the same client key?")
	// ErrNoLeader: of a crash-fault protocol's replicas, those within reach
	// are no majority, or cannot agree on a leader. Together with ErrUnknown
	// if one of them may have taken the operation.
	ErrNoLeader = errors.New("no leader: no majority of the members is within reach")
	// ErrExpired: the client's clock and the cluster's time differ by more than
	// the session idle limit. Together with ErrUnknown if the request is old, or its time
	// is still to come: then it may be executed later.
	ErrExpired = errors.New("session expired: the clock of this machine and the time of the cluster differ")
)

// RefusedError is a refusal that f+1 replicas agree on. It matches ErrRefused
// and the error of its code.
type RefusedError struct {
	Code    consensus.RefusalCode
	unknown bool
	early   bool           // not executed so far, but that may still come
	older   bool           // the replicas' program does not know this kind of request
	word    word           // what the replicas said of time
	own     consensus.Time // what the client's clock said then
}

// Error says what was refused and why, and whether it may have been executed.
func (e *RefusedError) Error() string {
	switch {
	case e.early && e.older:
		return e.Reason() + "; " + notYet + "once they are upgraded"
	case e.early:
		return e.Reason() + "; " + notYet + "when the cluster's time is there"
	case e.unknown:
		return e.Reason() + "; " + ErrUnknown.Error()
	}
	return e.Reason()
}

const notYet = "outcome unknown: the operation was not executed, and a replica that keeps it may still have it executed "

// Reason says what was refused and why.
func (e *RefusedError) Reason() string {
	reason := e.Code.String()
	if err := e.reason(); err != nil {
		reason = err.Error()
	}
	least := e.word.clocks[0]
	switch {
	case e.word.known && e.Code == consensus.RefusedExpired:
		reason = "session expired: " + compareClocks(&e.word, e.own)
	case e.word.known && e.Code == consensus.RefusedStale && e.own < least && distance(e.own, least) > backAtLeast:
		reason = fmt.Sprintf("stale sequence: the clock of this machine is %s behind: here it is %s, and the replicas' clocks say %s; set the clock and try again",
			distance(e.own, least), clock(e.own), e.word.clock())
	}
	return ErrRefused.Error() + ": " + reason
}

// backAtLeast is how far a clock lies behind those of the replicas when that, and no
// other process, explains a sequence that is used up.
const backAtLeast = time.Minute

// compareClocks says whose clock is off, and by how much. The cluster's time
// never goes back: a replica's clock that was ahead once keeps it ahead. Of two
// replicas that contradict each other one may be wrong, or lie.
func compareClocks(w *word, own consensus.Time) string {
	difference := distance(own, w.executed)
	said := fmt.Sprintf("here it is %s, the cluster's time is %s, and its replicas' clocks say %s", clock(own), clock(w.executed), w.clock())
	low, high := distance(own, w.clocks[0]) < difference/2, distance(own, w.clocks[1]) < difference/2
	switch {
	case low && high:
		return fmt.Sprintf("the cluster's time is %s off, because of the clock of a replica and not of this machine: %s; try again", difference, said)
	case low || high:
		return fmt.Sprintf("the clock of this machine or that of a replica is %s off: %s; look at both and try again", difference, said)
	}
	return fmt.Sprintf("the clock of this machine is %s off: %s; set the clock and try again", difference, said)
}

// clock is what the replicas' clocks say, as far as their words can be believed.
func (w *word) clock() string {
	low, high := clock(w.clocks[0]), clock(w.clocks[1])
	if low == high {
		return low
	}
	return low + " to " + high
}

func distance(a, b consensus.Time) time.Duration {
	return time.Duration(max(a, b) - min(a, b)).Round(time.Millisecond)
}

func clock(t consensus.Time) string { return t.Std().Format("2006-01-02 15:04:05Z") }

// Unwrap lists what the error matches.
func (e *RefusedError) Unwrap() []error {
	list := []error{ErrRefused}
	if reason := e.reason(); reason != nil {
		list = append(list, reason)
	}
	if e.unknown {
		list = append(list, ErrUnknown)
	}
	return list
}

func (e *RefusedError) reason() error {
	switch e.Code {
	case consensus.RefusedMalformed:
		if e.older {
			return ErrOlder
		}
		return ErrMalformed
	case consensus.RefusedSignature:
		return ErrSignature
	case consensus.RefusedUnknownClient:
		return ErrUnknownClient
	case consensus.RefusedTooLarge:
		return ErrTooLarge
	case consensus.RefusedStale:
		return ErrStale
	case consensus.RefusedExpired:
		return ErrExpired
	case consensus.RefusedRole:
		return ErrNotPermitted
	case consensus.RefusedNoLeader, consensus.RefusedUndecided:
		return ErrNoLeader
	}
	return nil
}
