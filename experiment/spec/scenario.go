package spec

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// Scenario is what a file says of a run: requests in sets, one set after the
// other, faults at moments, or both. For as long as a set lasts, some replicas are
// down and some lie.
type Scenario struct {
	Name     string
	File     string // where it came from, for errors
	Replicas int
	Balance  uint64 // of every account that a request names, before the first set; accounts are keys
	Seed     uint64
	Sets     []Set
	Faults   []ScenarioFault
}

// Set is what happens in one stretch of a scenario.
type Set struct {
	Requests  []Request
	Live      []consensus.ReplicaID            // nil = all; the others are crashed
	Byzantine map[consensus.ReplicaID][]string // behaviours, as package byzantine names them
	Print     []string                         // what to show after the set: see Parts
	Lasts     consensus.Time                   // 0 = as long as the requests of the set may need
	Line      int                              // of the file; 0 = not known
}

// ScenarioFault is a fault whose moment and lies depend on the run.
type ScenarioFault struct {
	Fault
	Moment Moment
	Own    map[string][]string // of Corrupt: what replicas of a protocol do instead of Behaviours
	Number int                 // in the file, from 1
	Line   int                 // of the file; 0 = not known
}

// Moment is a time since the load began, or a share of the time it lasts.
type Moment struct {
	Since consensus.Time
	Share float64 // 0 to 1; counts if Since is 0
}

// of is the moment in a load that lasts so long.
func (m Moment) of(whole consensus.Time) consensus.Time {
	return cmp.Or(m.Since, consensus.Time(m.Share*float64(whole)))
}

// Request is one line of the store's: put KEY VALUE, get KEY, del KEY, balance KEY,
// or transfer FROM TO SUM, which moves nothing if FROM holds less. For applications
// of one's own there is invoke WORDS, which are the operation.
type Request struct {
	Verb string
	Args []string
}

// String is the request as it is written.
func (r Request) String() string { return strings.Join(append([]string{r.Verb}, r.Args...), " ") }

// Parts are what can be printed of a scenario.
var Parts = []string{"log", "state", "status", "views"}

// Invoke is the verb of raw operations.
const Invoke = "invoke"

// words are the verbs with how many arguments each takes.
var words = map[string]int{"put": 2, "get": 1, "del": 1, "balance": 1, "transfer": 3}

// check holds a scenario against what can be run.
func (s *Scenario) check() error {
	if s.Replicas < 1 || s.Replicas > consensus.MaxReplicas {
		return &ScenarioError{Text: fmt.Sprintf("replicas = %d: choose 1 to %d", s.Replicas, consensus.MaxReplicas)}
	}
	if len(s.Sets) > maxSets {
		return &ScenarioError{Text: fmt.Sprintf("%d sets: at most %d", len(s.Sets), maxSets)}
	}
	for i := range s.Sets {
		if err := s.Sets[i].check(s.Replicas); err != nil {
			return &ScenarioError{Text: fmt.Sprintf("set %d: %v", i+1, err)}
		}
	}
	return nil
}

// check holds a set against so many replicas.
func (x *Set) check(replicas int) error {
	if len(x.Requests) > maxSetRequests {
		return fmt.Errorf("%d requests: at most %d", len(x.Requests), maxSetRequests)
	}
	for _, r := range x.Requests {
		if n, known := words[r.Verb]; (!known || len(r.Args) != n) && (r.Verb != Invoke || len(r.Args) == 0) {
			return fmt.Errorf("%q: write put KEY VALUE, get KEY, del KEY, balance KEY, transfer FROM TO SUM, or invoke WORDS for an application of your own", r)
		}
		if _, err := strconv.ParseUint(r.Args[len(r.Args)-1], 10, 62); r.Verb == "transfer" && err != nil {
			return fmt.Errorf("%q: the sum is not a whole number", r)
		}
	}
	for _, id := range slices.Concat(x.Live, x.Traitors()) {
		if int(id) >= replicas {
			return fmt.Errorf("there is no replica %d", id)
		}
	}
	for _, part := range x.Print {
		if !slices.Contains(Parts, part) {
			return fmt.Errorf("print %q: choose of %s", part, strings.Join(Parts, ", "))
		}
	}
	for _, id := range x.Traitors() {
		for _, text := range x.Byzantine[id] {
			if _, err := catalogue.Parse(text); err != nil {
				return fmt.Errorf("replica %d: %w", id, err)
			}
		}
	}
	return nil
}

