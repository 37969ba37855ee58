package client

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// bench is a Byzantine client with what it takes to judge its frames.
type bench struct {
	*Client
	t       *testing.T
	genesis consensus.Genesis
	key     crypto.PublicKey
	now     consensus.Time
}

// genesis is a cluster of four with three clients.
func genesis() consensus.Genesis {
	var keys []crypto.PublicKey
	for i := range 4 {
		keys = append(keys, crypto.PublicOf([32]byte{byte(i + 1)}))
	}
	g := consensus.NewGenesis("fake", "pbft", keys)
	for i := range 3 {
		g.Clients = append(g.Clients, consensus.ClientEntry{Key: crypto.PublicOf([32]byte{100, byte(i)}), Role: consensus.RoleWriter})
	}
	return g
}

func newBench(t *testing.T, text string, seed uint64) *bench {
	t.Helper()
	g := genesis()
	g.Limits.OperationBytes, g.Limits.RequestBytes, g.Limits.RequestOperations = 500, 2000, 10
	s, err := Behaviours().Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	signer, n := crypto.NewSigner([32]byte{100, 1}), 0
	v, err := New(g, signer, s, seed, func() []byte { n++; return fmt.Appendf(nil, "add %d", n) })
	if err != nil {
		t.Fatal(err)
	}
	return &bench{v, t, g, signer.Public(), 1e18}
}

// turn returns the next turn's frames by replica.
func (b *bench) turn() (by [4][][]byte) {
	b.now += 1e9
	for _, p := range b.Next(b.now) {
		by[p.To.Replica] = append(by[p.To.Replica], p.Bytes)
	}
	return by
}

// judge says what a replica makes of a frame.
func (b *bench) judge(frame []byte) string {
	r, err := consensus.DecodeRequest(frame)
	switch {
	case len(frame) > consensus.MaxFrame:
		b.t.Errorf("a frame of %d bytes", len(frame))
	case err != nil:
		return "malformed"
	case !crypto.NewVerifier(nil).Verify([]crypto.Claim{r.Claim(b.genesis.ID())})[0]:
		return "bad signature"
	}
	if code := b.genesis.CheckRequest(b.genesis.Roles(), r); code != 0 {
		return code.String()
	}
	return "fine"
}

