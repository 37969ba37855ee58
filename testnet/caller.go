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
	client.Invoker
	client  *client.Client
	history *transcript.History
}

// Dial makes a caller with a key of the cluster's, see ClientKeys, as far as
// nobody tunes it. A key belongs to one caller at a time.
func (c *Cluster) Dial(ctx context.Context, keyFile string, tune ...func(*client.Config)) (*Caller, error) {
	key, err := home.ReadKey(keyFile, envPassphrase)
	if err != nil {
		return nil, err
	}
	config := client.Config{Genesis: &c.Genesis, Key: key, Addresses: c.Addresses()}
	for _, t := range tune {
		t(&config)
	}
	public := crypto.PublicOf(key)
	k := &Caller{}
	if k.history, err = transcript.NewHistory(c.historyFile(public), &c.Genesis, public); err != nil {
		return nil, err
	}
	if k.client, err = client.Dial(ctx, config); err != nil {
		return nil, errors.Join(err, k.history.Close())
	}
	k.Invoker = k.history.Of(k.client)
	return k, nil
}

// Close ends the client and its history.
func (k *Caller) Close() error { return errors.Join(k.client.Close(), k.history.Close()) }
