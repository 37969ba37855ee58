package home

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/files"
	"quorate.dev/quorate/node"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/storage"
	"quorate.dev/quorate/transcript"
)

// Wrapper stands between a replica and everybody else. Package testnet makes
// its traitors by one; nothing that home imports has any.
type Wrapper struct {
	Protocol func(consensus.Protocol) consensus.Protocol   // wraps the protocol; nil = as it is
	Replies  func([]consensus.Reply) []consensus.Reply     // what clients are told in place of what was executed; nil = that
	Findings func([]consensus.Finding) []consensus.Finding // the same for what READs have found
}

// Run runs the home's replica in this process until ctx ends.
func (h *Home) Run(ctx context.Context, a app.Application) error {
	return h.RunWrapped(ctx, a, Wrapper{})
}

// RunWrapped is Run with a wrapper around the replica.
func (h *Home) RunWrapped(ctx context.Context, a app.Application, w Wrapper) error {
	// Before a transcript begins: one of another cluster, as after a genesis was
	// changed, would spoil the judging of this one for good.
	if _, err := h.Check(); err != nil {
		return err
	}
	if err := app.Suits(a, &h.Genesis); err != nil {
		return fmt.Errorf("%s: %w", h.GenesisFile(), err)
	}
	place, err := os.Stat(h.Dir)
	if err != nil {
		return err
	}
	log := h.Logger()
	c, err := h.nodeConfig(a, log)
	if err != nil {
		return err
	}
	if w.Protocol != nil {
		c.Protocol = w.Protocol(c.Protocol)
	}
	c.Replies, c.Findings = w.Replies, w.Findings
	stopRecord, err := h.record(&c, log)
	if err != nil {
		return err
	}
	defer stopRecord()
	n, err := node.Start(c)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, n.Stop)
	defer stop()
	gone := make(chan error, 1)
	quit := make(chan struct{})
	defer close(quit)
	go h.guard(quit, place, func(err error) {
		gone <- err
		n.Stop()
	})
	if len(h.Genesis.Replicas) > 1 {
		seconds := time.NewTicker(time.Second)
		defer seconds.Stop()
		go warnWhenAlone(quit, seconds.C, func() bool { return len(n.Report().Heard) <= 1 }, func() {
			log.Warn("no other member was heard for a while: do they run, at these addresses, with the same genesis?",
				"seconds", aloneSeconds, "cluster", h.Genesis.ID().Short(), "addresses", h.Addresses)
		})
	}
	err = n.Wait()
	select {
	case gone := <-gone:
		err = cmp.Or(err, gone)
	default:
	}
	return err
}

// guardEvery is how often a running home is looked for.
const guardEvery = time.Second

// guard tells of it if the home's directory is not the one any more that it was.
// Its data may lie elsewhere, and node looks for them; but without its home no
// replica can be stopped by who keeps its pid there, or started again.
func (h *Home) guard(quit <-chan struct{}, place os.FileInfo, tell func(error)) {
	ticks := time.NewTicker(guardEvery)
	defer ticks.Stop()
	for {
		select {
		case <-quit:
			return
		case <-ticks.C:
		}
		now, err := os.Stat(h.Dir)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(place, now) {
			tell(fmt.Errorf("%w: %s was removed, moved or replaced: put it back where it was, or start the replica where it is now", storage.ErrGone, h.Dir))
			return
		}
	}
}

// record lets a recorder look on, outermost: what it writes down is what was
// really said. It answers how to end the record once the replica has ended.
func (h *Home) record(c *node.Config, log *slog.Logger) (stop func(), err error) {
	if h.Config.Record.Level == RecordOff {
		return func() {}, nil
	}
	r, err := transcript.Record(c.Protocol, transcript.Config{
		Dir: h.TranscriptDir(), Genesis: &h.Genesis, Replica: c.Self,
		All: h.Config.Record.Level == RecordAll, Bytes: h.Config.Record.Bytes, Log: log,
	})
	if err != nil {
		return nil, err
	}
	c.Protocol, c.Witness, c.Replies = r, r, r.Replies(c.Replies)
	return r.Close, nil
}

// aloneSeconds is how long a replica may hear nobody before it says so.
const aloneSeconds = 10