func request(t *testing.T, frame []byte) *consensus.Request {
	t.Helper()
	r, err := consensus.DecodeRequest(frame)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What replicas make of the first frames of each way.
func TestStrategies(t *testing.T) {
	for _, c := range []struct{ text, r0, r3 string }{
		{"conflict halves", "fine", "fine"},
		{"conflict both", "fine fine", "fine fine"},
		{"multi", "fine", "fine"},
		{"bad-signature flip", "bad signature", "bad signature"},
		{"bad-signature zero", "bad signature", "bad signature"},
		{"bad-signature key", "bad signature", "bad signature"},
		{"bad-signature cluster", "bad signature", "bad signature"},
		{"bad-signature form", "bad signature", "bad signature"},
		{"partial", "fine", "bad signature"},
		{"partial to=0", "bad signature", "fine"},
		{"replay-requests 2", "fine fine fine", "fine fine fine"},
		{"request-flood 3", "fine fine fine", "fine fine fine"},
		{"request-flood 2 to=3", "", "fine fine"},
		{"oversize operation", "too large", "too large"},
		{"oversize many", "too large", "too large"},
		{"oversize request", "too large", "too large"},
		{"oversize frame", "malformed", "malformed"},
		{"poison empty", "fine", "fine"},
		{"poison random", "fine", "fine"},
		{"poison cut", "fine", "fine"},
		{"poison flip", "fine", "fine"},
		{"poison long", "fine", "fine"},
		{"poison many", "fine", "fine"},
		{"counters zero", "malformed fine", "malformed fine"},
		{"counters last", "fine fine", "fine fine"},
		{"epoch-jump huge", "fine fine", "fine fine"},
		{"outsider", "unknown client", "unknown client"},
		{"garbage-client truncate", "malformed", "malformed"},
		{"silent-reader 1", "fine", "fine"},
		{"multi after=1s", "", ""},
	} {
		b := newBench(t, c.text, 1)
		by := b.turn()
		for id, want := range map[int]string{0: c.r0, 3: c.r3} {
			got := ""
			for i, f := range by[id] {
				if i > 0 {
					got += " "
				}
				got += b.judge(f)
			}
			if got != want {
				t.Errorf("%s: R%d finds %q, want %q", c.text, id, got, want)
			}
		}
		if b.Deaf() != (c.text == "silent-reader 1") {
			t.Errorf("%s: reads nothing: %v", c.text, b.Deaf())
		}
	}
}

func TestConflicts(t *testing.T) {
	for how, distinct := range map[string]int{"halves": 2, "each": 4, "both": 2} {
		by := newBench(t, "conflict "+how, 1).turn()
		digests, sequences := map[crypto.Digest]bool{}, map[consensus.Sequence]bool{}
		for _, frames := range by {
			for _, f := range frames {
				r := request(t, f)
				digests[r.Digest], sequences[r.Sequence] = true, true
			}
		}
		if len(digests) != distinct || len(sequences) != 1 {
			t.Errorf("%s: %d requests with %d sequence numbers", how, len(digests), len(sequences))
		}
	}
	by := newBench(t, "multi", 1).turn()
	for i, frames := range by {
		if r := request(t, frames[0]); len(frames) != 1 || r.Sequence.Counter != uint64(i+1) {
			t.Errorf("R%d gets %d frames, counter %d", i, len(frames), r.Sequence.Counter)
		}
	}
}

func TestSequences(t *testing.T) {
	for how, want := range map[string]uint64{"old": 1, "beyond": 257, "huge": 1 << 63, "last": 1<<64 - 1} {
		if r := request(t, newBench(t, "counters "+how, 1).turn()[0][0]); r.Sequence.Counter != want || r.Sequence.Epoch != 1e18+1e9 {
			t.Errorf("counters %s: %+v", how, r.Sequence)
		}
	}
	b := newBench(t, "epoch-jump now", 1)
	idle := uint64(b.genesis.Limits.SessionIdle)
	for how, want := range map[string]uint64{
		"zero": 0, "now": 1e18 + 1e9, "past": 1e18 + 1e9 - 2*idle, "future": 1e18 + 1e9 + 2*idle, "huge": 1 << 63, "last": 1<<64 - 1,
	} {
		if r := request(t, newBench(t, "epoch-jump "+how, 1).turn()[0][0]); r.Sequence != (consensus.Sequence{Epoch: want, Counter: 1}) {
			t.Errorf("epoch-jump %s: %+v, want epoch %d", how, r.Sequence, want)
		}
	}
}

// Replays are byte for byte, and remembered within a bound.
func TestReplayRequests(t *testing.T) {
	b := newBench(t, "replay-requests 8", 1)
	seen, again := map[string]bool{}, 0
	for range 200 {
		frames := b.turn()[2]
		if seen[string(frames[0])] {
			t.Fatal("the first of a turn is not new")
		}
		for _, f := range frames {
			if seen[string(f)] {
				again++
			}
			seen[string(f)] = true
		}
	}
	if again < 1000 || len(seen) != 200 || len(b.past) != maxPast {
		t.Errorf("%d again, %d different, %d remembered", again, len(seen), len(b.past))
	}
}

func TestVanish(t *testing.T) {
	b := newBench(t, "vanish", 1)
	told, seen := [4]int{}, map[string]bool{}
	for range 100 {
		for i, frames := range b.turn() {
			for _, f := range frames {
				told[i]++
				if seen[string(f)] || b.judge(f) != "fine" {
					t.Fatal("a request is sent twice, or is not fine")
				}
				seen[string(f)] = true
			}
		}
	}
	if len(seen) != 100 || slices.Min(told[:]) < 5 {
		t.Errorf("%d requests, to %v", len(seen), told)
	}
}

// "any" draws every way, and each client is the same for one seed.
func TestClientsAreDeterministic(t *testing.T) {
	for _, e := range Behaviours() {
		one, two, other := newBench(t, e.Name, 1), newBench(t, e.Name, 1), newBench(t, e.Name, 2)
		differs := false
		for range 12 {
			a := one.turn()
			if !reflect.DeepEqual(a, two.turn()) {
				t.Fatalf("%s: one seed, two runs", e.Name)
			}
			differs = differs || !reflect.DeepEqual(a, other.turn())
		}
		if drawn := slices.Contains([]string{"bad-signature", "counters", "garbage-client", "poison", "vanish"}, e.Name); drawn && !differs {
			t.Errorf("%s: two seeds, one run", e.Name)
		}
	}
}

// One turn is bounded in frames and bytes, and signed by nobody else's key.
func TestTurnsAreBounded(t *testing.T) {
	for _, text := range []string{"request-flood 1000", "silent-reader 1000", "replay-requests 1000", "oversize", "oversize frame", "garbage-client huge", "conflict"} {
		b := newBench(t, text, 3)
		for range 3 {
			frames, size := 0, 0
			for _, fs := range b.turn() {
				for _, f := range fs {
					frames++
					size += len(f)
					if r, err := consensus.DecodeRequest(f); err == nil && r.Client != b.key {
						t.Errorf("%s: a request in the name of %s", text, r.Client.Short())
					}
				}
			}
			if frames == 0 || frames > maxSends || size > maxSendBytes {
				t.Errorf("%s: %d frames, %d bytes", text, frames, size)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	g := genesis()
	for _, text := range []string{"silent", "conflict sideways", "request-flood 0", "multi to=4", "multi kind=REQUEST"} {
		s, err := append(byzantine.Neutral(), Behaviours()...).Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(g, crypto.NewSigner([32]byte{9}), s, 1, func() []byte { return nil }); !errors.Is(err, byzantine.ErrSpec) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if b := newBench(t, "poison random", 1); bytes.Equal(b.turn()[0][0], b.turn()[0][0]) {
		t.Error("two turns, one request")
	}
}
