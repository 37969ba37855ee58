package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/files"
)

// ErrTraitor: what was asked for is no behaviour that this replica can have.
var ErrTraitor = errors.New("no traitor can be made")

// Corrupt makes a traitor of replica i, or gives it other behaviours (see
// catalogue.Parse); no behaviour at all is an error, Heal takes them away. It
// writes the manifest and the home, and returns when the running process obeys.
// Behaviours that concern how an engine is made restart the process. A replica
// that does not run is a traitor from its next start on.
func (c *Cluster) Corrupt(i int, behaviours []string) error {
	if len(behaviours) == 0 {
		return fmt.Errorf("%w of replica %d: no behaviour was named", ErrTraitor, i)
	}
	return c.turn(i, behaviours)
}

// Heal makes replica i honest from now on, in the way of Corrupt. What it said
// before stays said. An honest replica is left as it is.
func (c *Cluster) Heal(i int) error { return c.turn(i, nil) }

// Collude makes a gang of the given replicas: those of them that have
// behaviours share their private keys, and restart if they run. An empty gang
// ends one. Callers: before Corrupt, or before Up.
func (c *Cluster) Collude(gang []int) error {
	if err := c.checkGang(gang); err != nil {
		return fmt.Errorf("%w: %w", ErrTraitor, err)
	}
	release, err := c.hold()
	if err != nil {
		return err
	}
	defer release()
	if err := c.reload(); err != nil {
		return err
	}
	c.Manifest.Gang = slices.Clone(gang)
	if err := c.save(); err != nil {
		return err
	}
	for i := range c.Size() {
		if err := c.reach(i); err != nil {
			return err
		}
	}
	return nil
}

// checkGang says what is wrong with a gang.
func (c *Cluster) checkGang(gang []int) error {
	for k, i := range gang {
		if err := c.Has(i); err != nil {
			return err
		}
		if slices.Contains(gang[:k], i) {
			return fmt.Errorf("replica %d stands twice", i)
		}
	}
	if len(gang) == 1 {
		return fmt.Errorf("replica %d alone is no gang", gang[0])
	}
	return nil
}

// turn gives replica i these behaviours.
func (c *Cluster) turn(i int, behaviours []string) error {
	if err := c.Has(i); err != nil {
		return err
	}
	if err := c.possible(i, behaviours); err != nil {
		return err
	}
	release, err := c.hold()
	if err != nil {
		return err
	}
	defer release()
	if err := c.reload(); err != nil {
		return err
	}
	c.Manifest.Replicas[i].Byzantine = slices.Clone(behaviours)
	if err := c.save(); err != nil {
		return err
	}
	return c.reach(i)
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
	h, err := c.LoadHome(i)
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

// reload reads the manifest anew: another command may have changed it. Called
// with the hold.
func (c *Cluster) reload() error {
	fresh, err := Open(c.Dir)
	if err == nil {
		c.Manifest = fresh.Manifest
	}
	return err
}

// reach brings what the manifest says of replica i to its home and to its
// process. Called with the hold.
func (c *Cluster) reach(i int) error {
	before, err := readTraitor(c.Home(i))
	if err != nil {
		before = &traitorFile{Coalition: []accomplice{{Replica: -1}}} // not readable: begin anew
	}
	if err := c.writeTraitor(i); err != nil {
		return err
	}
	after, err := readTraitor(c.Home(i))
	if err != nil {
		return err
	}
	p, err := find(c.path(c.Manifest.Replicas[i].Pid))
	if err != nil || p == nil {
		return err
	}
	if !before.restarts(after) {
		return c.awaitObeyed(i, p)
	}
	if err := c.stopAll([]int{i}); err != nil {
		return err
	}
	if _, err := c.start(i); err != nil {
		return err
	}
	return c.survives(context.Background(), i)
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
	return a.born() || b.born() || to != nil && !slices.Equal(a.Coalition, b.Coalition)
}

// born reports a behaviour that is put on when the replica starts.
func (t *traitorFile) born() bool {
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
	behaviours := c.Manifest.Replicas[i].Byzantine
	if len(behaviours) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if !slices.Contains(c.Manifest.Turned, i) {
		c.Manifest.Turned = append(c.Manifest.Turned, i)
		if err := c.save(); err != nil {
			return err
		}
	}
	t := traitorFile{Behaviours: behaviours}
	if slices.Contains(c.Manifest.Gang, i) {
		for _, member := range c.Manifest.Gang {
			h, err := home.LoadConfig(c.Home(member), home.Overrides{})
			if err != nil {
				return err
			}
			key, err := filepath.Rel(c.Home(i), h.KeyFile())
			if err != nil {
				return fmt.Errorf("gang: %w", err)
			}
			t.Coalition = append(t.Coalition, accomplice{Replica: member, Key: key})
		}
	}
	return files.WriteTOML(path, traitorHeading, 0o600, t)
}

// obeyWithin bounds how long a running process may take to obey.
const obeyWithin = 30 * time.Second

// awaitObeyed waits until the process of replica i obeys what its home says. One
// that is paused obeys when it goes on.
func (c *Cluster) awaitObeyed(i int, p *process) error {
	want, obeyed := filepath.Join(c.Home(i), traitorName), filepath.Join(c.Home(i), obeyedName)
	for end := time.Now().Add(obeyWithin); condition(p.pid) == Running; time.Sleep(10 * time.Millisecond) {
		a, errA := os.ReadFile(want)
		b, errB := os.ReadFile(obeyed)
		if bytes.Equal(a, b) && errors.Is(errA, fs.ErrNotExist) == errors.Is(errB, fs.ErrNotExist) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("replica %d was told, but does not obey: %s", i, c.lastWord(i))
		}
	}
	return nil
}

// Behaviours are what the home of replica i asks for at the moment; none for an
// honest one.
func (c *Cluster) Behaviours(i int) []string {
	if !c.Genesis.Testnet {
		return nil
	}
	all, err := Behaviours(c.Home(i))
	if err != nil {
		return []string{"? " + brief(err)}
	}
	return all
}
