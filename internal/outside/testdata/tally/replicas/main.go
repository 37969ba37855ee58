// Command replicas makes the homes of four replicas in a directory, or finds
// them there, and runs them until it is interrupted.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"

	"example.com/tally"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/protocol"
)

const replicas = 4

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir := os.Args[1]
	_, err := os.Stat(filepath.Join(dir, "genesis.toml"))
	if errors.Is(err, fs.ErrNotExist) {
		err = create(dir)
	}
	if err != nil {
		log.Fatal(err)
	}
	ends := make(chan error)
	for i := range replicas {
		go func() { ends <- run(ctx, replicaDir(dir, i)) }()
	}
	for range replicas {
		if err := <-ends; err != nil {
			log.Fatal(err)
		}
	}
}

func replicaDir(dir string, i int) string { return filepath.Join(dir, fmt.Sprint("replica-", i)) }

func run(ctx context.Context, dir string) error {
	h, err := home.Load(dir, home.Overrides{Lookup: os.LookupEnv}, nil)
	if err != nil {
		return err
	}
	return h.Run(ctx, tally.Tally{})
}

// create makes keys, a genesis that names the application, and a home for each
// replica.
func create(dir string) error {
	var seeds [replicas]home.Seed
	var file genesis.File
	var keys []crypto.PublicKey
	for i := range seeds {
		seed, err := home.NewSeed()
		if err != nil {
			return err
		}
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer free.Close()
		seeds[i], keys = seed, append(keys, crypto.PublicOf(seed))
		file.Addresses = append(file.Addresses, free.Addr().String())
	}
	file.Genesis = consensus.NewGenesis("words", protocol.PBFT, keys)
	if _, err := rand.Read(file.Genesis.Nonce[:]); err != nil {
		return err
	}
	file.Genesis.Application, file.Genesis.OpenClients = tally.Tally{}.Name(), true
	for i, seed := range seeds {
		c := home.DefaultConfig()
		c.Replica, c.Listen = i, file.Addresses[i]
		if err := home.Create(replicaDir(dir, i), c, &file, seed); err != nil {
			return err
		}
	}
	return genesis.Save(filepath.Join(dir, "genesis.toml"), &file)
}
