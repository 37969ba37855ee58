package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/protocol"
)

// A client needs the cluster's genesis file and a key that it admits. Dial
// returns at once; each operation waits until f+1 replicas vouch for its result.
func Example() {
	genesisFile, key, stop := cluster()
	defer stop()

	file, err := genesis.Load(genesisFile)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.Dial(ctx, client.Config{Genesis: &file.Genesis, Addresses: file.Addresses, Key: key})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	store := client.KV{Invoker: c}
	if _, err := store.Put(ctx, []byte("stock"), []byte("7")); err != nil {
		log.Fatal(err)
	}
	swapped, err := store.CompareAndSwap(ctx, []byte("stock"), kv.Some([]byte("7")), kv.Some([]byte("6")))
	fmt.Println("sold:", swapped.Done, err)
	swapped, err = store.CompareAndSwap(ctx, []byte("stock"), kv.Some([]byte("7")), kv.Some([]byte("6")))
	fmt.Println("sold again:", swapped.Done, err)
	entry, found, err := store.Get(ctx, []byte("stock"))
	fmt.Printf("left: %s %t %v\n", entry.Value, found, err)

	// An application without a client of its own is spoken to in bytes.
	result, err := c.Invoke(ctx, []byte("nonsense"))
	fmt.Printf("%v %s %v\n", result.Code == consensus.ResultFailed, result.Data, err)
	// Output:
	// sold: true <nil>
	// sold again: false <nil>
	// left: 6 true <nil>
	// true malformed operation <nil>
}

// An error says whether the operation may have been executed.
func ExampleClient_Invoke() {
	nobody := consensus.NewGenesis("nobody", protocol.PBFT, []crypto.PublicKey{crypto.PublicOf(home.Seed{1})})
	c, err := client.Dial(context.Background(), client.Config{Genesis: &nobody, Addresses: []string{"127.0.0.1:1"}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = c.Invoke(ctx, kv.Put([]byte("key"), []byte("value")))
	switch {
	case errors.Is(err, session.ErrUnknown):
		fmt.Println("read before writing again")
	case errors.Is(err, session.ErrNotSent):
		fmt.Println("not executed, and will not be")
	}
	// Output: not executed, and will not be
}

// cluster runs a cluster of one replica, which admits one key.
func cluster() (genesisFile string, key home.Seed, stop func()) {
	dir, err := os.MkdirTemp("", "client-")
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	address := l.Addr().String()
	seed, key := home.Seed{1}, home.Seed{2}
	g := consensus.NewGenesis("example", protocol.PBFT, []crypto.PublicKey{crypto.PublicOf(seed)})
	g.Clients = []consensus.ClientEntry{{Key: crypto.PublicOf(key), Role: consensus.RoleWriter}}
	c := home.DefaultConfig()
	c.Listen, c.Log.Level = address, "error"
	file := &genesis.File{Genesis: g, Addresses: []string{address}}
	if err := errors.Join(l.Close(), home.Create(dir, c, file, seed)); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		h, err := home.Load(dir, home.Overrides{}, nil)
		if err == nil {
			err = h.Run(ctx, kv.Store{})
		}
		ended <- err
	}()
	return filepath.Join(dir, "genesis.toml"), key, func() {
		cancel()
		if err := errors.Join(<-ended, os.RemoveAll(dir)); err != nil && !errors.Is(err, context.Canceled) {
			log.Fatal(err)
		}
	}
}
