package testnet

import (
	"context"
	"errors"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/transcript"
)

// Caller is a client of a cluster that writes down for Judge what it asks and
// what it is told.
type Caller struct {
	*transcript.History
	client *client.Client
}

// Dial makes a caller with a key of the cluster's, see ClientKeys, as far as
// nobody tunes it. A key belongs to one caller at a time.
func (c *Cluster) Dial(ctx context.Context, keyFile string, tune ...func(*client.Config)) (*Caller, error) {
	key, err := home.ReadKey(keyFile, envPassphrase)
	if err != nil {
		return nil, err
	}
	config := client.Config{Genesis: &c.Genesis, Key: key, Addresses: c.Addresses()}
	Remember(&config, keyFile)
	for _, t := range tune {
		t(&config)
	}
	public := crypto.PublicOf(key)
	d, err := client.Dial(ctx, config)
	if err != nil {
		return nil, err
	}
	h, err := transcript.NewHistory(c.historyFile(public), &c.Genesis, public, d)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &Caller{h, d}, nil
}

// Close ends the client and its history.
func (k *Caller) Close() error { return errors.Join(k.client.Close(), k.History.Close()) }
