package session

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

func TestBounds(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Queue, c.InFlight = 3, 1 })
	b.invoke(1, 1)
	b.invoke(2, 3)
	b.s.Invoke(5, []byte("one too many"))
	b.s.Invoke(6, make([]byte, b.genesis.Limits.OperationBytes+1))
	out := b.s.Flush()
	if len(out.Done) != 2 || !errors.Is(out.Done[0].Err, ErrBusy) || !errors.Is(out.Done[1].Err, ErrTooLarge) {
		t.Fatalf("done: %v", out.Done)
	}
	b.s.Cancel(3)
	b.s.Close()
	b.s.Invoke(7, nil)
	out = b.s.Flush()
	if len(out.Done) != 5 || !errors.Is(out.Done[0].Err, ErrNotSent) || out.Deadline != 0 {
		t.Fatalf("done: %v", out.Done)
	}
	for _, d := range out.Done[1:] {
		if !errors.Is(d.Err, ErrClosed) || errors.Is(d.Err, ErrUnknown) != (d.Ticket == 1) {
			t.Errorf("ticket %d: %v", d.Ticket, d.Err)
		}
	}
}

// What is in flight has room in the queue that replicas keep for one client, a fourth
// of pending_bytes: what has not is refused, and sent again in vain.
func TestFlightFitsWhatReplicasKeep(t *testing.T) {
	for _, size := range []int{64 << 10, 1200 << 10} {
		b := newBench(t, nil)
		for i := range Ticket((16 << 20) / size) {
			b.s.Invoke(i+1, make([]byte, size))
		}
		sum, requests := 0, 0
		for _, s := range b.s.Flush().Sends {
			requests++
			if sum += len(s.Bytes); len(s.Bytes) > max(size, 1<<20)+requestHead {
				t.Errorf("a request of %d bytes does not fit a batch", len(s.Bytes))
			}
		}
		if sum > 8<<20 || requests < 6 {
			t.Errorf("%d requests of %d bytes are in flight: want six or more, and no more than 8 MiB", requests, sum)
		}
	}
}

// A request stays within the genesis limits, a large operation travels alone,
// and nothing is lost on the way.
func TestRequestsWithinLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := consensus.NewGenesis("limits", "any", []crypto.PublicKey{{1}})
		g.Limits.RequestOperations = rapid.IntRange(1, 50).Draw(t, "operations")
		s, err := New(Config{Genesis: &g, System: quorum.Byzantine.System(1), Signer: crypto.NewSimSigner(crypto.NewKeyring(), [32]byte{1}), Epoch: 1, GatherBytes: 1000})
		if err != nil {
			t.Fatal(err)
		}
		s.Connected(0)
		var want, got [][]byte
		for i, size := range rapid.SliceOfN(rapid.IntRange(0, 1500), 1, 100).Draw(t, "sizes") {
			op := bytes.Repeat([]byte{byte(i)}, size)
			want = append(want, op)
			s.Invoke(Ticket(i), op)
		}
		for len(got) < len(want) {
			out := s.Flush()
			if len(out.Sends) == 0 {
				t.Fatalf("%d of %d operations were sent", len(got), len(want))
			}
			for _, send := range out.Sends {
				r, err := consensus.DecodeRequest(send.Bytes)
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Operations) > g.Limits.RequestOperations || len(r.Operations) > 1 && len(r.Raw) > 1000+requestHead {
					t.Fatalf("%d operations, %d bytes", len(r.Operations), len(r.Raw))
				}
				got = append(got, r.Operations...)
				reply := &consensus.Reply{Request: r.Digest, Sequence: r.Sequence, Results: make([]consensus.Result, len(r.Operations))}
				s.Receive(0, reply.Encode())
			}
		}
		for i := range want {
			if !bytes.Equal(want[i], got[i]) {
				t.Fatalf("operation %d was changed", i)
			}
		}
	})
}

