package sim

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/protocol"
)

// World is a cluster with its clients, network, disks and time.
type World struct {
	cfg        Config
	protocol   protocol.Protocol
	system     quorum.System
	codec      protocol.Codec
	genesis    consensus.Genesis
	keys       keys
	clock      clock
	net        *network
	replicas   []*replica
	bodies     []*replica // the replicas, and the second bodies of the twinned
	clients    []*client
	byKey      map[crypto.PublicKey]*client
	byzantines []*byzantineClient
	flooders   map[endpoint]*flooder // of traitors and Byzantine clients; nil if nobody floods
	quiet      bool                  // everything honest is answered: Byzantine clients stop
	over       bool                  // what clients accept from now on is not judged
	checks     *checks
	theory     theory
	isolation  isolation
	syncCut    syncCut
	losing     []*lostProposal
	pastPhases map[string]Phase // behaviours that were on, and what they met
	safetyEnd  consensus.Time   // of the safety phase
	live       bool             // everything was answered in the end
	stats      Stats
	history    history
	trace      trace
	tell       func(kind consensus.NoteKind, line string) // a script's; may be nil
}

// keys holds everybody's signer.
type keys struct {
	verifier   crypto.Verifier
	ring       *crypto.Keyring
	replicas   []crypto.Signer
	clients    []crypto.Signer
	byzantines []crypto.Signer
}

// Result is how a run ended.
type Result struct {
	Violations []Violation      // what theory does not allow for the run's configuration
	Verdict    check.Verdict    // everything
	Live       bool             // everything that was asked was answered, and the core is level
	Phases     map[string]Phase // of behaviours: what the honest were doing meanwhile
	Steps      uint64           // engine steps
	History    uint64           // a hash of everything that happened, in order
	Stats      Stats
}

// New makes a world before its first moment. It fails only if cfg makes no
// valid genesis.
func New(cfg Config) (*World, error) {
	w := &World{cfg: cfg, byKey: map[crypto.PublicKey]*client{}, trace: trace{out: cfg.Trace}, pastPhases: map[string]Phase{}}
	w.clock.now = startTime
	w.isolation = isolation{world: w, target: -1}
	w.syncCut = syncCut{world: w, target: -1}
	w.stats.Add(Stats{}) // makes its maps
	w.drawKeys()
	if err := w.createGenesis(); err != nil {
		return nil, fmt.Errorf("simulation %s: %w", cfg.String(), err)
	}
	w.checks = newChecks(w)
	w.net = newNetwork(&w.clock, cfg.Seed, cfg.Network, cfg.Replicas+cfg.Workload.Clients+len(cfg.Byzantines)+len(cfg.Twins), w.arrive)
	w.net.partly = w.arriving
	for i := range cfg.Replicas {
		dice := newStream(cfg.Seed, fmt.Sprintf("replica %d", i))
		r := &replica{world: w, id: consensus.ReplicaID(i), body: i, end: endpoint(i), dice: dice, disk: newDisk(dice, cfg.Disk), health: health{born: true}}
		r.pace = newStream(cfg.Seed, fmt.Sprintf("workers %d", i))
		r.tasks = newStream(cfg.Seed, fmt.Sprintf("tasks %d", i))
		r.offset = dice.duration(cfg.Timing.Skew) - cfg.Timing.Skew/2
		w.replicas = append(w.replicas, r)
	}
	for i := range cfg.Workload.Clients {
		c := newClient(w, i)
		w.clients = append(w.clients, c)
		w.byKey[c.signer.Public()] = c
	}
	if err := errors.Join(w.twin(), w.makeTraitors(), w.makeByzantines(), w.scheduleFaults()); err != nil {
		return nil, fmt.Errorf("simulation %s: %w", cfg.String(), err)
	}
	w.scheduleTraitors()
	w.scheduleSetBacks()
	return w, nil
}