// warnWhenAlone warns once each time that nobody was heard for so many ticks
// in a row: members of another cluster refuse each other without a word, and a
// wrong genesis looks like a network that is down.
func warnWhenAlone(quit <-chan struct{}, ticks <-chan time.Time, alone func() bool, warn func()) {
	for since := 0; ; {
		select {
		case <-quit:
			return
		case <-ticks:
		}
		if since++; !alone() {
			since = 0
		} else if since == aloneSeconds {
			warn()
		}
	}
}

// provenClaims is how many signatures are remembered as good, some 50 bytes each.
const provenClaims = 1 << 16

// unsavedBytes is how much may be kept before the trie's nodes are stored as well. Replicas
// count the same bytes, and would all do that at the same height; on machines that they
// share, and for clients of a quorum, it is better done by one after the other.
func unsavedBytes(replica int) int { return (9 - replica%4) * (4 << 20) }

// nodeConfig joins the home's settings with the protocol and the application.
func (h *Home) nodeConfig(a app.Application, log *slog.Logger) (node.Config, error) {
	// What completes a quorum is verified by the engine, and comes again in the
	// certificates of others, which the node opens.
	memory := node.NewMemory(provenClaims)
	engine, err := h.protocol(memory)
	if err != nil {
		return node.Config{}, err
	}
	c := &h.Config
	return node.Config{
		Protocol: engine, Genesis: h.Genesis, Self: consensus.ReplicaID(c.Replica), Seed: h.Seed, Memory: memory,
		Application: a,
		Disk: node.Disk{
			Data: h.DataDir(), Holder: h.Holder, SegmentBytes: c.Disk.SegmentBytes, Volatile: c.Disk.Volatile,
			State: state.Config{NodeCacheBytes: c.Disk.NodeCacheBytes, UnsavedBytes: unsavedBytes(c.Replica)},
		},
		Network: node.Network{Listen: c.Listen, Addresses: h.Addresses, Limits: h.limits()},
		Admin:   c.Admin, Tick: time.Duration(c.Engine.Tick), Log: log,
	}, nil
}

// electionShare is the part of the patience after which a silent leader is given
// up: with the default of two seconds, one second. Heartbeats come on their own,
// while requests wait for others; less would be quicker, but a loaded machine or
// a slow disk must not cost a leader its office.
const electionShare = 2

// protocol makes the engine's side of the home. Durations become ticks, which is
// all the time that an engine knows.
func (h *Home) protocol(memory crypto.Memory) (consensus.Protocol, error) {
	p, err := protocol.Of(h.Genesis)
	if err != nil {
		return nil, err
	}
	e := &h.Config.Engine
	ticks := func(d files.Duration) int { return int(d / e.Tick) }
	return p.New(protocol.Settings{
		Genesis: h.Genesis, Self: consensus.ReplicaID(h.Config.Replica),
		Signer: crypto.NewSigner(h.Seed), Verifier: crypto.NewVerifier(memory, h.Genesis.Replicas...),
		TickLength: consensus.Time(e.Tick), Patience: ticks(e.Patience), PatienceCap: ticks(e.PatienceCap),
		LeaderPatience: max(2, ticks(e.Patience)/electionShare), StatusEvery: ticks(e.StatusEvery),
		Pipeline: e.Pipeline, PendingCount: e.PendingCount, PendingBytes: e.PendingBytes,
	})
}

// Check goes as far as can be gone without starting: settings, genesis, key,
// and whether the data belong to this replica of this cluster. It changes
// nothing. The origin says what the home remembers.
func (h *Home) Check() (storage.Origin, error) {
	if _, err := h.protocol(nil); err != nil {
		return 0, err
	}
	origin, err := storage.Birth(h.DataDir(), h.identity())
	if errors.Is(err, storage.ErrForeign) {
		return 0, fmt.Errorf("the genesis or the replica number of %s does not fit its data: %w", h.Dir, err)
	}
	return origin, node.AdviseOnLog(err, &h.Genesis)
}

// identity is what the data must be of.
func (h *Home) identity() storage.Identity {
	return storage.Identity{Cluster: h.Genesis.ID(), Replica: consensus.ReplicaID(h.Config.Replica)}
}
