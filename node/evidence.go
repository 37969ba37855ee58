package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// keepEvidence stores an encoded contradiction as a file of its own, at most
// limit for each replica (PROTOCOL.md §9): a liar that contradicts itself a
// thousand times is proven by the first. The name is the content's hash, so
// that the same evidence is stored once.
func keepEvidence(dir string, n *consensus.Note, limit int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	prefix := fmt.Sprintf("R%d-", n.Replica)
	have := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			have++
		}
	}
	if have >= limit {
		return nil
	}
	path := filepath.Join(dir, prefix+crypto.Hash(n.Bytes).Short()+".evidence")
	if err := writeWhole(path, n.Bytes); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	return nil
}

// writeWhole gives the file its name when its content is synced: half a proof
// would count as one and convince nobody.
func writeWhole(path string, content []byte) error {
	// No evidence by its name yet, so that a crash leaves nothing that counts.
	f, err := os.Create(filepath.Join(filepath.Dir(path), "unfinished"))
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the room it took may be what the disk lacks
	}
	return err
}
