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

// Dial makes a caller with a key of the cluster's: see ClientKeys. A key belongs
// to one caller at a time.
func (c *Cluster) Dial(ctx context.Context, keyFile string) (*Caller, error) {
	key, err := home.ReadKey(keyFile, envPassphrase)
	if err != nil {
		return nil, err
	}
	public := crypto.PublicOf(key)
	k := &Caller{}
	if k.history, err = transcript.NewHistory(c.HistoryFile(public), &c.Genesis, public); err != nil {
		return nil, err
	}
	if k.client, err = client.Dial(ctx, client.Config{Genesis: &c.Genesis, Key: key, Addresses: c.Addresses()}); err != nil {
		return nil, errors.Join(err, k.history.Close())
	}
	k.Invoker = k.history.Of(k.client)
	return k, nil
}

// Close ends the client and its history.
func (k *Caller) Close() error { return errors.Join(k.client.Close(), k.history.Close()) }
