package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/testnet"
)

// counter is an application of somebody else's: it adds up what it is told.
type counter struct{}

func (counter) Name() string { return "counter" }

func (counter) Execute(_ app.Context, tx app.Tx, op []byte) consensus.Result {
	if len(op) != 1 {
		return app.Failed("want one byte")
	}
	sum := make([]byte, 8)
	if old, found := tx.Get([]byte("sum")); found {
		copy(sum, old)
	}
	binary.BigEndian.PutUint64(sum, binary.BigEndian.Uint64(sum)+uint64(op[0]))
	tx.Put([]byte("sum"), sum)
	return app.OK(sum)
}

// counterMain is the program of the counter: it makes a cluster where quorate
// looks for one, starts it, and ends.
func counterMain() {
	testnet.Serve(counter{})
	dir, err := filepath.Abs("quorate-testnet")
	var cluster *testnet.Cluster
	if err == nil {
		cluster, err = testnet.Init(testnet.Options{Dir: dir, Application: counter{}.Name()})
	}
	if err == nil {
		_, err = cluster.Up()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
