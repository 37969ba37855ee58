package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// Kind names a fault: in files, in reports, in the simulator and among processes.
type Kind string

// The kinds of faults among processes. The simulator knows all but the last three,
// which are of real networks and disks.
const (
	Crash     Kind = "crash"      // the process ends, and what was not synced is lost
	Pause     Kind = "pause"      // it stands still, and keeps its connections
	Wipe      Kind = "wipe"       // it loses its disk and restarts
	Corrupt   Kind = "corrupt"    // it lies, as Behaviours say
	Isolate   Kind = "isolate"    // it hears and is heard by nobody, clients included
	Partition Kind = "partition"  // Replicas and Clients are cut off from all others
	Deaf      Kind = "deaf"       // it hears nobody, but is heard
	Mute      Kind = "mute"       // it is heard by nobody, but hears
	Apart     Kind = "apart"      // Replicas do not reach each other, but all others
	Delay     Kind = "delay"      // what other replicas and it tell each other takes By longer
	DiskFull  Kind = "disk full"  // its disk has no room left; when this ends, it restarts
	TornWrite Kind = "torn write" // it crashes, and half a record stands at the end of its log
)

// LostProposal is of the simulator alone: the next proposal of the replica reaches
// nobody, however often it is sent again, until this ends.
const LostProposal Kind = "lost proposal"

// kinds lists them.
var kinds = []Kind{Crash, Pause, Wipe, Corrupt, Isolate, Partition, Deaf, Mute, Apart, LostProposal, Delay, DiskFull, TornWrite}

// ends are words of their own for the end of a fault.
var ends = map[Kind]string{Crash: "restart", Pause: "resume", Corrupt: "heal"}

// Fault is something that happens to replicas at a moment of a run.
type Fault struct {
	At         consensus.Time // since the load began
	Lasts      consensus.Time // 0 = for good, or until another fault ends it
	Kind       Kind
	Ends       bool                  // it is over: who crashed restarts, and so on
	Replicas   []consensus.ReplicaID // whom it befalls
	Role       Role                  // ... or who that is, looked up at the moment; "" = Replicas
	Clients    []int                 // of Partition: those on the side of Replicas
	Behaviours []string              // of Corrupt
	By         consensus.Time        // of Delay
}

// Role is whom a fault befalls, where that is not known in advance. Each cluster
// has its own replica in a role.
type Role string

// The roles.
const (
	RoleLeader    Role = "leader"    // or "primary": who leads at that moment
	RoleFollower  Role = "follower"  // or "backup": the first honest one that runs and does not lead
	RoleCrashed   Role = "crashed"   // who crashed last, and is down
	RolePaused    Role = "paused"    // who was paused last, and still is
	RoleCorrupted Role = "corrupted" // who was corrupted last
)

// before is the kind of fault that must have happened before a role has anybody.
var before = map[Role]Kind{RoleCrashed: Crash, RolePaused: Pause, RoleCorrupted: Corrupt}

// ended is the role of whom the end of a fault is about.
var ended = map[Kind]Role{Crash: RoleCrashed, Pause: RolePaused, Corrupt: RoleCorrupted}

// Word is the kind, or the word for its end.
func (f *Fault) Word() string {
	switch {
	case !f.Ends:
		return string(f.Kind)
	case ends[f.Kind] != "":
		return ends[f.Kind]
	}
	return string(f.Kind) + " ends"
}

// Text says what happens, in the protocol's words.
func (f *Fault) Text(w protocol.Words) string {
	text := f.Word()
	switch {
	case f.Role == RoleLeader:
		text += " " + w.Lead + ":"
	case f.Role == RoleFollower:
		text += " " + w.Follow + ":"
	case f.Role != "" && len(f.Replicas) == 0:
		text += " the " + string(f.Role) + " one"
	case f.Ends && ends[f.Kind] == "":
		text += ":"
	}
	text = strings.TrimSuffix(text+" "+List(f.Replicas, "replica %d", ", "), ": ")
	switch {
	case f.Kind == Corrupt && !f.Ends:
		text += " (" + strings.Join(f.Behaviours, ", ") + ")"
	case f.Kind == Delay && !f.Ends:
		text += fmt.Sprintf(" (%v)", time.Duration(f.By))
	}
	return strings.TrimSpace(text)
}

// List prints each of some replicas or slots, with a separator between them.
func List[T any](all []T, format, separator string) string {
	texts := make([]string, len(all))
	for i, x := range all {
		texts[i] = fmt.Sprintf(format, x)
	}
	return strings.Join(texts, separator)
}

// Cuts reports whether links are cut, which the simulator says how.
func (k Kind) Cuts() bool {
	f := sim.FaultKind(k)
	return f.Cuts(true, false) || f.Cuts(false, true) || f.Cuts(true, true)
}

// Timeline lists faults by time, each one that lasts followed by its end. What
// ends at a moment comes before what begins at it.
func Timeline(faults []Fault) []Fault {
	all := slices.Clone(faults)
	for i, f := range faults {
		if f.Lasts > 0 && !f.Ends && f.Kind != Wipe {
			all[i].Lasts = 0
			f.At, f.Lasts, f.Ends = f.At+f.Lasts, 0, true
			all = append(all, f)
		}
	}
	later := map[bool]int{false: 1}
	slices.SortStableFunc(all, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(later[a.Ends], later[b.Ends]))
	})
	return all
}

// Timeline lists what happens in a run: its faults, and what traitors do after
// the beginning.
func (s *Spec) Timeline() []Fault {
	all := slices.Clone(s.Faults)
	for _, t := range s.Traitors {
		for _, a := range t.Schedule {
			if a.From > 0 {
				all = append(all, Fault{
					At: a.From, Kind: Corrupt, Ends: len(a.Behaviours) == 0, Replicas: []consensus.ReplicaID{t.Replica}, Behaviours: a.Behaviours,
				})
			}
		}
	}
	return Timeline(all)
}
