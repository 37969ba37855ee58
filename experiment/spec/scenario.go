package spec

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/sim"
)

// ErrScenario is what errors about the contents of a scenario file wrap.
var ErrScenario = errors.New("invalid scenario")

// Scenario is a list of requests in sets, one set after the other. For as long
// as a set lasts, some replicas are down and some lie.
type Scenario struct {
	Name     string
	Replicas int
	Balance  uint64 // of every account that a request names, before the first set; accounts are keys
	Seed     uint64
	Sets     []Set
}

// Set is what happens in one stretch of a scenario.
type Set struct {
	Requests  []Request
	Live      []consensus.ReplicaID            // nil = all; the others are crashed
	Byzantine map[consensus.ReplicaID][]string // behaviours, as package byzantine names them
	Print     []string                         // what to show after the set: see Parts
	Lasts     consensus.Time                   // 0 = as long as the requests of the set may need
}

// Request is one line: put KEY VALUE, get KEY, del KEY, balance KEY, or
// transfer FROM TO SUM, which moves nothing if FROM holds less.
type Request struct {
	Verb string
	Args []string
}

// String is the request as it is written.
func (r Request) String() string { return strings.Join(append([]string{r.Verb}, r.Args...), " ") }

// Parts are what can be printed of a scenario.
var Parts = []string{"log", "state", "status", "views"}

// Limits of a scenario.
const (
	maxSets        = 200
	maxSetRequests = 1000
	maxScenario    = 1 << 20 // bytes of a file
)

// words are the verbs with how many arguments each takes.
var words = map[string]int{"put": 2, "get": 1, "del": 1, "balance": 1, "transfer": 3}

// scenarioFile is the file's form.
type scenarioFile struct {
	Name     string    `toml:"name"`
	Replicas int       `toml:"replicas"`
	Balance  uint64    `toml:"balance"`
	Seed     uint64    `toml:"seed"`
	Sets     []setFile `toml:"set"`
}

type setFile struct {
	Requests  []string            `toml:"requests"`
	Live      []int               `toml:"live"`
	Byzantine map[string][]string `toml:"byzantine"`
	Print     []string            `toml:"print"`
	Lasts     string              `toml:"lasts"`
}

// LoadScenario reads a scenario: TOML, or the CSV of courses if the file's name
// ends in .csv. Errors wrap ErrScenario or the file system's.
func LoadScenario(path string) (*Scenario, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, maxScenario+1)
	n, err := readAll(f, b)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if n > maxScenario {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrScenario, path, maxScenario)
	}
	var s *Scenario
	if strings.HasSuffix(strings.ToLower(path), ".csv") {
		s, err = ParseCourse(b[:n])
	} else {
		s, err = ParseScenario(b[:n])
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// ParseScenario reads the TOML form. A key that nobody knows is an error.
func ParseScenario(text []byte) (*Scenario, error) {
	f := scenarioFile{Replicas: 4, Seed: 1}
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrScenario, explain(err))
	}
	s := &Scenario{Name: f.Name, Replicas: f.Replicas, Balance: f.Balance, Seed: f.Seed}
	for i, x := range f.Sets {
		set, err := x.set()
		if err != nil {
			return nil, fmt.Errorf("%w: set %d: %w", ErrScenario, i+1, err)
		}
		s.Sets = append(s.Sets, set)
	}
	return s, s.check()
}

// explain makes one line of a decoder's error.
func explain(err error) string {
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &unknown) && len(unknown.Errors) > 0:
		line, _ := unknown.Errors[0].Position()
		return fmt.Sprintf("line %d: unknown key %q: remove it or correct its name", line, strings.Join(unknown.Errors[0].Key(), "."))
	case errors.As(err, &wrong):
		line, _ := wrong.Position()
		return fmt.Sprintf("line %d: %s", line, strings.TrimPrefix(wrong.Error(), "toml: "))
	}
	return strings.TrimPrefix(err.Error(), "toml: ")
}

