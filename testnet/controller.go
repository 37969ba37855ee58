package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/files"
)

// RunTraitor runs a home's replica as home.Run does, and lets it lie as long and
// as far as byzantine.toml in its home says: without that file it is honest. It
// refuses, with ErrTraitor, a home whose genesis is not a testnet's.
func RunTraitor(ctx context.Context, h *home.Home, a app.Application) error {
	if !h.Genesis.Testnet {
		return fmt.Errorf("%w of %s: its genesis does not say testnet = true, and cluster %s cannot change that: run the replica without --traitor",
			ErrTraitor, h.Dir, h.Genesis.ID().Short())
	}
	k, err := newController(h)
	if err != nil {
		return err
	}
	follow, leave := context.WithCancel(ctx)
	defer leave()
	go k.follow(follow)
	filter := byzantine.NewReplyFilter(k.env, k.current)
	return h.RunWrapped(ctx, a, home.Wrapper{Protocol: k.wrap, Replies: filter.Apply, Findings: filter.Findings})
}

// controller keeps the behaviours of a replica at what its home asks for.
type controller struct {
	dir     string
	env     byzantine.Env
	plan    atomic.Pointer[byzantine.Plan]
	text    []byte // of the file, as it was read last; nil = no file
	invalid bool   // ... and it made no plan
	log     *slog.Logger
}

// newController reads the home. That a traitor cannot be made is an error at the
// start, and only a warning later.
func newController(h *home.Home) (*controller, error) {
	t, err := readTraitor(h.Dir)
	if err != nil {
		return nil, err
	}
	k := &controller{dir: h.Dir, log: h.Logger()}
	if k.env, err = envOf(h, t); err != nil {
		return nil, err
	}
	return k, k.reload()
}

// wrap makes a protocol that lies by the plan of the moment.
func (k *controller) wrap(p consensus.Protocol) consensus.Protocol {
	return byzantine.New(p, k.env, k.current)
}

// current is the plan of this moment.
func (k *controller) current() *byzantine.Plan { return k.plan.Load() }

// reload takes over what the file says, if it says something new.
func (k *controller) reload() error {
	text, err := files.Read(filepath.Join(k.dir, traitorName), files.MaxSize)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !bytes.Equal(text, k.text) || (text == nil) != (k.text == nil) {
		k.text, k.invalid = text, true
		if err := k.adopt(); err != nil {
			return err
		}
		k.invalid = false
	}
	if k.invalid {
		return nil
	}
	return k.acknowledge()
}

// adopt makes the file's plan the current one.
func (k *controller) adopt() error {
	t, err := readTraitor(k.dir)
	if err != nil {
		return err
	}
	if t == nil {
		k.log.Info("this replica is honest again")
		k.plan.Store(nil)
		return nil
	}
	specs, err := parseAll(t.Behaviours)
	if err != nil {
		return err
	}
	p, err := k.env.Plan(specs...)
	if err != nil {
		return err
	}
	k.log.Warn("this replica is a traitor", "behaviours", strings.Join(t.Behaviours, ", "), "gang", len(t.Coalition))
	k.plan.Store(p)
	return nil
}

// acknowledge tells who wrote the file that it is in force.
func (k *controller) acknowledge() error {
	path := filepath.Join(k.dir, obeyedName)
	told, err := files.Read(path, files.MaxSize)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case k.text == nil && told == nil:
		return nil
	case k.text == nil:
		return os.Remove(path)
	case bytes.Equal(told, k.text):
		return nil
	}
	return files.Write(path, k.text, 0o600)
}

// followEvery is how often a running process looks into its file.
const followEvery = 200 * time.Millisecond

// follow reloads until ctx ends. A file that makes no plan is logged once, and
// the plan before goes on.
func (k *controller) follow(ctx context.Context) {
	ticks := time.NewTicker(followEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if err := k.reload(); err != nil {
			k.log.Warn("no new plan for this traitor", "error", err)
		}
	}
}
