package testnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/files"
)

// traitorFile is byzantine.toml in a home: how its replica lies. The home of an
// honest one has no such file. A process that RunTraitor runs follows it; to
// every other process it means nothing.
type traitorFile struct {
	Behaviours []string     `toml:"behaviours" comment:"as quorate byzantine list names them; followed while the replica runs"`
	Coalition  []accomplice `toml:"gang,omitempty" comment:"read when the replica starts"`
}

// accomplice is a member of a coalition: its key, which the others sign with.
type accomplice struct {
	Replica int    `toml:"replica"`
	Key     string `toml:"key" comment:"a path from this home"`
}

// Names of the files in a traitor's home.
const (
	traitorName = "byzantine.toml"
	obeyedName  = "byzantine.obeyed" // what the running process follows
)

// traitorHeading stands above the keys.
const traitorHeading = `# THIS REPLICA IS A TRAITOR. It lies to the cluster, for tests and
# demonstrations: never keep this file where anybody relies on the cluster.
# It is quorate testnet corrupt that writes it and quorate testnet heal that
# removes it. A gang reads the private keys of all its members.

`

// parseAll reads behaviours.
func parseAll(texts []string) ([]byzantine.Spec, error) {
	var all []byzantine.Spec
	for _, text := range texts {
		s, err := catalogue.Parse(text)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// readTraitor reads the file of a home; nil, without an error, if there is none.
func readTraitor(dir string) (*traitorFile, error) {
	path := filepath.Join(dir, traitorName)
	var t traitorFile
	err := files.ReadTOML(path, &t)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err := parseAll(t.Behaviours); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", files.ErrInvalid, path, err)
	}
	return &t, nil
}

// Behaviours are how the home in dir asks its replica to lie; none if it is honest.
func Behaviours(dir string) ([]string, error) {
	t, err := readTraitor(dir)
	if err != nil || t == nil {
		return nil, err
	}
	return t.Behaviours, nil
}

// envOf is what a home's replica has if it turns traitor: its own key, and those
// of its coalition.
func envOf(h *home.Home, t *traitorFile) (byzantine.Env, error) {
	id := h.Genesis.ID()
	e := byzantine.Env{
		Genesis: h.Genesis, Self: consensus.ReplicaID(h.Config.Replica), Signer: crypto.NewSigner(h.Seed),
		Patience: int(h.Config.Engine.Patience / h.Config.Engine.Tick), Seed: binary.BigEndian.Uint64(id[:]),
	}
	if t == nil {
		return e, nil
	}
	for _, a := range t.Coalition {
		if a.Replica < 0 || a.Replica >= len(h.Genesis.Replicas) {
			return e, fmt.Errorf("%w: %s: gang: no replica %d", files.ErrInvalid, filepath.Join(h.Dir, traitorName), a.Replica)
		}
		path := a.Key
		if !filepath.IsAbs(path) {
			path = filepath.Join(h.Dir, path)
		}
		seed, err := home.ReadKey(path, envPassphrase)
		if err != nil {
			return e, fmt.Errorf("gang: %w", err)
		}
		if crypto.PublicOf(seed) != h.Genesis.Replicas[a.Replica] {
			return e, fmt.Errorf("%w: gang: key file %s is not replica %d's", files.ErrInvalid, path, a.Replica)
		}
		e.Coalition = append(e.Coalition, byzantine.Member{Replica: consensus.ReplicaID(a.Replica), Signer: crypto.NewSigner(seed)})
	}
	return e, nil
}

// envPassphrase is the passphrase that processes without a terminal have.
func envPassphrase() (string, error) { return os.Getenv("QUORATE_PASSPHRASE"), nil }
