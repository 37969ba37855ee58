package spec

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/byzantine/catalogue"
	byzclient "quorate.dev/quorate/byzantine/client"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// ProfileRuns is a profile of the catalogue in many runs, each from another seed.
type ProfileRuns struct {
	Protocol  string // as package protocol names it; "" = PBFT
	Behaviour string // a behaviour with its parameters, as byzantine.Parse reads it
	Replicas  int
	Traitors  int                   // 0 = f in PBFT, one in Raft; of a client's behaviour: how many Byzantine clients
	At        []consensus.ReplicaID // which replicas; nil = drawn by each seed
	Coalition bool                  // the traitors share their keys and a plan
}

// Check finds the profile and refuses what cannot be. Errors wrap
// ErrSpec.
func (c *ProfileRuns) Check() (byzantine.Profile, error) {
	spec, err := catalogue.Parse(c.Behaviour)
	if err != nil {
		return byzantine.Profile{}, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	profile := *spec.Profile
	if _, err := protocol.Lookup(c.name()); err != nil {
		return profile, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	if c.Replicas < 1 || c.Replicas > consensus.MaxReplicas {
		return profile, fmt.Errorf("%w: %d replicas: choose 1 to %d", ErrSpec, c.Replicas, consensus.MaxReplicas)
	}
	switch n := c.traitors(); {
	case c.Traitors < 0:
		return profile, fmt.Errorf("%w: %d traitors: choose at least 1", ErrSpec, c.Traitors)
	case n < 1 && !profile.Client:
		return profile, fmt.Errorf("%w: no traitor is tolerated by %s: take at least 4, or say how many traitors all the same, such as 1", ErrSpec, noun.Several(c.Replicas, "replica"))
	case n >= c.Replicas && !profile.Client:
		return profile, fmt.Errorf("%w: %s of %s: somebody must be left to be judged; choose fewer", ErrSpec, noun.Several(n, "traitor"), noun.Several(c.Replicas, "replica"))
	case n > maxClients && profile.Client:
		return profile, fmt.Errorf("%w: %d misbehaving clients: choose at most %d", ErrSpec, n, maxClients)
	}
	for i, id := range c.At {
		if int(id) >= c.Replicas || slices.Contains(c.At[:i], id) {
			return profile, fmt.Errorf("%w: replica %d does not exist, or is given twice", ErrSpec, id)
		}
	}
	if profile.Client && c.At != nil {
		return profile, fmt.Errorf("%w: %s is done by a client, which has no place among the replicas", ErrSpec, profile.Name)
	}
	if err := c.makePlans(spec, profile.Client); err != nil {
		return profile, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	return profile, nil
}

// makePlans makes each traitor's plan, or one Byzantine client, for a cluster of the same
// size: what cannot be made is heard of before anything runs.
func (c *ProfileRuns) makePlans(spec byzantine.Spec, client bool) error {
	var members []byzantine.Member
	var keys []crypto.PublicKey
	for i := range c.Replicas {
		signer := crypto.NewSigner([32]byte{byte(i), byte(i >> 8), 1})
		keys = append(keys, signer.Public())
		members = append(members, byzantine.Member{Replica: consensus.ReplicaID(i), Signer: signer})
	}
	g := consensus.NewGenesis("profile", c.name(), keys)
	if client {
		_, err := byzclient.New(g, crypto.NewSigner([32]byte{2: 2}), spec, 0, func() []byte { return nil })
		return err
	}
	var coalition []byzantine.Member
	for _, t := range c.Spec(1).Traitors {
		coalition = append(coalition, members[t.Replica])
	}
	for _, m := range coalition {
		env := byzantine.Env{Genesis: g, Self: m.Replica, Signer: m.Signer, Patience: 1}
		if c.Coalition {
			env.Coalition = coalition
		}
		if _, err := env.Plan(spec); err != nil {
			return err
		}
	}
	return nil
}

// name is the protocol's; underTest is what its clusters run.
func (c *ProfileRuns) name() string { return cmp.Or(c.Protocol, protocol.PBFT) }

func (c *ProfileRuns) underTest() protocol.Protocol { return (&Spec{Protocol: c.name()}).UnderTest() }

// traitors is how many there are. Where no lie is tolerated, one is what there is
// to see.
func (c *ProfileRuns) traitors() int {
	switch {
	case c.At != nil:
		return len(c.At)
	case c.Traitors > 0:
		return c.Traitors
	case c.underTest().Model == quorum.Crash:
		return 1
	}
	return c.underTest().Model.System(c.Replicas).Faults()
}

// Want is the outcome that the catalogue promises for so many traitors among so
// many replicas. It speaks of up to f of PBFT's, of f+1 of exactly 3f+1, and of
// one of Raft's 2f+1, with an f of at least one; beyond that it promises nothing.
// Byzantine clients may be as many as they like.
func (c *ProfileRuns) Want(p byzantine.Profile) (want byzantine.Outcome, promised bool) {
	model := c.underTest().Model
	if model == quorum.Crash {
		if p.Client || c.traitors() == 1 && c.Replicas >= model.Least(1) {
			return p.OneOf(c.underTest()), true
		}
		return byzantine.MayFork, false
	}
	switch f := model.System(c.Replicas).Faults(); {
	case p.Client || c.traitors() <= f:
		return p.AtF, true
	case c.traitors() == f+1 && f > 0 && c.Replicas == model.Least(f):
		return p.AtF1, true
	}
	return byzantine.MayFork, false
}

// Spec is the run of one seed: it draws which replicas are traitors, when they turn,
// the network, and, in half of the seeds, a primary that is away for a while, so
// that there are views to lie in.
func (c *ProfileRuns) Spec(seed uint64) Spec {
	dice := rand.New(rand.NewPCG(seed, 0xb12))
	s := Spec{
		Name: c.Behaviour, Protocol: c.name(), Replicas: c.Replicas, Coalition: c.Coalition, Clients: standardClients + dice.IntN(2),
		Invoked: standardInvoked, Seed: seed, Rough: true,
	}
	p := c.profile()
	if p.MeetsReaders() {
		s.Reads = 25
	}
	switch {
	case p.Client:
		for range max(1, c.Traitors) {
			s.ByzantineClients = append(s.ByzantineClients, c.Behaviour)
		}
		// A flood that a small machine withstands is no match for the
		// slowest disks that a seed may draw.
		s.Rough = false
	case c.underTest().Elected:
		c.placeElected(&s, &p, dice)
	default:
		c.placeFixed(&s, &p, dice)
	}
	return s
}

// profile is that of the runs; the zero one if its behaviour does not exist.
func (c *ProfileRuns) profile() byzantine.Profile {
	spec, err := catalogue.Parse(c.Behaviour)
	if err != nil {
		return byzantine.Profile{}
	}
	return *spec.Profile
}

// draw draws which replicas are traitors.
func (c *ProfileRuns) draw(dice *rand.Rand) (at []consensus.ReplicaID) {
	for _, i := range dice.Perm(c.Replicas)[:c.traitors()] {
		at = append(at, consensus.ReplicaID(i))
	}
	slices.Sort(at)
	return at
}

// preconditions are the faults that a need of a lie asks for, where a view has a
// fixed primary.
var preconditions = map[byzantine.Need]Kind{byzantine.Restart: Crash, byzantine.ViewChange: Isolate, byzantine.Fetch: Isolate}

// placeFixed places the traitors where a view has a fixed primary, and sees to it
// that they can lie.
func (c *ProfileRuns) placeFixed(s *Spec, p *byzantine.Profile, dice *rand.Rand) {
	at, precondition := c.At, preconditions[p.Needs]
	if at == nil && precondition != "" {
		// Whoever lies in a view change must have one: the traitors come behind
		// the first primary, who is away for a while.
		for i := range c.traitors() {
			at = append(at, consensus.ReplicaID((i+1)%c.Replicas))
		}
	}
	if at == nil {
		at = c.draw(dice)
		if p.Needs == byzantine.Primary && s.Seed%2 == 1 {
			at[0] = 0 // a primary's lie wants a primary, in half of the seeds at least
		}
	}
	for _, id := range at {
		s.Traitors = append(s.Traitors, sim.Traitor{Replica: id, Schedule: []sim.Assignment{{From: turn(dice), Behaviours: []string{c.Behaviour}}}})
	}
	switch {
	case precondition != "":
		whom := at
		switch p.Needs {
		case byzantine.ViewChange:
			whom = []consensus.ReplicaID{0}
		case byzantine.Fetch: // somebody must be so far behind that a state is fetched
			whom = []consensus.ReplicaID{consensus.ReplicaID((int(at[len(at)-1]) + 1) % c.Replicas)}
		}
		s.Faults = []Fault{{
			At: consensus.Time(100+dice.IntN(300)) * sim.Millisecond, Lasts: consensus.Time(500+dice.IntN(1500)) * sim.Millisecond,
			Kind: precondition, Replicas: whom,
		}}
		for i := range s.Traitors {
			s.Traitors[i].Schedule[0].From = 0
		}
	case dice.IntN(2) == 0:
		s.Faults = c.somebodyIsolated(dice)
	}
}

// somebodyIsolated cuts a replica off for a while.
func (c *ProfileRuns) somebodyIsolated(dice *rand.Rand) []Fault {
	return []Fault{{
		At: consensus.Time(100+dice.IntN(400)) * sim.Millisecond, Lasts: consensus.Time(200+dice.IntN(2000)) * sim.Millisecond,
		Kind: Isolate, Replicas: []consensus.ReplicaID{consensus.ReplicaID(dice.IntN(c.Replicas))},
	}}
}

// turn is when a traitor turns: from the start, mostly.
func turn(dice *rand.Rand) consensus.Time {
	if dice.IntN(4) > 0 {
		return 0
	}
	return consensus.Time(dice.IntN(1000)) * sim.Millisecond
}

// Real is the same run with processes: on a quiet network, a short load, and the
// traitors, unless told otherwise, where the first primaries sit.
func (c *ProfileRuns) Real(seed uint64) Spec {
	s := c.Spec(seed)
	s.Rough, s.Faults, s.Invoked = false, nil, standardInvoked/2
	if len(s.Traitors) > 0 && c.underTest().Elected {
		c.electFirst(&s)
	}
	if len(s.ByzantineClients) > 0 {
		// A permitted writer may send megabytes in each operation, and on a
		// small machine the others then wait their turn: live, but slow.
		s.Invoked = standardInvoked / 4
	}
	for i := range s.Traitors {
		s.Traitors[i].Schedule[0].From = 0
		if c.At == nil {
			s.Traitors[i].Replica = consensus.ReplicaID(i)
		}
	}
	return s
}

// raftSettle is how long a lie about Raft may delay what is asked: elections
// need no more, and who deposes every leader fills the logs with terms.
const raftSettle = 20 * sim.Second

// placeElected places one traitor, or several, and sees to it that they can lie:
// elections are won by whoever is first, so nobody can be made the leader by a
// number.
func (c *ProfileRuns) placeElected(s *Spec, p *byzantine.Profile, dice *rand.Rand) {
	s.Settle = raftSettle
	at := c.At
	if at == nil {
		at = c.draw(dice)
	}
	first := consensus.Time(0)
	if p.Protocols == nil {
		first = turn(dice)
	}
	switch {
	case p.Needs == byzantine.Turnover || p.Needs == byzantine.Restart:
		// A follower's lie comes to light when the members that it helped to
		// commit something are away, and those that were away are back.
		first, s.Faults = 0, c.turns(at, p, dice)
	case p.Needs == byzantine.Between:
		first, s.Faults = 0, c.halves(at, dice)
	case p.Needs == byzantine.Election || p.Protocols == nil && s.Seed%2 == 1:
		// A leader's lie wants a leader: the others are late, and find somebody
		// who asks for their votes.
		first, s.Faults = 0, []Fault{{Lasts: sim.Second, Kind: Pause, Replicas: c.others(at)}}
	case dice.IntN(2) == 0 && p.Protocols == nil:
		s.Faults = c.somebodyIsolated(dice)
	}
	for _, id := range at {
		s.Traitors = append(s.Traitors, sim.Traitor{Replica: id, Schedule: []sim.Assignment{{From: first, Behaviours: []string{c.Behaviour}}}})
	}
}

// others are those who do not sit there.
func (c *ProfileRuns) others(at []consensus.ReplicaID) (ids []consensus.ReplicaID) {
	for i := range c.Replicas {
		if id := consensus.ReplicaID(i); !slices.Contains(at, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// turns has one half of the others away, and then the other half; whoever
// forgets at its start is started in between.
func (c *ProfileRuns) turns(at []consensus.ReplicaID, p *byzantine.Profile, dice *rand.Rand) []Fault {
	others := c.others(at)
	dice.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	half := (len(others) + 1) / 2
	length := consensus.Time(1000+dice.IntN(1000)) * sim.Millisecond
	faults := []Fault{
		{At: 0, Lasts: length, Kind: Partition, Replicas: others[:half]},
		{At: length - sim.Millisecond, Lasts: 2 * length, Kind: Partition, Replicas: others[half:]},
	}
	if p.Needs == byzantine.Restart {
		faults = append(faults, Fault{At: length - 2*sim.Millisecond, Lasts: 10 * sim.Millisecond, Kind: Crash, Replicas: at})
	}
	return faults
}

// halves has each half of the others reach the other half by the traitors alone.
func (c *ProfileRuns) halves(at []consensus.ReplicaID, dice *rand.Rand) (faults []Fault) {
	others := c.others(at)
	dice.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	length := consensus.Time(2000+dice.IntN(2000)) * sim.Millisecond
	half := (len(others) + 1) / 2
	for _, a := range others[:half] {
		for _, b := range others[half:] {
			faults = append(faults, Fault{Lasts: length, Kind: Apart, Replicas: []consensus.ReplicaID{a, b}})
		}
	}
	return faults
}

// electFirst gives traitors among processes, where nobody counts lies, a clock that
// has them elected before the others.
func (c *ProfileRuns) electFirst(s *Spec) {
	p := c.profile()
	if p.Protocols != nil || p.Name == "time" {
		return
	}
	for i := range s.Traitors {
		acts := s.Traitors[i].Schedule
		acts[0].Behaviours = append(acts[0].Behaviours, "time by=0s ticks=4")
	}
}
