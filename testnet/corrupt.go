package testnet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/files"
)

// ErrTraitor: what was asked for is no behaviour that this replica can have.
var ErrTraitor = errors.New("no traitor can be made")

// Corrupt makes a traitor of replica i, or gives it other behaviours (see
// catalogue.Parse); no behaviour at all is an error, Heal takes them away. It
// writes the manifest and the home, and returns when the running process follows.
// Behaviours that concern how an engine is made restart the process. A replica
// that does not run is a traitor from its next start on.
func (c *Cluster) Corrupt(i int, behaviours []string) error {
	if len(behaviours) == 0 {
		return fmt.Errorf("%w of replica %d: no behaviour was named", ErrTraitor, i)
	}
	return c.behave(i, behaviours)
}

// Heal makes replica i honest from now on, in the way of Corrupt. What it said
// before stays said. An honest replica is left as it is.
func (c *Cluster) Heal(i int) error { return c.behave(i, nil) }

// Collude makes a coalition of the given replicas: those of them that have
// behaviours share their private keys, and restart if they run. An empty
// coalition ends one. Callers: before Corrupt, or before Up.
func (c *Cluster) Collude(coalition []int) error {
	if err := c.checkCoalition(coalition); err != nil {
		return fmt.Errorf("%w: %w", ErrTraitor, err)
	}
	return c.rewrite(func(m *Manifest) { m.Coalition = slices.Clone(coalition) }, c.all()...)
}

// rewrite changes the manifest, and brings what it says then to replicas.
func (c *Cluster) rewrite(change func(*Manifest), replicas ...int) error {
	return c.alone(func() error {
		change(&c.Manifest)
		for _, i := range replicas {
			if err := c.mayApply(i); err != nil {
				return err
			}
		}
		if err := c.save(); err != nil {
			return err
		}
		for _, i := range replicas {
			if err := c.apply(i); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkCoalition says what is wrong with a coalition.
func (c *Cluster) checkCoalition(members []int) error {
	for k, i := range members {
		if err := c.Has(i); err != nil {
			return err
		}
		if slices.Contains(members[:k], i) {
			return fmt.Errorf("replica %d is given twice", i)
		}
	}
	if len(members) == 1 {
		return fmt.Errorf("replica %d alone cannot collude", members[0])
	}
	return nil
}

// behave gives replica i these behaviours.
func (c *Cluster) behave(i int, behaviours []string) error {
	if err := c.Has(i); err != nil {
		return err
	}
	if err := c.possible(i, behaviours); err != nil {
		return err
	}
	return c.rewrite(func(m *Manifest) { m.Replicas[i].Byzantine = slices.Clone(behaviours) }, i)
}

// possible judges behaviours before anything is written.
func (c *Cluster) possible(i int, behaviours []string) error {
	specs, err := parseAll(behaviours)
	if err != nil {
		return fmt.Errorf("%w of replica %d: %w", ErrTraitor, i, err)
	}
	if len(behaviours) > 0 && !c.Genesis.Testnet {
		return fmt.Errorf("%w of replica %d: the genesis in %s does not say testnet = true: make a testnet with `quorate testnet up` in another --dir", ErrTraitor, i, c.Dir)
	}
	for _, s := range specs {
		if err := s.Profile.Fits(c.Genesis.Protocol); err != nil {
			return fmt.Errorf("%w: %w", ErrTraitor, err)
		}
	}
	h, err := c.replica(i).load()
	if err != nil {
		return err
	}
	e, err := envOf(h, nil)
	if err != nil {
		return err
	}
	if _, err := e.Plan(specs...); err != nil {
		return fmt.Errorf("%w: %w", ErrTraitor, err)
	}
	return nil
}

// mayApply refuses, before anything is written, what needs a restart of replica i
// that would fail.
func (c *Cluster) mayApply(i int) error {
	before, after, err := c.change(i)
	if err != nil || !before.restarts(after) {
		return err
	}
	p, err := c.replica(i).process()
	if err != nil || p == nil {
		return err
	}
	return c.suits()
}

// change is what the home of replica i says, and what it is to say by the
// manifest.
func (c *Cluster) change(i int) (before, after *traitorFile, err error) {
	before, err = readTraitor(c.Home(i))
	if err != nil {
		before = &traitorFile{Coalition: []accomplice{{Replica: -1}}} // not readable: begin anew
	}
	after, err = c.traitor(i)
	return before, after, err
}

// apply brings what the manifest says of replica i to its home and to its
// process. Called with the hold.
func (c *Cluster) apply(i int) error {
	r := c.replica(i)
	before, after, err := c.change(i)
	if err != nil {
		return err
	}
	if err := c.writeTraitor(i); err != nil {
		return err
	}
	p, err := r.process()
	if err != nil || p == nil {
		return err
	}
	if !before.restarts(after) {
		return r.follows(p)
	}
	return c.cycle(i, asItIs)
}

// restarts reports whether a running process must start again to change from
// one file to the other.
func (t *traitorFile) restarts(to *traitorFile) bool {
	var a, b traitorFile
	if t != nil {
		a = *t
	}
	if to != nil {
		b = *to
	}
	// An honest process has no keys but its own, whatever coalition it leaves.
	return a.atStart() || b.atStart() || to != nil && !slices.Equal(a.Coalition, b.Coalition)
}

// atStart reports a behaviour that counts from the start of the replica on.
func (t *traitorFile) atStart() bool {
	specs, _ := parseAll(t.Behaviours)
	for _, s := range specs {
		if s.Profile.AtStart() {
			return true
		}
	}
	return false
}

// writeTraitor makes the home of replica i say what the manifest says: the
// manifest is what people edit, and it counts at every start. Who was a traitor
// once is remembered. Called with the hold.
func (c *Cluster) writeTraitor(i int) error {
	path := filepath.Join(c.Home(i), traitorName)
	t, err := c.traitor(i)
	if err != nil {
		return err
	}
	if t == nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if !slices.Contains(c.Manifest.Traitors, i) {
		c.Manifest.Traitors = append(c.Manifest.Traitors, i)
		if err := c.save(); err != nil {
			return err
		}
	}
	return files.WriteTOML(path, traitorHeading, 0o600, *t)
}

// traitor is what the manifest says of replica i; nil if it is honest.
func (c *Cluster) traitor(i int) (*traitorFile, error) {
	t := &traitorFile{Behaviours: c.Manifest.Replicas[i].Byzantine}
	if len(t.Behaviours) == 0 {
		return nil, nil
	}
	if slices.Contains(c.Manifest.Coalition, i) {
		for _, member := range c.Manifest.Coalition {
			h, err := home.LoadConfig(c.Home(member), home.Overrides{})
			if err != nil {
				return nil, err
			}
			key, err := filepath.Rel(c.Home(i), h.KeyFile())
			if err != nil {
				return nil, fmt.Errorf("gang: %w", err)
			}
			t.Coalition = append(t.Coalition, accomplice{Replica: member, Key: key})
		}
	}
	return t, nil
}

// Behaviours are what the home of replica i asks for at the moment; none for an
// honest one.
func (c *Cluster) Behaviours(i int) []string {
	if !c.Genesis.Testnet {
		return nil
	}
	all, err := Behaviours(c.Home(i))
	if err != nil {
		return []string{"invalid " + traitorName}
	}
	return all
}
