package sim

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// Splits of the bodies of a cluster, one for each of the first views. What a
// body says in a view reaches only its own block; but VIEW-CHANGEs reach
// everybody, so that views follow each other. Bodies are numbered: replicas
// first, then the second bodies of the twinned.
type Splits [][]uint8

// twin gives the twinned replicas their second bodies: unchanged engines with
// disks of their own, under the same id and key. It fails if one is not there,
// or a split does not fit.
func (w *World) twin() error {
	n := len(w.replicas)
	w.bodies = slices.Clone(w.replicas)
	for i, id := range w.cfg.Twins {
		if int(id) >= n || w.replicas[id].twinned {
			return fmt.Errorf("replica %d cannot be twinned: it is not there, or is already", id)
		}
		first := w.replicas[id]
		dice := newStream(w.cfg.Seed, fmt.Sprintf("twin %d", i))
		second := &replica{
			world: w, id: id, body: n + i, end: endpoint(n + w.cfg.Workload.Clients + len(w.cfg.Byzantines) + i),
			dice: dice, disk: newDisk(dice, w.cfg.Disk), health: health{born: true}, second: true,
		}
		second.offset = first.offset
		second.pace = newStream(w.cfg.Seed, fmt.Sprintf("twin's workers %d", i))
		second.tasks = newStream(w.cfg.Seed, fmt.Sprintf("twin's tasks %d", i))
		first.twinned, second.twinned = true, true
		first.other, second.other = second, first
		w.bodies = append(w.bodies, second)
	}
	for _, s := range w.cfg.Splits {
		if len(s) != len(w.bodies) {
			return fmt.Errorf("a split of %d bodies: there are %d", len(s), len(w.bodies))
		}
	}
	return nil
}

// Twins enumerates the executions of four replicas of which one or two have a
// second body, over three views with a split of the bodies in each (Bano et
// al., Twins, 2020). Which replica is twinned decides in which views there are
// two primaries; exchanging the two bodies of one replica gives the same
// execution but for names, and is left out.
type Twins struct {
	identities [][]consensus.ReplicaID
	splits     Splits
	bodies     int
}

// twinViews is how many views have a split of their own.
const twinViews = 3

// twinReplicas is n.
const twinReplicas = 4

// NewTwins prepares the enumeration for one or two twinned replicas.
func NewTwins(count int) (*Twins, error) {
	if count < 1 || count > 2 {
		return nil, fmt.Errorf("%d twinned replicas: 1 and 2 are enumerated", count)
	}
	t := &Twins{bodies: twinReplicas + count, splits: blocks(twinReplicas+count, 3)}
	for a := range consensus.ReplicaID(twinReplicas) {
		if count == 1 {
			t.identities = append(t.identities, []consensus.ReplicaID{a})
			continue
		}
		for b := a + 1; b < twinReplicas; b++ {
			t.identities = append(t.identities, []consensus.ReplicaID{a, b})
		}
	}
	return t, nil
}

// blocks lists all ways to split n bodies into at most so many blocks, in
// restricted growth strings: the block of each body, none skipped.
func blocks(n, most int) Splits {
	var list Splits
	var grow func(prefix []uint8, used uint8)
	grow = func(prefix []uint8, used uint8) {
		if len(prefix) == n {
			list = append(list, slices.Clone(prefix))
			return
		}
		for b := uint8(0); b <= used && int(b) < most; b++ {
			grow(append(prefix, b), max(used, b+1))
		}
	}
	grow(nil, 0)
	return list
}

// Count is the number of scenarios, symmetric ones included.
func (t *Twins) Count() int {
	n := len(t.identities)
	for range twinViews {
		n *= len(t.splits)
	}
	return n
}

// At is the scenario of a number below Count; false if it is one of those that
// an exchange of bodies turns into a lower number.
func (t *Twins) at(i int) (Config, bool) {
	identity := t.identities[i%len(t.identities)]
	i /= len(t.identities)
	var chosen [twinViews]int
	for v := range chosen {
		chosen[v] = i % len(t.splits)
		i /= len(t.splits)
	}
	for swap := 1; swap < 1<<len(identity); swap++ {
		for v := len(chosen) - 1; v >= 0; v-- {
			other := t.exchanged(chosen[v], identity, swap)
			if other < chosen[v] {
				return Config{}, false
			}
			if other > chosen[v] {
				break
			}
		}
	}
	c := twinConfig(identity)
	for _, s := range chosen {
		c.Splits = append(c.Splits, t.splits[s])
	}
	return c, true
}

// exchanged is the number of a split after an exchange of the bodies of those
// identities whose bits are set.
func (t *Twins) exchanged(split int, identity []consensus.ReplicaID, swap int) int {
	s := slices.Clone(t.splits[split])
	for k, id := range identity {
		if swap>>k&1 == 1 {
			s[id], s[twinReplicas+k] = s[twinReplicas+k], s[id]
		}
	}
	// Number the blocks again in the order in which they appear.
	names := map[uint8]uint8{}
	for i, b := range s {
		if _, known := names[b]; !known {
			names[b] = uint8(len(names))
		}
		s[i] = names[b]
	}
	found, _ := slices.BinarySearchFunc(t.splits, s, func(a, b []uint8) int { return slices.Compare(a, b) })
	return found
}

// twinConfig is a small quick system: what is enumerated are splits.
func twinConfig(twins []consensus.ReplicaID) Config {
	c := Config{
		Seed: 1, Genre: genreTraitor, Protocol: protocol.PBFT, Replicas: twinReplicas, Trust: Trust{Faults: 1},
		Interval: 4, Window: 8, Limits: tightLimits(), Twins: twins,
		Timing: Timing{
			Tick: 10 * Millisecond, Patience: 10, PatienceCap: 40, Skew: 2 * Second, Safety: 1200 * Millisecond, Liveness: 20 * Second,
		},
		Workload: Workload{Clients: 2, Callers: 1, Invoked: 3, Operations: 1, ValueBytes: 8, Keys: 1, Think: 20 * Millisecond, Timeout: 50 * Millisecond},
		Network:  NetworkModel{Delay: Millisecond, Jitter: 2 * Millisecond},
		Disk:     Disks{Sync: Millisecond, Execute: Millisecond / 10, Segment: 8},
	}
	if len(twins) > 1 {
		c.Genre, c.Trust.Faults = genreTreason, 2
		c.Timing.Liveness = 3 * Second
	}
	return c
}

// text prints the splits, such as 0 1|2 3 4; second bodies are primed.
func (s Splits) text(c *Config) string {
	var views []string
	for _, split := range s {
		var sides []string
		for block := range slices.Max(split) + 1 {
			var names []string
			for body, b := range split {
				name := fmt.Sprint(body)
				if body >= c.Replicas {
					name = fmt.Sprintf("%d'", c.Twins[body-c.Replicas])
				}
				if b == block {
					names = append(names, name)
				}
			}
			sides = append(sides, strings.Join(names, " "))
		}
		views = append(views, strings.Join(sides, "|"))
	}
	return strings.Join(views, ", ")
}

// Sample is At in another order, in which a beginning of any length is spread
// over the whole.
func (t *Twins) Sample(i int) (Config, bool) { return t.at(t.place(i)) }

// place walks through all numbers in great strides.
func (t *Twins) place(i int) int {
	n := t.Count()
	stride := n*5/8 + 1
	for gcd(stride, n) != 1 {
		stride++
	}
	return i * stride % n
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
