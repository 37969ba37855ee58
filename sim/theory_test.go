package sim

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"testing"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/protocol"
)

// oracle says by trying all sets of members what may go wrong, and knows no formula of
// theory's. The first members lie, the next ones forgot, the last ones are away.
type oracle struct {
	n, q, f, replies    int
	liars, wiped, away  uint // sets of members
	honest, unreliable  uint
	quorums, weak, pack []uint // all sets of q, of f+1, of as many as a client believes
}

func newOracle(s quorum.System, m quorum.Model, x faulty) *oracle {
	if m == quorum.Crash { // nobody signs: who was set back has only forgotten
		x.wiped += x.setBack
	} else {
		x.liars += x.setBack
	}
	o := &oracle{n: s.Size(), q: s.Quorum(), f: s.Faults(), replies: s.Replies()}
	o.liars = 1<<x.liars - 1
	o.wiped = (1<<x.wiped - 1) << x.liars
	o.away = o.liars | (1<<(x.absent-x.liars)-1)<<(o.n-x.absent+x.liars)
	o.honest = (1<<o.n - 1) &^ o.liars
	o.unreliable = o.liars | o.wiped
	for set := range uint(1) << o.n {
		switch size := bits.OnesCount(set); size {
		case o.q:
			o.quorums = append(o.quorums, set)
			fallthrough
		default:
			if size == o.f+1 {
				o.weak = append(o.weak, set)
			}
			if size == o.replies {
				o.pack = append(o.pack, set)
			}
		}
	}
	return o
}

// within reports whether all of one of the sets are in whom.
func within(sets []uint, whom uint) bool {
	return slices.ContainsFunc(sets, func(s uint) bool { return s&^whom == 0 })
}

// lies is what may go wrong where votes are signed and counted by everybody.
func (o *oracle) lies() theory {
	var t theory
	for _, a := range o.quorums {
		// Whoever stands in both votes for both, or has forgotten the first.
		t.fork = t.fork || slices.ContainsFunc(o.quorums, func(b uint) bool { return a&b&^o.unreliable == 0 })
		t.invent = t.invent || a&^o.liars == 0
	}
	t.deceive = within(o.pack, o.liars)
	// f+1 that ask for another view get it, as often as they like.
	t.stop = within(o.weak, o.unreliable) || !within(o.quorums, (1<<o.n-1)&^o.away)
	t.unnamed = o.wiped != 0
	return t
}

// crashes is what may go wrong where a leader is believed.
func (o *oracle) crashes() theory {
	t := theory{unnamed: true, twofold: o.wiped != 0}
	for liar := range o.n {
		if o.liars>>liar&1 == 0 {
			continue
		}
		// It calls itself the leader of a term to which nobody elected it, and
		// tells one member that one batch is decided, and another member, or
		// the same one after a restart, that another is. Asked by a client, it
		// says what it likes; asked by others to follow, it deposes them.
		t.fork, t.deceive, t.stop = true, true, true
	}
	for _, stored := range o.quorums { // one batch is stored, and decided
		left := stored &^ o.wiped
		for _, votes := range o.quorums { // those vote for a member without it
			t.fork = t.fork || votes&left == 0
		}
	}
	t.stop = t.stop || within(o.weak, o.unreliable) || !within(o.quorums, (1<<o.n-1)&^o.away)
	return t
}

// TestTheoryIsWhatAnOracleSays: for both models, all sizes from 1 to 9, all
// thresholds that a genesis may have, and all numbers of those who lie, are set
// back, forget and are away.
func TestTheoryIsWhatAnOracleSays(t *testing.T) {
	cases := 0
	for _, s := range systems(t, 9) {
		for x := range mixtures(s.system.Size()) {
			o := newOracle(s.system, s.model, x)
			want := o.lies()
			if s.model == quorum.Crash {
				want = o.crashes()
			}
			if got := theoryOf(s.model, s.system, x); got != want {
				t.Errorf("%s, %+v: theory says %+v, the oracle %+v", s.name, x, got, want)
			}
			cases++
		}
	}
	if cases < 50_000 {
		t.Errorf("%d cases were judged", cases)
	}
}

