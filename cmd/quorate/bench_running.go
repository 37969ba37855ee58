package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/experiment/bench"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/testnet"
)

// runOne measures the cluster that is there, or a new one.
func runOne(c *cli.Context, p *bench.Plan) error {
	fresh := c.Bool("temporary") || c.Bool("volatile")
	if !fresh && !c.IsSet("genesis") {
		cluster, err := openCluster(c)
		fresh = errors.Is(err, testnet.ErrNoCluster) && !c.IsSet("dir") || err == nil && !cluster.Answers(c.Context)
		if err != nil && !fresh {
			return err
		}
		if !fresh {
			noteIgnored(c, cluster, "protocol", "replicas", "faults")
			if err := c.Set("key", cmp.Or(c.Path("key"), cluster.BenchKey())); err != nil {
				return err
			}
		}
	}
	if fresh {
		if err := checkFresh(c); err != nil {
			return err
		}
		p.Sides = []bench.Side{{Measure: func(_ context.Context, m bench.Measurement) (bench.Result, error) { return temporary(c, m) }}}
		return carryOut(c, p)
	}
	return withAccess(c, func(a *access) error {
		g := &a.genesis
		if err := runsStore(g); err != nil && p.Loads[0].Operation == nil {
			return fmt.Errorf("%w; or give --operation", err)
		}
		for i := range p.Loads {
			if err := p.Loads[i].Check(&g.Limits); err != nil {
				return usageError("%w", err)
			}
			p.Loads[i].Protocol, p.Loads[i].Replicas = g.Protocol, len(g.Replicas)
		}
		return a.withClient(c.Context, p.Loads[0].Session(), func(cl *client.Client) error {
			target := bench.Target{Sessions: []bench.Session{{Invoker: cl, Reads: client.Unordered{Reader: cl}}}, Local: a.local}
			if a.history != "" {
				h := a.told(cl)
				defer func() { _ = h.Close() }()
				target.Told = h
			}
			hangUp, err := a.moreSessions(c, &p.Loads[0], &target)
			if err != nil {
				return err
			}
			defer hangUp()
			return explainSilence(c, measure(c, p, target))
		})
	})
}

// moreSessions gives a target the sessions that a measurement wants beyond the first:
// with free keys of the cluster on this machine, or with new ones where any is admitted.
func (a *access) moreSessions(c *cli.Context, m *bench.Measurement, target *bench.Target) (hangUp func(), err error) {
	var claims []*testnet.Claim
	release := func() {
		for _, claim := range claims {
			claim.Release()
		}
	}
	var configs []client.Config
	add := func(seed home.Seed) *client.Config {
		configs = append(configs, client.Config{Genesis: &a.genesis, Key: seed, Addresses: a.addresses})
		return &configs[len(configs)-1]
	}
	wanted := m.Sessions - 1
	switch {
	case a.genesis.OpenClients:
		seeds, err := bench.Keys(wanted)
		if err != nil {
			return nil, err
		}
		for _, seed := range seeds {
			add(seed)
		}
	case a.local != nil:
		for _, file := range a.local.ClientKeys() {
			claim, err := testnet.ClaimKey(file)
			if len(configs) == wanted || err != nil {
				claim.Release()
				continue // another command's
			}
			claims = append(claims, claim)
			seed, err := home.ReadKey(file, passphrase(c))
			if err != nil {
				release()
				return nil, err
			}
			testnet.Remember(add(seed), file)
		}
	}
	if len(configs) < wanted {
		release()
		return nil, usageError("--sessions %d: there are free keys for %d, and the cluster admits no new ones; --temporary has as many as you like", m.Sessions, len(configs)+1)
	}
	more, end, err := m.Dial(c.Context, configs)
	if err != nil {
		release()
		return nil, err
	}
	target.Sessions = append(target.Sessions, more...)
	return func() { end(); release() }, nil
}

// measure prints what was measured, also of a cluster that answered nothing, and
// removes what it has stored.
func measure(c *cli.Context, p *bench.Plan, target bench.Target) error {
	p.Sides = []bench.Side{{Measure: func(ctx context.Context, m bench.Measurement) (bench.Result, error) {
		note("%v", m)
		return m.Run(ctx, target)
	}}}
	err := carryOut(c, p)
	if errors.Is(err, bench.ErrSilent) || errors.Is(err, session.ErrOlder) || p.Loads[0].Operation != nil {
		return err
	}
	return errors.Join(err, removeKeys(c, target.Sessions[0]))
}

// sweepInterrupted is how long a sweep may take when somebody waits for the end of the
// command.
const sweepInterrupted = 600 * time.Millisecond

// removeKeys removes what was stored, also after an interruption, or says what is left.
func removeKeys(c *cli.Context, cl client.Invoker) error {
	defer tidies(c)()
	ctx := c.Context
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), sweepInterrupted)
		defer cancel()
	}
	err := bench.Sweep(ctx, client.KV{Invoker: cl})
	if errors.Is(err, bench.ErrNotSwept) {
		return fmt.Errorf("%w: %s removes them", err, advice(c, "bench --sweep"))
	}
	return err
}

// sweepOnly removes what measurements have left that could not do so themselves.
func sweepOnly(c *cli.Context) error {
	if err := checkSweep(c); err != nil {
		return err
	}
	if !c.IsSet("genesis") {
		cluster, err := openCluster(c)
		if err != nil {
			return err
		}
		if err := c.Set("key", cmp.Or(c.Path("key"), cluster.BenchKey())); err != nil {
			return err
		}
	}
	return withAccess(c, func(a *access) error {
		if err := runsStore(&a.genesis); err != nil {
			return err
		}
		return a.withClient(c.Context, session.Config{}, func(cl *client.Client) error { return removeKeys(c, cl) })
	})
}

// explainSilence says what to do when a cluster does not answer a measurement.
func explainSilence(c *cli.Context, err error) error {
	if !errors.Is(err, bench.ErrSilent) {
		return err
	}
	return unreachable("%w; %s shows why", err, advice(c, "status"))
}
