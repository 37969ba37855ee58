package byzantine

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

func replies(env *Env, n int) []consensus.Reply {
	var rs []consensus.Reply
	for i := range n {
		rs = append(rs, consensus.Reply{
			Client: env.Genesis.Clients[i%len(env.Genesis.Clients)].Key, Request: crypto.Hash([]byte{byte(i), byte(i >> 8)}),
			Sequence: consensus.Sequence{Epoch: 1, Counter: uint64(i + 1)}, Seq: 9, View: 2, Replica: 0,
			Results: []consensus.Result{{Data: []byte("balance 42")}, {}},
		})
	}
	return rs
}

func filtered(t *testing.T, env Env, texts ...string) *ReplyFilter {
	t.Helper()
	plan := planned(t, &env, texts...)
	return NewReplyFilter(env, func() *Plan { return plan })
}

// Each way of lying changes what it says it changes, and that alone.
func TestLies(t *testing.T) {
	env := fakeEnv(t, 4, "pbft")
	for how, change := range map[string]func(*consensus.Reply){
		"result": func(r *consensus.Reply) {
			r.Results = []consensus.Result{{Data: []byte("balance 43")}, {Data: []byte{1}}}
		},
		"seq":      func(r *consensus.Reply) { r.Seq = 10 },
		"view":     func(r *consensus.Reply) { r.View = 9 },
		"replica":  func(r *consensus.Reply) { r.Replica = 1 },
		"sequence": func(r *consensus.Reply) { r.Sequence.Counter++ },
		"request":  func(r *consensus.Reply) { r.Request[0] ^= 1 },
	} {
		truth, want := replies(&env, 3), replies(&env, 3)
		change(&want[1])
		got := filtered(t, env, "lie "+how+" client=1").Apply(truth)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", how, got, want)
		}
		if !reflect.DeepEqual(truth, replies(&env, 3)) {
			t.Errorf("%s: what the host remembers has changed", how)
		}
	}
	got := filtered(t, env, "lie withheld client=0,2").Apply(replies(&env, 3))
	if want := replies(&env, 3)[1:2]; !reflect.DeepEqual(got, want) {
		t.Errorf("withheld: %+v", got)
	}
}

// Those who lie in the same way lie the same, by chance too: what f+1 of them
// say, a client believes.
func TestTraitorsAgree(t *testing.T) {
	for _, text := range []string{"lie", "lie seq", "lie chance=40%"} {
		var said [][]byte
		for id := range 2 {
			env := fakeEnv(t, 4, "pbft")
			env.Self = consensus.ReplicaID(id)
			rs := replies(&env, 200)
			slices.Reverse(rs[:100*id]) // hosts group replies as they like
			var lies []byte
			out := filtered(t, env, text).Apply(rs)
			slices.SortFunc(out, func(a, b consensus.Reply) int { return bytes.Compare(a.Request[:], b.Request[:]) })
			for _, r := range out {
				lies = append(lies, r.Encode()...)
			}
			said = append(said, lies)
		}
		if !bytes.Equal(said[0], said[1]) {
			t.Errorf("%s: two traitors, two lies", text)
		}
	}
}

func TestReplyFilter(t *testing.T) {
	env := fakeEnv(t, 4, "pbft")
	for text, want := range map[string][2]int{
		"silent": {0, 0}, "silent 40": {40, 40}, "drop": {0, 0}, "drop 30%": {110, 170}, "duplicate 3": {600, 600}, "silent to=1": {200, 200},
		"silent after=1s": {200, 200}, "silent kind=COMMIT": {200, 200}, "silent kind=REPLY": {0, 0}, "drop chance=30%": {110, 170}, "garbage": {200, 200},
	} {
		if n := len(filtered(t, env, text).Apply(replies(&env, 200))); n < want[0] || n > want[1] {
			t.Errorf("%s: %d of 200 replies, want between %d and %d", text, n, want[0], want[1])
		}
	}
	var plan *Plan
	m := NewReplyFilter(env, func() *Plan { return plan })
	rs := replies(&env, 2)
	if got := m.Apply(rs); &got[0] != &rs[0] {
		t.Error("an honest host copies")
	}
	plan = planned(t, &env, "silent 1")
	if got := len(m.Apply(rs)) + len(m.Apply(rs)); got != 1 {
		t.Errorf("%d replies before it fell silent", got)
	}
	plan = nil
	if got := m.Apply(rs); len(got) != 2 {
		t.Errorf("healed, it says %d of 2", len(got))
	}
}

// Who misreads names heights up to the last that can be named, and one beyond, which
// nobody reads.
func TestMisreadHeights(t *testing.T) {
	env := fakeEnv(t, 4, "pbft")
	for how, want := range map[string]bool{"high": true, "highest": true, "beyond": false} {
		said := filtered(t, env, "misread "+how).Findings([]consensus.Finding{{Client: env.Genesis.Clients[0].Key, Index: 3, Height: 3}})
		if len(said) != 1 || said[0].Index < 6 {
			t.Fatalf("%s: %+v", how, said)
		}
		if _, err := consensus.DecodeFinding(said[0].Encode()); (err == nil) != want {
			t.Errorf("%s: index %d: %v", how, said[0].Index, err)
		}
	}
}