// mixtures are all numbers of faulty replicas among n.
func mixtures(n int) iter.Seq[faulty] {
	return func(yield func(faulty) bool) {
		for liars := range n + 1 {
			for setBack := range n - liars + 1 {
				for wiped := range n - liars - setBack + 1 {
					for absent := liars + setBack; absent <= n; absent++ {
						if !yield(faulty{liars: liars, setBack: setBack, wiped: wiped, absent: absent}) {
							return
						}
					}
				}
			}
		}
	}
}

// bentSystem is a cluster's arithmetic, and how it came to it.
type bentSystem struct {
	name   string
	model  quorum.Model
	system quorum.System
}

// systems are all that a genesis of up to so many replicas may ask for.
func systems(t *testing.T, most int) (all []bentSystem) {
	for _, p := range []protocol.Protocol{registered(protocol.PBFT), registered(protocol.Raft)} {
		for n := 1; n <= most; n++ {
			for q := 0; q <= n; q++ {
				for f := 0; f < n; f++ {
					if (q > 0 || f > 0) && p.Model == quorum.Crash {
						continue // Raft knows majorities only
					}
					g := consensus.Genesis{Protocol: p.Name, Replicas: keysOf(n), UnsafeDemo: true, Quorum: q, Faults: f}
					s, err := p.Model.For(&g)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, bentSystem{fmt.Sprintf("%s n=%d quorum=%d faults=%d", p.Name, n, q, f), p.Model, s})
				}
			}
		}
	}
	return all
}

// keysOf are the keys of so many members.
func keysOf(n int) []crypto.PublicKey {
	keys := make([]crypto.PublicKey, n)
	for i := range keys {
		keys[i][0] = byte(i)
	}
	return keys
}

