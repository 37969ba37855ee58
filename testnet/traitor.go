package testnet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Corruption is byzantine.toml in a home: what makes a traitor of its replica.
// The home of an honest one has no such file. The running process follows it.
type Corruption struct {
	Behaviours []string     `toml:"behaviours" comment:"as quorate byzantine list names them; followed while the replica runs"`
	Gang       []Accomplice `toml:"gang,omitempty" comment:"read when the replica starts"`
}

// Accomplice is a member of a gang: its key, which the others sign with.
type Accomplice struct {
	Replica int    `toml:"replica"`
	Key     string `toml:"key" comment:"a path from this home"`
}

// Names of the files in a traitor's home.
const (
	corruptionName = "byzantine.toml"
	obeyedName     = "byzantine.obeyed" // what the running process obeys
)

// corruptionHeading stands above the keys.
const corruptionHeading = `# THIS REPLICA IS A TRAITOR. It lies to the cluster, for tests and
# demonstrations: never keep this file where anybody relies on the cluster.
# It is quorate testnet corrupt that writes it and quorate testnet heal that
# removes it. A gang reads the private keys of all its members.

`

// parseAll reads behaviours.
func parseAll(texts []string) ([]byzantine.Spec, error) {
	var all []byzantine.Spec
	for _, text := range texts {
		s, err := byzantine.Parse(text)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// readCorruption reads a home's file; nil, without an error, if there is none.
func (h *Home) readCorruption() (*Corruption, error) {
	var c Corruption
	err := readTOML(h.path(corruptionName), &c)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err := parseAll(c.Behaviours); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, h.path(corruptionName), err)
	}
	return &c, nil
}

// Behaviours are what the home asks for; none if its replica is honest.
func (h *Home) Behaviours() ([]string, error) {
	c, err := h.readCorruption()
	if err != nil || c == nil {
		return nil, err
	}
	return c.Behaviours, nil
}

// env is what the replica has if it turns traitor. With a corruption it has the
// keys of its gang too.
func (h *Home) env(c *Corruption) (byzantine.Env, error) {
	id := h.Genesis.ID()
	e := byzantine.Env{
		Genesis: h.Genesis, Self: consensus.ReplicaID(h.Config.Replica), Signer: crypto.NewSigner(h.Seed),
		Patience: int(h.Config.Engine.Patience / h.Config.Engine.Tick), Seed: binary.BigEndian.Uint64(id[:]),
	}
	if c == nil {
		return e, nil
	}
	for _, a := range c.Gang {
		if a.Replica < 0 || a.Replica >= len(h.Genesis.Replicas) {
			return e, fmt.Errorf("%w: %s: gang: no replica %d", ErrFile, h.path(corruptionName), a.Replica)
		}
		seed, err := ReadKey(h.path(a.Key), func() (string, error) { return os.Getenv("QUORATE_PASSPHRASE"), nil })
		if err != nil {
			return e, fmt.Errorf("gang: %w", err)
		}
		if crypto.PublicOf(seed) != h.Genesis.Replicas[a.Replica] {
			return e, fmt.Errorf("%w: gang: key file %s is not replica %d's", ErrFile, h.path(a.Key), a.Replica)
		}
		e.Gang = append(e.Gang, byzantine.Member{Replica: consensus.ReplicaID(a.Replica), Signer: crypto.NewSigner(seed)})
	}
	return e, nil
}

// master is whom a replica serves: nobody, or the plan that its home has now.
type master struct {
	home *Home
	env  byzantine.Env
	plan atomic.Pointer[byzantine.Plan]
	text []byte // of the file, as it was read last; nil = no file
	vain bool   // ... and it made no plan
	log  *slog.Logger
}

// newMaster reads the home. That a traitor cannot be made is an error at the
// start, and only a warning later.
func (h *Home) newMaster(log *slog.Logger) (*master, error) {
	c, err := h.readCorruption()
	if err != nil {
		return nil, err
	}
	m := &master{home: h, log: log}
	if m.env, err = h.env(c); err != nil {
		return nil, err
	}
	return m, m.obey()
}

// current is the plan of this moment.
func (m *master) current() *byzantine.Plan { return m.plan.Load() }

// obey takes over what the file says, if it says something new.
func (m *master) obey() error {
	text, err := readBounded(m.home.path(corruptionName), maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !bytes.Equal(text, m.text) || (text == nil) != (m.text == nil) {
		m.text, m.vain = text, true
		if err := m.adopt(); err != nil {
			return err
		}
		m.vain = false
	}
	if m.vain {
		return nil
	}
	return m.acknowledge()
}

// adopt makes the file's plan the current one.
func (m *master) adopt() error {
	c, err := m.home.readCorruption()
	if err != nil {
		return err
	}
	if c == nil {
		m.log.Info("this replica is honest again")
		m.plan.Store(nil)
		return nil
	}
	specs, err := parseAll(c.Behaviours)
	if err != nil {
		return err
	}
	p, err := m.env.Plan(specs...)
	if err != nil {
		return err
	}
	m.log.Warn("this replica is a traitor", "behaviours", strings.Join(c.Behaviours, ", "), "gang", len(c.Gang))
	m.plan.Store(p)
	return nil
}

// acknowledge tells who wrote the file that its words are in force.
func (m *master) acknowledge() error {
	path := m.home.path(obeyedName)
	told, err := readBounded(path, maxFile)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case m.text == nil && told == nil:
		return nil
	case m.text == nil:
		return os.Remove(path)
	case bytes.Equal(told, m.text):
		return nil
	}
	return writeFile(path, m.text, 0o600)
}

// followEvery is how often a running process looks into its file.
const followEvery = 200 * time.Millisecond

// follow obeys until ctx ends. A file that makes no plan is told once, and the
// plan before goes on.
func (m *master) follow(ctx context.Context) {
	ticks := time.NewTicker(followEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if err := m.obey(); err != nil {
			m.log.Warn("no new plan for this traitor", "error", err)
		}
	}
}

// turn makes a protocol that does what the master says.
func (m *master) turn(p consensus.Protocol) consensus.Protocol {
	return byzantine.New(p, m.env, m.current)
}
