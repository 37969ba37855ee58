package home_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/protocol"
)

// A home is made once, from a key, the genesis and settings. Load and Run are all
// that a program of one's own needs to be a replica. This cluster has one member,
// which tolerates no fault; four tolerate one.
func Example() {
	dir, err := os.MkdirTemp("", "home-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	seed, err := home.NewSeed()
	if err != nil {
		log.Fatal(err)
	}
	address := freeAddress()
	g := consensus.NewGenesis("example", protocol.PBFT, []crypto.PublicKey{crypto.PublicOf(seed)})
	g.OpenClients = true // any key may write
	c := home.DefaultConfig()
	c.Replica, c.Listen, c.Log.Level = 0, address, "error"
	replica := filepath.Join(dir, "replica-0")
	if err := home.Create(replica, c, &genesis.File{Genesis: g, Addresses: []string{address}}, seed); err != nil {
		log.Fatal(err)
	}

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		h, err := home.Load(replica, home.Overrides{Lookup: os.LookupEnv}, nil)
		if err == nil {
			err = h.Run(ctx, kv.Store{})
		}
		ended <- err
	}()
	fmt.Println(greet(ctx, &g, address))
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		fmt.Println(err)
	}
	// Output: hello <nil>
}

// greet stores a value and reads it back.
func greet(ctx context.Context, g *consensus.Genesis, address string) (string, error) {
	caller, err := client.Dial(ctx, client.Config{Genesis: g, Key: [crypto.PrivateKeySize]byte{1}, Addresses: []string{address}})
	if err != nil {
		return "", err
	}
	defer caller.Close()
	store := client.KV{Invoker: caller}
	if _, err := store.Put(ctx, []byte("greeting"), []byte("hello")); err != nil {
		return "", err
	}
	e, _, err := store.Get(ctx, []byte("greeting"))
	return string(e.Value), err
}

func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