// TestFaultyAreCounted: each replica once, whatever is wrong with it; hazards lose
// no more disks at a time than traitors leave room for.
func TestFaultyAreCounted(t *testing.T) {
	liar := func(ids ...consensus.ReplicaID) (all []Traitor) {
		for _, id := range ids {
			all = append(all, Traitor{Replica: id})
		}
		return all
	}
	wipes := []Hazard{{Kind: hazardWipe}}
	for name, c := range map[string]struct {
		config Config
		want   faulty
	}{
		"nobody":                    {Config{}, faulty{}},
		"traitors and twins":        {Config{Traitors: liar(0, 2), Twins: []consensus.ReplicaID{1}}, faulty{liars: 3, absent: 3}},
		"wiped by a script":         {Config{Faults: []Fault{{Kind: FaultWipe, Replicas: []consensus.ReplicaID{1, 2}}, {Kind: FaultWipe, Replicas: []consensus.ReplicaID{2}}}}, faulty{wiped: 2}},
		"a wiped traitor":           {Config{Traitors: liar(1), Faults: []Fault{{Kind: FaultWipe, Replicas: []consensus.ReplicaID{1}}}}, faulty{liars: 1, absent: 1}},
		"away for good":             {Config{Faults: []Fault{{Kind: FaultCrash, Replicas: []consensus.ReplicaID{1, 2}}, {Kind: FaultPause, Lasts: 1, Replicas: []consensus.ReplicaID{3}}}}, faulty{absent: 2}},
		"hazards within the bounds": {Config{Trust: Trust{Faults: 2}, Hazards: wipes, Traitors: liar(1)}, faulty{liars: 1, wiped: 1, absent: 2}},
		"set back":                  {Config{Traitors: liar(0), SetBacks: []SetBack{{Replica: 3}}, Hazards: wipes, Trust: Trust{Faults: 3}}, faulty{liars: 1, setBack: 1, wiped: 1, absent: 3}},
		"hazards spare the honest":  {Config{Trust: Trust{Faults: 1}, Hazards: wipes, Traitors: liar(1)}, faulty{liars: 1, absent: 1}},
	} {
		if got := c.config.faulty(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestOneLiarOfRaftForksAnySize: real engines, of even sizes too, where any two
// majorities meet in two. What theory allows is all that goes wrong, and nobody is
// named, for nobody signs.
func TestOneLiarOfRaftForksAnySize(t *testing.T) {
	for _, n := range []int{2, 3, 4, 5, 6} {
		forks, found := 0, map[check.Kind]int{}
		for seed := range uint64(6) {
			for i, lie := range []string{"fork-entries", "forge-snapshot", "false-commit", "inflate-terms", "lie"} {
				c := raftConfig(seed)
				c.Replicas, c.Hazards, c.SetBacks, c.Byzantines, c.Timing.Liveness = n, nil, nil, nil, 5*Second
				c = c.crashFaults(protocol.Raft)
				c.Traitors = []Traitor{{Replica: consensus.ReplicaID((int(seed) + i) % n), Schedule: []Assignment{{Behaviours: []string{lie}}}}}
				r := run(t, c)
				for _, v := range r.Violations {
					t.Errorf("%s: %s", c.String(), v)
				}
				for _, v := range r.Verdict.Violations {
					found[v.Kind]++
				}
				if len(r.Verdict.Culprits) > 0 {
					t.Errorf("%s: culprits %v", c.String(), r.Verdict.Culprits)
				}
				if r.Verdict.Forked {
					forks++
				}
			}
		}
		if n > 2 && forks == 0 || len(found) == 0 {
			t.Errorf("n=%d: %d forks, violations %v: the liar did no harm", n, forks, found)
		}
	}
}

// TestBoundsOfTheoryHold: what theory forbids of Raft without a liar, of f lying PBFT
// replicas, and of lost disks that hit traitors alone.
func TestBoundsOfTheoryHold(t *testing.T) {
	raft, pbft := registered(protocol.Raft), registered(protocol.PBFT)
	every := []check.Kind{check.Fork, check.Divergence, check.Validity, check.Twice, check.Lost, check.Denied, check.Nonlinear, check.Contradiction, check.Framed, check.Unnamed, check.Deceived, check.Growth, check.Stuck, check.Broken}
	for _, c := range []struct {
		name    string
		of      protocol.Protocol
		n       int
		x       faulty
		allowed []check.Kind
	}{
		{"raft, nobody lies", raft, 4, faulty{absent: 1}, nil},
		{"raft, one lies", raft, 4, faulty{liars: 1, absent: 1}, []check.Kind{check.Fork, check.Divergence, check.Twice, check.Lost, check.Denied, check.Nonlinear, check.Unnamed, check.Deceived, check.Growth, check.Stuck}},
		{"raft, all lie", raft, 3, faulty{liars: 3, absent: 3}, []check.Kind{check.Fork, check.Divergence, check.Twice, check.Lost, check.Denied, check.Nonlinear, check.Unnamed, check.Deceived, check.Growth, check.Stuck}},
		{"raft, one of four forgets", raft, 4, faulty{wiped: 1, absent: 1}, []check.Kind{check.Contradiction}},
		{"pbft, f lie", pbft, 7, faulty{liars: 2, absent: 2}, nil},
		{"pbft, f+1 lie", pbft, 4, faulty{liars: 2, absent: 2}, []check.Kind{check.Fork, check.Divergence, check.Twice, check.Lost, check.Denied, check.Nonlinear, check.Deceived, check.Growth, check.Stuck}},
	} {
		th := theoryOf(c.of.Model, c.of.Model.System(c.n), c.x)
		for _, k := range every {
			if got, want := th.allows(Violation{Kind: k}), slices.Contains(c.allowed, k); got != want {
				t.Errorf("%s: %s is allowed: %t, want %t", c.name, k, got, want)
			}
		}
	}
}
