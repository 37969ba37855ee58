package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/check/linear"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/testnet"
)

// TestMain lets this program be the replicas of the test's cluster.
func TestMain(m *testing.M) {
	testnet.Serve(Bank{})
	os.Exit(m.Run())
}

// TestCluster runs what `go run` runs, and reads what it prints.
func TestCluster(t *testing.T) {
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	printed, err := os.Create(filepath.Join(t.TempDir(), "printed"))
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = printed
	if err := errors.Join(run(t.Context(), filepath.Join(t.TempDir(), "net")), printed.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(printed.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"open alice                   0\n", "\nsafe: true; linearizable: yes; "} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %q in what was printed:\n%s", want, b)
		}
	}
}

// TestModel: the bank's second half finds money that comes from nowhere.
func TestModel(t *testing.T) {
	calls := func(last string) []linear.Call {
		var all []linear.Call
		for i, step := range [][2]string{{"open alice", "0"}, {"transfer treasury alice 100", "999900"}, {"balance alice", last}} {
			at := consensus.Time(2 * i)
			all = append(all, linear.Call{Op: []byte(step[0]), Began: at, Ended: at + 1, Result: &consensus.Result{Data: []byte(step[1])}})
		}
		return all
	}
	for last, bad := range map[string]int{"100": 0, "101": 1} {
		if r := linear.Check(model, calls(last), 0); len(r.Bad) != bad || len(r.Good) != 1-bad {
			t.Errorf("alice has %s: %+v", last, r)
		}
	}
}

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
	m, err := app.Open(state.NewMemory(), Bank{}, g, app.Options{})
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
