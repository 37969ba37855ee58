package app_test

import (
	"fmt"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Register is an application: one value, which every operation replaces and
// whose predecessor it returns.
type Register struct{}

// Name is what a genesis calls the application.
func (Register) Name() string { return "register" }

// Execute is called for one operation after the other, in the same order at
// every replica.
func (Register) Execute(ctx app.Context, tx app.Tx, op []byte) consensus.Result {
	if len(op) == 0 {
		return app.Failed("nothing to store") // undoes what was written
	}
	old, found := tx.Get([]byte("value"))
	tx.Put([]byte("value"), op)
	if !found {
		old = []byte("(nothing)")
	}
	return app.OK(old)
}

// A Machine executes what the replicas agreed on. A replica has one; here it
// stands alone, with its state in memory, as in a test of an application.
func Example() {
	g := consensus.NewGenesis("example", "pbft", []crypto.PublicKey{{1}})
	g.Application, g.OpenClients = Register{}.Name(), true
	m, err := app.Open(state.NewMemory(), Register{}, g, app.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, op := range []string{"red", "", "blue"} {
		batch := &consensus.Batch{Requests: []*consensus.Request{{
			Client: crypto.PublicKey{2}, Sequence: consensus.Sequence{Epoch: 1, Counter: uint64(i + 1)},
			Operations: [][]byte{[]byte(op)}, Digest: crypto.Hash([]byte{byte(i)}),
		}}}
		out, err := m.Do(consensus.Commit{Seq: m.Applied() + 1, Digest: batch.Digest(), Batch: batch})
		if err != nil {
			fmt.Println(err)
			return
		}
		r := out.Replies[0].Results[0]
		fmt.Printf("%q %t: %s\n", op, r.Code == consensus.ResultOK, r.Data)
	}
	// Output:
	// "red" true: (nothing)
	// "" false: nothing to store
	// "blue" true: red
}