// FaultsFor are the faults as they befall so many replicas of a protocol in a load
// that lasts so long, by time. Errors are *ScenarioErrors.
func (s *Scenario) FaultsFor(p protocol.Protocol, replicas int, whole consensus.Time) ([]Fault, error) {
	all := slices.Clone(s.Faults)
	slices.SortStableFunc(all, func(a, b ScenarioFault) int { return cmp.Compare(a.Moment.of(whole), b.Moment.of(whole)) })
	done := map[Kind]bool{} // the kinds that have happened
	var faults []Fault
	for _, f := range all {
		if own, apart := f.Own[p.Name]; apart {
			f.Behaviours = own
		}
		f.At = f.Moment.of(whole)
		if why := f.misfit(p, replicas, whole, done); why != "" {
			return nil, &ScenarioError{File: s.File, Line: f.Line, Text: fmt.Sprintf("fault %d: %s", f.Number, why)}
		}
		done[f.Kind] = done[f.Kind] || !f.Ends
		if f.Kind != Corrupt || f.Ends || len(f.Behaviours) > 0 { // else it is another protocol's
			faults = append(faults, f.Fault)
		}
	}
	return faults, nil
}

// misfit says why a fault cannot happen.
func (f *ScenarioFault) misfit(p protocol.Protocol, replicas int, whole consensus.Time, done map[Kind]bool) string {
	if f.At >= whole {
		return fmt.Sprintf("it is at %v, and the load lasts %v: write an earlier time, or let the load last longer (--duration, or lasts of a set)", time.Duration(f.At), time.Duration(whole))
	}
	if need := before[f.Role]; need != "" && !done[need] {
		return fmt.Sprintf("%s: no earlier fault %s a replica", f.subject(), happens[need])
	}
	for _, id := range f.Replicas {
		if int(id) >= replicas {
			return fmt.Sprintf("replica = %d: the cluster of %s has 0 to %d: write one of these, or a role", id, p.Name, replicas-1)
		}
	}
	for _, text := range f.Behaviours {
		if why := canLie(p.Name, text); why != "" {
			return why
		}
	}
	return ""
}

// canLie says what keeps a replica of the protocol from a behaviour.
func canLie(name, text string) string {
	b, err := catalogue.Parse(text)
	if err != nil {
		return err.Error()
	}
	p := b.Profile
	switch {
	case p.Client:
		return fmt.Sprintf("%q is a client's behaviour: `quorate byzantine list` names those of replicas", text)
	case !p.For(name):
		return fmt.Sprintf("%v; write each protocol's own, as %s", p.Fits(name), eachOwn())
	}
	return ""
}

// happens says of the kinds that come before a role that they have happened.
var happens = map[Kind]string{Crash: "crashes", Pause: "pauses", Corrupt: "corrupts"}

// subject is the fault's word if it ends something, or the role that it names.
func (f *ScenarioFault) subject() string {
	if f.Ends {
		return f.Word()
	}
	return fmt.Sprintf("role = %q", f.Role)
}

// Fits refuses lies of another protocol than the one that the sets run. Errors are
// *ScenarioErrors.
func (s *Scenario) Fits(p protocol.Protocol) error {
	for i, x := range s.Sets {
		for _, id := range x.Traitors() {
			for _, text := range x.Byzantine[id] {
				b, err := catalogue.Parse(text)
				if err == nil {
					err = b.Profile.Fits(p.Name)
				}
				if err != nil {
					return &ScenarioError{File: s.File, Line: x.Line, Text: fmt.Sprintf("set %d: replica %d: %v", i+1, id, err)}
				}
			}
		}
	}
	return nil
}

// Short says that a set leaves fewer replicas than a cluster of that system needs;
// "" if it does not.
func (x *Set) Short(system quorum.System) string {
	live := system.Size() - len(x.Down(system.Size()))
	if live >= system.Quorum() {
		return ""
	}
	return fmt.Sprintf("%d of %d live, %d needed", live, system.Size(), system.Quorum())
}

// Traitors are those who lie in the set, ascending.
func (x *Set) Traitors() []consensus.ReplicaID {
	return slices.Sorted(maps.Keys(x.Byzantine))
}

// Span is how long a set lasts: enough for its requests, one after the other,
// with a view change now and then.
func (x *Set) Span() consensus.Time {
	if x.Lasts > 0 {
		return x.Lasts
	}
	return 4*sim.Second + consensus.Time(len(x.Requests))*sim.Second
}

// Lives reports whether a replica is up in the set.
func (x *Set) Lives(id consensus.ReplicaID) bool { return x.Live == nil || slices.Contains(x.Live, id) }

// Down lists who is down in the set, of so many replicas.
func (x *Set) Down(replicas int) (ids []consensus.ReplicaID) {
	for i := range replicas {
		if id := consensus.ReplicaID(i); !x.Lives(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Accounts are the keys that transfers and balances name, in order of
// appearance.
func (s *Scenario) Accounts() []string {
	return s.named(map[string]int{"transfer": 2, "balance": 1})
}

// Keys are all that requests name, in order of appearance.
func (s *Scenario) Keys() []string {
	return s.named(map[string]int{"transfer": 2, "balance": 1, "put": 1, "get": 1, "del": 1})
}

// named are the first arguments of requests, so many of each verb.
func (s *Scenario) named(arguments map[string]int) []string {
	var all []string
	for _, x := range s.Sets {
		for _, r := range x.Requests {
			for _, name := range r.Args[:arguments[r.Verb]] {
				if !slices.Contains(all, name) {
					all = append(all, name)
				}
			}
		}
	}
	return all
}
