package protocol

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

func genesis(name string, n int) consensus.Genesis {
	keys := make([]crypto.PublicKey, n)
	for i := range keys {
		keys[i][0] = byte(i)
	}
	return consensus.NewGenesis("test", name, keys)
}

func TestLookup(t *testing.T) {
	for _, name := range Names() {
		p, err := Lookup(name)
		if err != nil || p.Name != name || p.Title == "" || p.Words.View == "" || p.Words.Between == "" {
			t.Errorf("%s: %+v and error %v", name, p, err)
		}
		if s, err := System(genesis(name, 4)); err != nil || s != p.Model.System(4) {
			t.Errorf("%s: system %v and error %v", name, s, err)
		}
	}
	var unknown *UnknownError
	if _, err := Lookup("zab"); !errors.As(err, &unknown) || err.Error() != `protocol "zab": choose pbft, raft or paxos` {
		t.Errorf("an unknown name: %v", err)
	}
	if _, err := Of(genesis("zab", 4)); !errors.As(err, &unknown) || !errors.Is(err, consensus.ErrGenesis) {
		t.Errorf("an unknown genesis: %v", err)
	}
	if _, err := System(genesis("zab", 4)); !errors.Is(err, consensus.ErrGenesis) {
		t.Errorf("the system of an unknown genesis: %v", err)
	}
}

func TestRegister(t *testing.T) {
	before := registered
	t.Cleanup(func() { registered = before })
	build := func(Settings) (consensus.Protocol, error) { return nil, nil }
	Register(Protocol{Name: "zab", Model: quorum.Crash, New: build})
	if !slices.Equal(Names(), []string{PBFT, Raft, Paxos, "zab"}) {
		t.Errorf("names are %v", Names())
	}
	for _, p := range []Protocol{{Model: quorum.Crash, New: build}, {Name: PBFT, Model: quorum.Crash, New: build}, {Name: "a", New: build}, {Name: "a", Model: quorum.Crash}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was taken", p)
				}
			}()
			Register(p)
		}()
	}
}

// What is wished for in replicas and in faults must fit, and the answer names
// the number that does.
func TestFit(t *testing.T) {
	for _, row := range []struct {
		protocol string
		n, f     int
		says     string // "" = it fits
	}{
		{PBFT, 4, 1, ""}, {PBFT, 7, 2, ""}, {Raft, 3, 1, ""}, {Raft, 5, 2, ""}, {Raft, 1, 0, ""},
		{PBFT, 3, 1, "3 replicas of pbft tolerate 0; for 1 it takes 4 replicas"},
		{Raft, 4, 1, "4 replicas of raft tolerate 1; for 1 it takes 3 replicas"},
		{PBFT, 4, 0, "4 replicas of pbft tolerate 1; for 0 it takes 1 replica"},
		{Raft, 1, 1, "1 replica of raft tolerates 0; for 1 it takes 3 replicas"},
		{PBFT, 4, -1, "4 replicas of pbft tolerate 1; for -1 it takes -2 replicas"},
	} {
		p, _ := Lookup(row.protocol)
		err := p.Fit(row.n, row.f)
		if row.says == "" && err != nil || row.says != "" && (!errors.Is(err, ErrFaults) || err.Error() != ErrFaults.Error()+": "+row.says) {
			t.Errorf("%s n=%d f=%d: %v, want %q", row.protocol, row.n, row.f, err, row.says)
		}
	}
	if p, _ := Lookup(Raft); !errors.Is(p.Fit(0, 0), consensus.ErrGenesis) {
		t.Error("no replicas fit")
	}
}

// A codec takes whatever a network delivers, and a protocol without one still
// has frames with names.
func TestCodecsSurviveEverything(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for _, p := range append(All(), Protocol{Name: "opaque"}) {
		c := p.Codec(genesis(p.Name, 4))
		if c.Kind(nil) != "EMPTY" || c.Kind([]byte{0xee}) != "0XEE" || c.Opened(7) != "" {
			t.Errorf("%s: names %q, %q and %q", p.Name, c.Kind(nil), c.Kind([]byte{0xee}), c.Opened(7))
		}
		if c.Describe(nil) != "EMPTY" || c.Keep(nil) != nil || c.Signature(nil) >= 0 || c.Counted(nil) != "" {
			t.Errorf("%s: an empty frame is more than that", p.Name)
		}
		if _, ok := c.Promise(nil); ok {
			t.Errorf("%s: an empty frame promises something", p.Name)
		}
		if _, ok := c.Floor(nil); ok {
			t.Errorf("%s: after an empty frame something is over", p.Name)
		}
		if _, ok := c.Summary(nil); ok {
			t.Errorf("%s: an empty frame says something", p.Name)
		}
		for range 20_000 {
			frame := make([]byte, 1+dice.IntN(300))
			for i := range frame {
				frame[i] = byte(dice.Uint32())
			}
			frame[0] = byte(dice.IntN(0x28))
			if c.Kind(frame) == "" || c.Describe(frame) == "" {
				t.Fatalf("%s: %x has no name", p.Name, frame)
			}
			c.Promise(frame)
			c.Floor(frame)
			c.Summary(frame)
			c.Counted(frame)
			if kept := c.Keep(frame); len(kept) > len(frame) {
				t.Fatalf("%s keeps more than there is of %x", p.Name, frame)
			}
			if at := c.Signature(frame); at >= len(frame) {
				t.Fatalf("%s: signature at %d of %d bytes", p.Name, at, len(frame))
			}
		}
	}
}

// Every reason that is out of reach is one that the protocol has.
func TestReasonsOutOfReachExist(t *testing.T) {
	for _, p := range All() {
		for r := range p.OutOfReach {
			if !slices.Contains(p.Reasons, r) {
				t.Errorf("%s: no such reason as %q", p.Name, r)
			}
		}
	}
}
