package bank_test

import (
	"fmt"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/examples/bank"
)

var alice, bob = crypto.PublicKey{1}, crypto.PublicKey{2}

// branch is a machine that runs the bank, without a network around it.
type branch struct {
	t        *testing.T
	m        *app.Machine
	counters map[crypto.PublicKey]uint64
}

func open(t *testing.T) *branch {
	g := consensus.NewGenesis("bank", "pbft", []crypto.PublicKey{{9}})
	g.OpenClients, g.Application = true, "bank"
	m, err := app.Open(state.NewMemory(), bank.Bank{}, g, app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &branch{t: t, m: m, counters: map[crypto.PublicKey]uint64{}}
}

// ask executes one operation of a client in a batch of its own.
func (b *branch) ask(client crypto.PublicKey, op string) string {
	b.t.Helper()
	b.counters[client]++
	request := &consensus.Request{
		Client: client, Sequence: consensus.Sequence{Epoch: 1, Counter: b.counters[client]},
		Operations: [][]byte{[]byte(op)}, Digest: crypto.Hash(fmt.Append(nil, client, b.counters[client], op)),
	}
	batch := &consensus.Batch{Stamp: 1, Requests: []*consensus.Request{request}}
	out, err := b.m.Do(consensus.Commit{Seq: b.m.Applied() + 1, Digest: batch.Digest(), Batch: batch})
	if err != nil || len(out.Replies) != 1 {
		b.t.Fatalf("%s: %+v, %v", op, out, err)
	}
	return string(out.Replies[0].Results[0].Data)
}

func TestBank(t *testing.T) {
	b := open(t)
	steps := []struct {
		who  crypto.PublicKey
		op   string
		want string
	}{
		{alice, "open alice", "0"},
		{bob, "open bob", "0"},
		{bob, "open alice", "account alice exists"},
		{alice, "transfer treasury alice 100", "999900"},
		{bob, "transfer alice bob 1", "account alice is not yours"},
		{alice, "transfer alice bob 101", "account alice holds 100"},
		{alice, "transfer alice carol 50", "no account carol"},
		{alice, "balance alice", "100"},
		{alice, "transfer alice alice 100", "100"},
		{alice, "transfer alice bob 30", "70"},
		{alice, "transfer alice bob -1", `"-1" is no sum`},
		{alice, "transfer dave bob 1", "no account dave"},
		{alice, "balance dave", "no account dave"},
		{bob, "rob alice", "want: open NAME, balance NAME, or transfer FROM TO SUM"},
		{bob, "balance treasury", "999900"},
		{bob, "balance alice", "70"},
		{bob, "balance bob", "30"},
	}
	for _, s := range steps {
		if got := b.ask(s.who, s.op); got != s.want {
			t.Errorf("%s: %q, want %q", s.op, got, s.want)
		}
	}
}
