package session

import (
	"errors"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// newCrashBench is a session of three replicas of a crash-fault protocol.
func newCrashBench(t *testing.T) *bench {
	b := &bench{t: t, genesis: consensus.NewGenesis("bench", "any", []crypto.PublicKey{{1}, {2}, {3}})}
	var err error
	b.s, err = New(Config{Genesis: &b.genesis, System: quorum.Crash.System(3), Elected: true, Signer: crypto.NewSimSigner(crypto.NewKeyring(), [32]byte{1}), Epoch: 1e18})
	if err != nil {
		t.Fatal(err)
	}
	for id := range consensus.ReplicaID(3) {
		b.s.Connected(id)
	}
	return b
}

// denied has each replica that was sent something refuse it with its code,
// until the session gives up or forty pauses have passed.
func (b *bench) denied(sends []Send, codes [3]consensus.RefusalCode) (sent []string, err error) {
	now := consensus.Time(1e18)
	for range 400 {
		sent = append(sent, b.sequences(sends)...)
		for _, s := range sends {
			if codes[s.To] != 0 {
				b.refuse(s.To, b.decode(s.Bytes), codes[s.To])
			}
		}
		out := b.s.Flush()
		if len(out.Done) > 0 {
			return sent, out.Done[0].Err
		}
		if sends = out.Sends; len(sends) == 0 {
			now = max(now+1, out.Deadline)
			b.s.Advance(now)
			sends = b.s.Flush().Sends
		}
	}
	return sent, nil
}

// Nobody within reach has a leader: the others are asked, all of them again for
// a while, and then the caller is told. That nothing was executed is said only
// if each replica that was sent the request declined it.
func TestNoLeader(t *testing.T) {
	const no, yet = consensus.RefusedNoLeader, consensus.RefusedUndecided
	for name, tc := range map[string]struct {
		codes   [3]consensus.RefusalCode
		down    []consensus.ReplicaID // not connected when it is sent
		gone    []consensus.ReplicaID // ... disconnected after it was sent
		gives   bool
		unknown bool
	}{
		"all decline":                   {codes: [3]consensus.RefusalCode{no, no, no}, gives: true},
		"one has taken it":              {codes: [3]consensus.RefusalCode{no, yet, no}, gives: true, unknown: true},
		"a minority is within reach":    {codes: [3]consensus.RefusalCode{no, 0, 0}, down: []consensus.ReplicaID{1, 2}, gives: true},
		"one is gone that was sent it":  {codes: [3]consensus.RefusalCode{0, no, no}, gone: []consensus.ReplicaID{0}, gives: true, unknown: true},
		"one says nothing, and may yet": {codes: [3]consensus.RefusalCode{no, no, 0}},
	} {
		b := newCrashBench(t)
		for _, id := range tc.down {
			b.s.Disconnected(id)
		}
		sends := b.invoke(1, 1)
		for _, id := range tc.gone {
			b.s.Disconnected(id)
		}
		_, err := b.denied(append(sends, b.s.Flush().Sends...), tc.codes)
		if errors.Is(err, ErrNoLeader) != tc.gives || errors.Is(err, ErrUnknown) != tc.unknown {
			t.Errorf("%s: %v", name, err)
		}
		var refused *RefusedError
		if errors.As(err, &refused) && (strings.Contains(err.Error(), "executed") != tc.unknown || strings.Contains(refused.Reason(), "executed")) {
			t.Errorf("%s: %q, for the reason %q", name, err, refused.Reason())
		}
	}
}

// A leader that is found while the session asks again answers, and nobody is
// told of the time between.
func TestElectionIsWaitedFor(t *testing.T) {
	b := newCrashBench(t)
	sends := b.invoke(1, 1)
	b.expect("to whom it takes for the leader", sends, "R0 #1 x1")
	b.refuse(0, b.decode(sends[0].Bytes), consensus.RefusedNoLeader)
	sends = b.s.Flush().Sends
	b.expect("the others may know one", sends, "R0 #1 x1", "R1 #1 x1", "R2 #1 x1")
	b.refuse(1, b.decode(sends[0].Bytes), consensus.RefusedNoLeader)
	deadline := b.s.Flush().Deadline
	if deadline == 0 || deadline > 1e18+consensus.Time(100*millisecond) {
		t.Fatalf("asked again at %d", deadline-1e18)
	}
	b.s.Advance(deadline)
	sends = b.s.Flush().Sends
	b.expect("asked again", sends, "R0 #1 x1", "R1 #1 x1", "R2 #1 x1")
	b.reply(2, b.decode(sends[0].Bytes), "done", 3)
	if done := b.s.Flush().Done; len(done) != 1 || done[0].Err != nil {
		t.Fatalf("done: %+v", done)
	}
	if b.s.link.primary != 2 {
		t.Errorf("requests go to %d, replica 2 answered", b.s.link.primary)
	}
}

// Who gives up while nobody leads hears why, and that the outcome is open.
func TestCancelWithoutALeader(t *testing.T) {
	b := newCrashBench(t)
	for _, id := range []consensus.ReplicaID{1, 2} {
		b.s.Disconnected(id)
	}
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	b.refuse(0, r, consensus.RefusedUndecided)
	b.s.Flush()
	b.refuse(0, r, consensus.RefusedUndecided)
	b.s.Cancel(1)
	done := b.s.Flush().Done
	if len(done) != 1 || !errors.Is(done[0].Err, ErrNoLeader) || !errors.Is(done[0].Err, ErrUnknown) {
		t.Errorf("done: %+v", done)
	}
}

// The liar's codes of the other mode mean nothing to a Byzantine cluster's
// client: they are one replica's word, and the request goes on.
func TestNoLeaderMeansNothingInPBFT(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	for id := range consensus.ReplicaID(4) {
		b.refuse(id, r, consensus.RefusedNoLeader)
	}
	b.s.Advance(1e18 + consensus.Time(20*second))
	if done := b.s.Flush().Done; len(done) != 0 {
		t.Errorf("done: %+v", done)
	}
}

// Who answers first, again and again, is taken for the leader: a request that
// goes by a follower costs a message more. Once is no sign of anything.
func TestLeaderIsLearntFromAnswers(t *testing.T) {
	b := newCrashBench(t)
	ticket := 0
	round := func(first consensus.ReplicaID) {
		ticket++
		r := b.decode(b.invoke(ticket, 1)[0].Bytes)
		for i := range consensus.ReplicaID(3) {
			b.reply((first+i)%3, r, "done", 1)
		}
		b.s.Flush()
	}
	for range firstsAreLeaders - 1 {
		round(2)
	}
	round(1)
	for range firstsAreLeaders - 1 {
		round(2)
	}
	if b.s.link.primary != 0 {
		t.Fatalf("goes by replica %d", b.s.link.primary)
	}
	round(2)
	if b.s.link.primary != 2 {
		t.Errorf("goes by replica %d, replica 2 has answered first %d times in a row", b.s.link.primary, firstsAreLeaders)
	}
	for range 3 * firstsAreLeaders {
		round(2)
	}
	if b.s.link.primary != 2 {
		t.Errorf("goes by replica %d", b.s.link.primary)
	}
}