// drawKeys makes everybody's keys: hashes under a shared ring, or now and then
// real ones, so that the simulated scheme cannot hide a mistake for long.
func (w *World) drawKeys() {
	dice := newStream(w.cfg.Seed, "keys")
	w.keys.ring = crypto.NewKeyring()
	signer := func() crypto.Signer {
		seed := [crypto.PrivateKeySize]byte(dice.bytes(crypto.PrivateKeySize))
		if w.cfg.RealKeys {
			return crypto.NewSigner(seed)
		}
		return crypto.NewSimSigner(w.keys.ring, seed)
	}
	for range w.cfg.Replicas {
		w.keys.replicas = append(w.keys.replicas, signer())
	}
	for range w.cfg.Workload.Clients {
		w.keys.clients = append(w.keys.clients, signer())
	}
	for range w.cfg.Byzantines {
		w.keys.byzantines = append(w.keys.byzantines, signer())
	}
	w.keys.verifier = crypto.NewSimVerifier(w.keys.ring)
	if w.cfg.RealKeys {
		w.keys.verifier = crypto.NewVerifier(crypto.NewMemory(1 << 14))
	}
}

// createGenesis makes the genesis.
func (w *World) createGenesis() error {
	var replicas []crypto.PublicKey
	for _, s := range w.keys.replicas {
		replicas = append(replicas, s.Public())
	}
	w.genesis = consensus.NewGenesis("simulation", w.cfg.Protocol, replicas)
	binary.BigEndian.PutUint64(w.genesis.Nonce[:], w.cfg.Seed) // that of seed 0 is a cluster that was made without
	if w.cfg.Application != nil {
		w.genesis.Application = w.cfg.Application.Name()
	}
	for _, s := range slices.Concat(w.keys.clients, w.keys.byzantines) {
		w.genesis.Clients = append(w.genesis.Clients, consensus.ClientEntry{Key: s.Public(), Role: consensus.RoleWriter})
	}
	w.genesis.CheckpointInterval, w.genesis.Window = w.cfg.Interval, w.cfg.Window
	w.genesis.Limits, w.genesis.Skew = w.cfg.Limits, w.cfg.Timing.Skew
	t := w.cfg.Trust
	w.genesis.Quorum, w.genesis.Faults, w.genesis.UnsafeDemo = t.Quorum, t.Assumed, t.Quorum != 0 || t.Assumed != 0
	if err := w.genesis.Validate(); err != nil {
		return err
	}
	var err error
	if w.protocol, err = protocol.Of(w.genesis); err != nil {
		return err
	}
	if w.system, err = w.protocol.Model.For(&w.genesis); err != nil {
		return err
	}
	if w.cfg.Build == nil {
		w.cfg.Build = w.protocol.New
	}
	w.codec, w.theory = w.protocol.Codec(w.genesis), w.cfg.theory(w.protocol.Model, w.system)
	return nil
}

// settings are what r's next life is built from. A number is drawn and not used:
// the histories of seeds hang on how many are.
func (w *World) settings(r *replica) protocol.Settings {
	r.dice.rng.Uint64()
	t := &w.cfg.Timing
	return protocol.Settings{
		Genesis: w.genesis, Self: r.id, Signer: w.keys.replicas[r.id], Verifier: w.keys.verifier,
		TickLength: t.Tick, Patience: t.Patience, PatienceCap: t.PatienceCap, LeaderPatience: cmp.Or(t.LeaderPatience, t.Patience),
		StatusEvery: max(1, t.Patience/8), RejoinEvery: 4 * t.Patience, CheckEachStep: true, Elections: t.Elections,
	}
}

// guard turns a panic into a violation: a broken invariant of the code under
// test is a finding like any other, and must name its seed.
func (w *World) guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			w.violate("panic: %v (%s)", p, culprits(debug.Stack()))
		}
	}()
	f()
}

// module begins the names of this module's functions.
const module = "quorate.dev/quorate/"

// culprits lists the functions of this module that a panic came through,
// innermost first, but for the simulator's own.
func culprits(stack []byte) string {
	var names []string
	for line := range strings.Lines(string(stack)) {
		name, _, ok := strings.Cut(line, "(0x")
		if !ok {
			name, _, ok = strings.Cut(line, "({")
		}
		if ok && strings.HasPrefix(name, module) && !strings.HasPrefix(name, module+"sim") && len(names) < 8 {
			names = append(names, strings.TrimPrefix(name, module))
		}
	}
	return strings.Join(names, " < ")
}
