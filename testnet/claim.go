package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"quorate.dev/quorate/storage"
)

// ErrKeyInUse: another command of this machine speaks with the key.
var ErrKeyInUse = errors.New("key is in use")

// Claim is the hold of one process on one client key. A cluster has one live
// session per key: the newer of two would end the older one's. The system gives
// the key back when the process ends, however it ends.
type Claim struct {
	Key  string // the file
	lock *storage.Lock
}

// Release gives the key back. It may be called on nil.
func (c *Claim) Release() {
	if c != nil && c.lock != nil {
		_ = c.lock.Unlock() // nothing was written
	}
}

// ClaimKey takes the lock of a key file, and does not wait: ErrKeyInUse if
// another process has it. A file that is not there is the reader's error.
func ClaimKey(path string) (*Claim, error) {
	f, err := os.Open(path)
	if err != nil {
		return &Claim{Key: path}, nil
	}
	lock, err := storage.LockFile(f)
	if errors.Is(err, storage.ErrInUse) {
		err = fmt.Errorf("%w: another command uses %s, and a cluster has one session per key: wait for it, or make another key", ErrKeyInUse, path)
	}
	return &Claim{Key: path, lock: lock}, err
}

// ClaimClientKey takes the first free key of the cluster's pool of client keys.
// If all are taken it waits until one is free or ctx ends, which is ErrKeyInUse.
func (c *Cluster) ClaimClientKey(ctx context.Context) (*Claim, error) {
	pool := c.ClientKeys()
	for {
		for _, path := range pool {
			claim, err := ClaimKey(path)
			if !errors.Is(err, ErrKeyInUse) {
				return claim, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: other commands use all %d client keys of %s: wait for them, or give --key FILE: %w", ErrKeyInUse, len(pool), c.Dir, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