// set reads one stretch.
func (x *setFile) set() (Set, error) {
	s := Set{Print: x.Print, Byzantine: map[consensus.ReplicaID][]string{}}
	for _, line := range x.Requests {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			return s, errors.New("an empty request: write \"put KEY VALUE\" or the like")
		}
		s.Requests = append(s.Requests, Request{Verb: fields[0], Args: fields[1:]})
	}
	for _, id := range x.Live {
		s.Live = append(s.Live, consensus.ReplicaID(id))
		if id < 0 || id > math.MaxUint16 {
			return s, fmt.Errorf("live: there is no replica %d", id)
		}
	}
	if x.Live != nil && s.Live == nil {
		s.Live = []consensus.ReplicaID{}
	}
	for name, behaviours := range x.Byzantine {
		id, err := strconv.ParseUint(name, 10, 16)
		if err != nil {
			return s, fmt.Errorf("byzantine: %q is not the number of a replica", name)
		}
		s.Byzantine[consensus.ReplicaID(id)] = behaviours
	}
	if x.Lasts != "" {
		d, err := time.ParseDuration(x.Lasts)
		if err != nil || d <= 0 || d > time.Hour {
			return s, fmt.Errorf("lasts = %q: write a time such as 5s, up to an hour", x.Lasts)
		}
		s.Lasts = consensus.Time(d)
	}
	return s, nil
}

// check holds a scenario against what can be run.
func (s *Scenario) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrScenario, fmt.Sprintf(format, args...))
	}
	if s.Replicas < 1 || s.Replicas > consensus.MaxReplicas {
		return bad("replicas = %d: between 1 and %d are possible", s.Replicas, consensus.MaxReplicas)
	}
	if len(s.Sets) == 0 || len(s.Sets) > maxSets {
		return bad("%d sets: write between 1 and %d, each beginning with [[set]]", len(s.Sets), maxSets)
	}
	for i, x := range s.Sets {
		if len(x.Requests) > maxSetRequests {
			return bad("set %d has %d requests: at most %d", i+1, len(x.Requests), maxSetRequests)
		}
		for _, r := range x.Requests {
			if n, known := words[r.Verb]; !known || len(r.Args) != n {
				return bad("set %d: %q: write put KEY VALUE, get KEY, del KEY, balance KEY or transfer FROM TO SUM", i+1, r)
			}
			if _, err := strconv.ParseUint(r.Args[len(r.Args)-1], 10, 62); r.Verb == "transfer" && err != nil {
				return bad("set %d: %q: the sum is not a whole number", i+1, r)
			}
		}
		for _, id := range slices.Concat(x.Live, x.Traitors()) {
			if int(id) >= s.Replicas {
				return bad("set %d: there is no replica %d", i+1, id)
			}
		}
		for _, part := range x.Print {
			if !slices.Contains(Parts, part) {
				return bad("set %d: print %q: choose of %s", i+1, part, strings.Join(Parts, ", "))
			}
		}
		for _, id := range x.Traitors() {
			for _, text := range x.Byzantine[id] {
				if _, err := catalogue.Parse(text); err != nil {
					return bad("set %d: replica %d: %v", i+1, id, err)
				}
			}
		}
	}
	return nil
}

// Traitors are those who lie in the set, ascending.
func (x *Set) Traitors() []consensus.ReplicaID {
	var ids []consensus.ReplicaID
	for id := range x.Byzantine {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Accounts are the keys that transfers and balances name, in order of
// appearance.
func (s *Scenario) Accounts() []string {
	var all []string
	for _, x := range s.Sets {
		for _, r := range x.Requests {
			n := map[string]int{"transfer": 2, "balance": 1}[r.Verb]
			for _, name := range r.Args[:n] {
				if !slices.Contains(all, name) {
					all = append(all, name)
				}
			}
		}
	}
	return all
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

// Keys are all that requests name, in order of appearance.
func (s *Scenario) Keys() []string {
	var all []string
	for _, x := range s.Sets {
		for _, r := range x.Requests {
			names := r.Args[:1]
			if r.Verb == "transfer" {
				names = r.Args[:2]
			}
			for _, name := range names {
				if !slices.Contains(all, name) {
					all = append(all, name)
				}
			}
		}
	}
	return all
}
