package home

import (
	"fmt"
	"path/filepath"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/genesis"
)

// cluster is a genesis and the homes of its replicas.
type cluster struct {
	file genesis.File
	dirs []string
}

func seedOf(name string, i int) Seed { return Seed(crypto.Hash(fmt.Append(nil, name, i))) }

// made makes homes in a temporary directory, with keys that derive from a name.
func made(t testing.TB, name string, replicas int, adjust func(*consensus.Genesis), settings func(*Config)) *cluster {
	t.Helper()
	c, dir := &cluster{}, t.TempDir()
	var keys []crypto.PublicKey
	for i := range replicas {
		keys = append(keys, crypto.PublicOf(seedOf(name, i)))
		c.file.Addresses = append(c.file.Addresses, fmt.Sprintf("127.0.0.1:%d", 9000+i))
	}
	c.file.Genesis = consensus.NewGenesis("testnet", "pbft", keys)
	c.file.Genesis.Clients = []consensus.ClientEntry{{Key: crypto.PublicOf(seedOf(name, -1)), Role: consensus.RoleAdmin}}
	if adjust != nil {
		adjust(&c.file.Genesis)
	}
	for i := range replicas {
		config := DefaultConfig()
		config.Replica, config.Listen = i, c.file.Addresses[i]
		if settings != nil {
			settings(&config)
		}
		c.dirs = append(c.dirs, filepath.Join(dir, fmt.Sprint("replica-", i)))
		if err := Create(c.dirs[i], config, &c.file, seedOf(name, i)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}
