package sim

import (
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// A simulator that cannot fail proves nothing: each of these mistakes must be
// caught, by the checker that is there for it, within a few seeds.

// bent is an engine whose outputs are bent before the driver sees them.
type bent struct {
	consensus.Engine
	bend func(*consensus.Output)
}

func (b bent) Step(burst consensus.Burst) consensus.Output {
	out := b.Engine.Step(burst)
	b.bend(&out)
	return out
}

// bentProtocol makes bent engines.
type bentProtocol struct {
	consensus.Protocol
	bend func(*consensus.Output)
}

func (p bentProtocol) New(home consensus.Recovered) (consensus.Engine, error) {
	e, err := p.Protocol.New(home)
	return bent{Engine: e, bend: p.bend}, err
}

// bend wraps what replicas are built from; make is called once per life of each.
func bend(c Config, make func(protocol.Settings) func(*consensus.Output)) Config {
	build := registered(c.Protocol).New
	c.Build = func(s protocol.Settings) (consensus.Protocol, error) {
		p, err := build(s)
		return bentProtocol{Protocol: p, bend: make(s)}, err
	}
	return c
}

// bending bends the configurations of all seeds.
func bending(config func(uint64) Config, make func(protocol.Settings) func(*consensus.Output)) func(uint64) Config {
	return func(seed uint64) Config { return bend(config(seed), make) }
}

// registered is a protocol of this program.
func registered(name string) protocol.Protocol {
	p, err := protocol.Lookup(name)
	if err != nil {
		panic(err)
	}
	return p
}

// bite runs seeds until a violation shows that contains one of the texts.
func bite(t *testing.T, seeds int, config func(uint64) Config, texts ...string) {
	t.Helper()
	for seed := uint64(1); seed <= uint64(seeds); seed++ {
		for _, v := range run(t, config(seed)).Verdict.Violations {
			for _, text := range texts {
				if strings.Contains(v.String(), text) {
					t.Logf("caught with seed %d: %s", seed, strings.SplitN(v.Text, "\n", 2)[0])
					return
				}
			}
		}
	}
	t.Errorf("not caught in %d seeds: want a violation with %q", seeds, texts)
}

// crashing adds power losses to a seed.
func crashing(config func(uint64) Config) func(uint64) Config {
	return func(seed uint64) Config {
		c := config(seed)
		c.Disk.Sync = 300 * Millisecond
		c.Timing.Patience, c.Timing.Safety = 20, 8*Second
		c.Hazards = []Hazard{{Kind: hazardPowerLoss, Every: Second, Lasts: 100 * Millisecond}}
		return c
	}
}

// lawless records everything lazily, so that nothing waits for the disk.
func lawless(protocol.Settings) func(*consensus.Output) {
	return func(o *consensus.Output) {
		for i := range o.Records {
			o.Records[i].Lazy = true
		}
	}
}

// If nothing waits for the disk, a crash makes replicas forget what they said.
// etcd-raft notices some of it by itself: it is told of a state on disk that is
// beyond its log.
func TestTeethLawBroken(t *testing.T) {
	bite(t, 40, bending(crashing(raftConfig), lawless), ": fork:", ": lost:", ": contradiction:", "applied(")
	bite(t, 40, bending(crashing(WithoutTraitors), lawless), ": fork:", ": lost:", ": contradiction:")
}

// If two of four are a quorum, a partition makes two histories.
func TestTeethQuorum(t *testing.T) {
	bite(t, 20, func(seed uint64) Config {
		c := WithoutTraitors(seed)
		c.Replicas, c.Trust.Faults, c.Trust.Quorum = 4, 1, 2
		c.Timing.Patience, c.Timing.PatienceCap, c.Timing.Safety = 20, 40, 5*Second
		c.Hazards = []Hazard{{Kind: hazardPartition, Every: Second, Lasts: 2 * Second}}
		return c
	}, ": fork:")
}

// If replicas fall silent, nothing is answered any more.
func TestTeethNoProgress(t *testing.T) {
	bite(t, 2, bending(raftConfig, func(protocol.Settings) func(*consensus.Output) {
		steps := 0
		return func(o *consensus.Output) {
			if steps++; steps > 300 {
				o.Sends = nil
			}
		}
	}), "no progress")
}

// If one replica executes another batch than the others, it is a fork.
func TestTeethFork(t *testing.T) {
	bite(t, 5, bending(raftConfig, func(s protocol.Settings) func(*consensus.Output) {
		return func(o *consensus.Output) {
			for i, j := range o.Jobs {
				if c, ok := j.(consensus.Commit); ok && s.Self == 1 && c.Batch != nil && c.Seq%5 == 0 {
					c.Batch, c.Digest = nil, consensus.NullDigest
					o.Jobs[i] = c
				}
			}
		}
	}), ": fork:")
}

// If a replica executes something else than what was agreed, its digest is
// right and its state is not.
func TestTeethDivergence(t *testing.T) {
	bite(t, 5, bending(raftConfig, func(s protocol.Settings) func(*consensus.Output) {
		return func(o *consensus.Output) {
			for i, j := range o.Jobs {
				if c, ok := j.(consensus.Commit); ok && s.Self == 1 && c.Batch != nil {
					b := *c.Batch
					b.Stamp++
					c.Batch = &b
					o.Jobs[i] = c
				}
			}
		}
	}), "with digest", ": divergence:")
}

// If an engine writes to a frame that it has handed over, somebody else sees
// bytes that were never sent.
func TestTeethAliasing(t *testing.T) {
	bite(t, 2, bending(raftConfig, func(protocol.Settings) func(*consensus.Output) {
		var last []byte
		return func(o *consensus.Output) {
			if len(last) > 0 {
				last[len(last)-1]++
			}
			if len(o.Sends) > 0 {
				last = o.Sends[0].Bytes
			}
		}
	}), "changed")
}

// If the log is never cut, it grows without end.
func TestTeethGrowth(t *testing.T) {
	bite(t, 2, bending(raftConfig, func(protocol.Settings) func(*consensus.Output) {
		return func(o *consensus.Output) {
			for range 100 {
				o.Records = append(o.Records, consensus.Record{Slot: 1, Lazy: true, Bytes: []byte{99}})
			}
		}
	}), "records in its log")
}

// If a request enters history that nobody issued, it is not valid.
func TestTeethInvention(t *testing.T) {
	bite(t, 2, bending(raftConfig, func(s protocol.Settings) func(*consensus.Output) {
		return func(o *consensus.Output) {
			for i, j := range o.Jobs {
				if c, ok := j.(consensus.Commit); ok && c.Batch != nil {
					b := &consensus.Batch{Stamp: c.Batch.Stamp}
					b.Requests = append(b.Requests, consensus.SignRequest(s.Signer, s.Genesis.ID(), consensus.Sequence{Epoch: 1, Counter: 1}, [][]byte{{1}}))
					c.Batch, c.Digest = b, b.Digest()
					o.Jobs[i] = c
				}
			}
		}
	}), ": validity:")
}

// Shrinking leaves of a seed what its violation needs: here, nothing but time.
func TestShrink(t *testing.T) {
	c := raftConfig(10)
	bad := bend(c, func(s protocol.Settings) func(*consensus.Output) {
		return func(o *consensus.Output) {
			for i, j := range o.Jobs {
				if c, ok := j.(consensus.Commit); ok && s.Self == 0 && c.Batch != nil {
					c.Batch, c.Digest = nil, consensus.NullDigest
					o.Jobs[i] = c
				}
			}
		}
	})
	small, _ := Shrink(bad, 100)
	if len(small.Hazards) > 0 || small.Network.Loss > 0 || small.Workload.Clients > 1 {
		t.Errorf("shrunk to %s, network %+v", small.String(), small.Network)
	}
	if len(run(t, small).Violations) == 0 {
		t.Error("what was shrunk does not fail any more")
	}
	if same, _ := Shrink(c, 3); same.String() != c.String() {
		t.Errorf("a seed without violations was shrunk to %s", same.String())
	}
}
