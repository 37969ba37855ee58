// Command bank replicates an application of one's own, which bank.go has: four
// replicas run it on this machine, two customers pay each other without the first
// primary, and judges hold what everybody wrote down against the model below.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"quorate.dev/quorate/check/linear"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/testnet"
)

func main() {
	testnet.Serve(Bank{}) // a process that Up has started runs a replica, and ends here
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "bank-")
	if err == nil {
		err = errors.Join(run(ctx, filepath.Join(dir, "net")), os.RemoveAll(dir))
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string) error {
	cluster, err := testnet.Init(testnet.Options{Dir: dir, Application: Bank{}.Name(),
		Settings: func(_ int, c *home.Config) { c.Record.Level = home.RecordAll }}) // for the judges
	if err != nil {
		return err
	}
	cluster.Tied = true // nobody else knows it
	if _, err = cluster.Up(); err == nil {
		err = trade(ctx, cluster)
	}
	if err := errors.Join(err, cluster.Down()); err != nil {
		return err
	}
	verdict, err := cluster.Judge(Bank{}, &model)
	fmt.Printf("safe: %t; linearizable: %s; %d batches executed again\n", verdict.Safe(), verdict.Linearizable, verdict.Executed)
	return err
}

func trade(ctx context.Context, cluster *testnet.Cluster) error {
	errs := []error{cluster.AwaitReady(ctx), cluster.Kill(0), nil, nil}
	var customers sync.WaitGroup
	for i, ops := range [][]string{
		{"open alice", "transfer treasury alice 100", "transfer alice bob 30", "balance alice"},
		{"open bob", "transfer treasury bob 50", "transfer bob alice 20", "transfer alice bob 1", "balance bob"},
	} {
		customers.Go(func() { errs[2+i] = customer(ctx, cluster, cluster.ClientKeys()[i], ops) })
	}
	customers.Wait()
	return errors.Join(errs...)
}

func customer(ctx context.Context, cluster *testnet.Cluster, key string, ops []string) error {
	caller, err := cluster.Dial(ctx, key)
	if err != nil {
		return err
	}
	for _, op := range ops {
		r, err := caller.Invoke(ctx, []byte(op))
		if err != nil {
			return errors.Join(err, caller.Close())
		}
		fmt.Printf("%-28s %s\n", op, r.Data)
	}
	return caller.Close()
}

var accounts = []string{Treasury, "alice", "bob"} // those that the model knows

// model is the bank for judges, written a second time: what an operation that
// succeeded does to the balances of all accounts, and what its result must be.
var model = linear.Model{
	Init: [3]uint64{Supply},
	Read: func(op []byte) linear.Reading {
		return linear.Reading{Keys: []string{"all accounts"}, Single: true, Input: strings.Fields(string(op))}
	},
	Step: func(state, input any, result *consensus.Result) (any, bool) {
		now, words := state.([3]uint64), input.([]string)
		if result != nil && result.Code != consensus.ResultOK {
			return now, true // it changed nothing; why it failed is not judged
		}
		named := slices.Index(accounts, words[1])
		if words[0] == "transfer" {
			sum, _ := strconv.ParseUint(words[3], 10, 64)
			now[named] -= sum
			now[slices.Index(accounts, words[2])] += sum
		}
		return now, result == nil || string(result.Data) == strconv.FormatUint(now[named], 10)
	},
}
