package testnet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/files"
)

// Proof is a file with evidence, and what it proves by this cluster's genesis.
type Proof struct {
	Path    string
	Encoded []byte
	Fault   evidence.Fault // if Err is nil
	Err     error          // why it proves nothing
}

// evidenceSuffix ends the names of files with evidence.
const evidenceSuffix = ".evidence"

// ReadEvidence judges a file by a genesis alone. The error is that of reading;
// what the judgement was stands in the Proof.
func ReadEvidence(path string, g *consensus.Genesis) (Proof, error) {
	b, err := files.Read(path, evidence.MaxSize)
	if err != nil {
		return Proof{}, err
	}
	p := Proof{Path: path, Encoded: b}
	p.Fault, p.Err = evidence.Verify(g, b)
	return p, nil
}

// Evidence lists the proofs that the replicas have kept by themselves, by
// replica and name. They go with the data directory.
func (c *Cluster) Evidence() ([]Proof, error) {
	var all []Proof
	for i := range c.Size() {
		h, err := home.LoadConfig(c.Home(i), home.Overrides{Lookup: os.LookupEnv})
		if err != nil {
			return nil, err
		}
		dir := filepath.Join(h.DataDir(), "evidence")
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), evidenceSuffix) {
				continue
			}
			p, err := ReadEvidence(filepath.Join(dir, e.Name()), &c.Genesis)
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
	}
	return all, nil
}

// SaveEvidence writes one file per proof into a directory, which it makes if
// need be: the name has the culprit and the content's hash, so that a proof
// that several replicas have is written once. It answers the paths.
func SaveEvidence(dir string, entries []evidence.Entry) ([]string, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		path := filepath.Join(dir, proofName(&e))
		if err := files.Write(path, e.Encoded, 0o644); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// proofName names a file as the replicas do.
func proofName(e *evidence.Entry) string {
	return fmt.Sprintf("R%d-%s%s", e.Fault.Replica, crypto.Hash(e.Encoded).Short(), evidenceSuffix)
}