// The same calls give the same outputs, byte for byte: the simulator repeats them.
func TestSessionIsDeterministic(t *testing.T) {
	g := consensus.NewGenesis("again", "any", []crypto.PublicKey{{1}, {2}, {3}, {4}})
	rapid.Check(t, func(t *rapid.T) {
		script := rapid.SliceOfN(rapid.IntRange(0, 99), 1, 80).Draw(t, "script")
		run := func() (log []Output) {
			s, err := New(Config{Genesis: &g, System: quorum.Byzantine.System(4), Signer: crypto.NewSimSigner(crypto.NewKeyring(), [32]byte{1}), Epoch: 1, Patience: 5})
			if err != nil {
				t.Fatal(err)
			}
			var sent [][]byte
			for i, k := range script {
				switch id := consensus.ReplicaID(k % 4); {
				case k < 30:
					s.Invoke(Ticket(i), []byte{byte(k)})
				case k < 40:
					s.Connected(id)
				case k < 45:
					s.Disconnected(id)
				case k < 55:
					s.Cancel(Ticket(k % len(script)))
				case k < 80 && len(sent) > 0:
					r, err := consensus.DecodeRequest(sent[k%len(sent)])
					if err != nil {
						t.Fatal(err)
					}
					s.Receive(id, (&consensus.Reply{Request: r.Digest, Sequence: r.Sequence, Results: make([]consensus.Result, len(r.Operations))}).Encode())
				default:
					s.Advance(consensus.Time(i))
				}
				out := s.Flush()
				for _, send := range out.Sends {
					sent = append(sent, send.Bytes)
				}
				log = append(log, out)
			}
			return log
		}
		if a, b := run(), run(); !reflect.DeepEqual(a, b) {
			t.Fatalf("outputs differ:\n%v\n%v", a, b)
		}
	})
}

func TestConfig(t *testing.T) {
	g := consensus.NewGenesis("g", "any", []crypto.PublicKey{{1}})
	signer, one := crypto.NewSimSigner(crypto.NewKeyring(), [32]byte{1}), quorum.Byzantine.System(1)
	for name, c := range map[string]Config{
		"nothing":       {},
		"no epoch":      {Genesis: &g, System: one, Signer: signer},
		"bad genesis":   {Genesis: &consensus.Genesis{}, Signer: signer, Epoch: 1},
		"no system":     {Genesis: &g, Signer: signer, Epoch: 1},
		"in flight":     {Genesis: &g, System: one, Signer: signer, Epoch: 1, InFlight: 257},
		"negative":      {Genesis: &g, System: one, Signer: signer, Epoch: 1, Queue: -1},
		"negative time": {Genesis: &g, System: one, Signer: signer, Epoch: 1, Patience: -1},
	} {
		if _, err := New(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Frames from replicas are hostile until proven otherwise.
func FuzzReceive(f *testing.F) {
	g := consensus.NewGenesis("fuzz", "any", []crypto.PublicKey{{1}, {2}, {3}, {4}})
	signer := crypto.NewSimSigner(crypto.NewKeyring(), [32]byte{1})
	f.Add(uint16(0), (&consensus.Reply{Results: []consensus.Result{{Data: []byte("x")}}}).Encode())
	f.Add(uint16(9), (&consensus.Refusal{Code: consensus.RefusedStale, Sequence: consensus.Sequence{Epoch: 1, Counter: 1}}).Encode())
	f.Add(uint16(1), []byte{})
	f.Fuzz(func(t *testing.T, from uint16, frame []byte) {
		s, err := New(Config{Genesis: &g, System: quorum.Byzantine.System(4), Signer: signer, Epoch: 1})
		if err != nil {
			t.Fatal(err)
		}
		s.Connected(0)
		s.Invoke(1, []byte("op"))
		s.Flush()
		s.Receive(consensus.ReplicaID(from), frame)
		if out := s.Flush(); len(out.Done) != 0 {
			t.Fatalf("one frame was believed: %v", out.Done)
		}
	})
}
