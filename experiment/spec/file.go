package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/files"
	"quorate.dev/quorate/protocol"
)

// ErrScenario is what errors about the contents of a scenario wrap.
var ErrScenario = errors.New("invalid scenario")

// ScenarioError says what is wrong with a scenario, where, and what to write.
type ScenarioError struct {
	File string // empty if it came from no file
	Line int    // from 1; 0 = not known
	Text string
}

// Error is one line, FILE:LINE first.
func (e *ScenarioError) Error() string {
	switch {
	case e.File != "" && e.Line > 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
	case e.File != "":
		return e.File + ": " + e.Text
	case e.Line > 0:
		return fmt.Sprintf("line %d: %s", e.Line, e.Text)
	}
	return e.Text
}

// Unwrap makes it an ErrScenario.
func (e *ScenarioError) Unwrap() error { return ErrScenario }

// Limits of a scenario.
const (
	maxSets        = 200
	maxSetRequests = 1000
	maxFaults      = 100
	maxScenario    = 1 << 20 // bytes of a file
)

// scenarioTOML is the file's form.
type scenarioTOML struct {
	Name     string      `toml:"name"`
	Replicas int         `toml:"replicas"`
	Balance  uint64      `toml:"balance"`
	Seed     uint64      `toml:"seed"`
	Sets     []setTOML   `toml:"set"`
	Faults   []faultTOML `toml:"fault"`
}

type setTOML struct {
	Requests  []string            `toml:"requests"`
	Live      []int               `toml:"live"`
	Byzantine map[string][]string `toml:"byzantine"`
	Print     []string            `toml:"print"`
	Lasts     string              `toml:"lasts"`
}

type faultTOML struct {
	At         string   `toml:"at"`
	Lasts      string   `toml:"lasts"`
	Kind       string   `toml:"kind"`
	Replica    *int     `toml:"replica"`
	Replicas   []int    `toml:"replicas"`
	Role       string   `toml:"role"`
	Behaviours []string `toml:"behaviours"`
	By         string   `toml:"by"`

	own map[string][]string // by protocols: what stands under their names
}

// LoadScenario reads a scenario: TOML, or the CSV of courses if the file's name
// ends in .csv. Errors are *ScenarioErrors or the file system's.
func LoadScenario(path string) (*Scenario, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxScenario+1))
	if err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	if len(b) > maxScenario {
		return nil, &ScenarioError{File: path, Text: fmt.Sprintf("more than %d bytes: split it", maxScenario)}
	}
	parse := ParseScenario
	if strings.HasSuffix(strings.ToLower(path), ".csv") {
		parse = ParseCourse
	}
	s, err := parse(b)
	var wrong *ScenarioError
	if errors.As(err, &wrong) {
		wrong.File = path
	}
	if err == nil {
		s.File = path
	}
	return s, err
}

// ParseScenario reads the TOML form. A key that nobody knows is an error. Errors
// are *ScenarioErrors.
func ParseScenario(text []byte) (*Scenario, error) {
	f := scenarioTOML{Name: "unnamed", Replicas: 4, Seed: 1}
	if err := unknownKeys(toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&f)); err != nil {
		line, text := files.Explain(err, fmt.Sprintf(knownKeys, strings.Join(protocol.Names(), ", ")))
		if slices.ContainsFunc(times, func(key string) bool { return strings.HasPrefix(text, fmt.Sprintf("key %q", key)) }) {
			text = strings.Replace(text, "a text in quotes", "a text such as \"5s\"", 1)
		}
		return nil, &ScenarioError{Line: line, Text: text}
	}
	s := &Scenario{Name: f.Name, Replicas: f.Replicas, Balance: f.Balance, Seed: f.Seed}
	if len(f.Faults) > maxFaults {
		return nil, &ScenarioError{Text: fmt.Sprintf("%d faults: at most %d", len(f.Faults), maxFaults)}
	}
	lines := headings(text, "[[set]]", len(f.Sets))
	for i := range f.Sets {
		set, err := f.Sets[i].set()
		if err != nil {
			return nil, &ScenarioError{Line: lines[i], Text: fmt.Sprintf("set %d: %v", i+1, err)}
		}
		set.Line = lines[i]
		s.Sets = append(s.Sets, set)
	}
	lines = headings(text, "[[fault]]", len(f.Faults))
	for i := range f.Faults {
		err := f.Faults[i].lies(text, i)
		var fault ScenarioFault
		if err == nil {
			fault, err = f.Faults[i].fault()
		}
		if err != nil {
			return nil, &ScenarioError{Line: lines[i], Text: fmt.Sprintf("fault %d: %v", i+1, err)}
		}
		fault.Number, fault.Line = i+1, lines[i]
		s.Faults = append(s.Faults, fault)
	}
	return s, s.check()
}

// headings are the lines on which so many tables begin; 0 if they are not known,
// for the decoder does not tell once it is content.
func headings(text []byte, heading string, tables int) []int {
	var lines []int
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if bytes.HasPrefix(bytes.ReplaceAll(line, []byte(" "), nil), []byte(heading)) {
			lines = append(lines, n)
		}
	}
	if len(lines) != tables {
		return make([]int, tables)
	}
	return lines
}

// times are the keys of spans of time.
var times = []string{"fault.at", "fault.lasts", "fault.by", "set.lasts"}

// knownKeys says which keys there are.
const knownKeys = "a file has name, replicas, balance, seed, [[set]]s with requests, live, byzantine, print and lasts, " +
	"and [[fault]]s with at, kind, lasts, replica, replicas or role, by, behaviours, or the behaviours of one protocol alone: %s"

// unknownKeys is an error of the decoder without the names of protocols, under
// which a fault has the lies of each.
func unknownKeys(err error) error {
	var unknown *toml.StrictMissingError
	if !errors.As(err, &unknown) {
		return err
	}
	unknown.Errors = slices.DeleteFunc(unknown.Errors, func(e toml.DecodeError) bool {
		key := e.Key()
		return len(key) == 2 && key[0] == "fault" && slices.Contains(protocol.Names(), key[1])
	})
	if len(unknown.Errors) == 0 {
		return nil
	}
	return unknown
}

// lies reads what stands under the names of protocols in one fault of the file.
func (x *faultTOML) lies(text []byte, number int) error {
	var file struct {
		Faults []map[string]any `toml:"fault"`
	}
	if err := toml.Unmarshal(text, &file); err != nil {
		return err
	}
	x.own = map[string][]string{}
	for _, name := range protocol.Names() {
		written, there := file.Faults[number][name]
		if !there {
			continue
		}
		list, ok := written.([]any)
		x.own[name] = []string{}
		for _, e := range list {
			behaviour, is := e.(string)
			ok = ok && is
			x.own[name] = append(x.own[name], behaviour)
		}
		if !ok {
			return fmt.Errorf("%s must be a list of texts, such as [\"silent\"]", name)
		}
	}
	return nil
}

// eachOwn tells how to write the behaviours of each protocol.
func eachOwn() string { return strings.Join(protocol.Names(), " = [...] and ") + " = [...]" }

// set reads one stretch.
func (x *setTOML) set() (s Set, err error) {
	s = Set{Print: x.Print, Byzantine: map[consensus.ReplicaID][]string{}}
	for _, line := range x.Requests {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			return s, errors.New("an empty request: write \"put KEY VALUE\" or the like")
		}
		s.Requests = append(s.Requests, Request{Verb: fields[0], Args: fields[1:]})
	}
	if s.Live, err = replicaIDs(x.Live); err != nil {
		return s, fmt.Errorf("live: %w", err)
	}
	for name, behaviours := range x.Byzantine {
		id, err := strconv.ParseUint(name, 10, 16)
		if err != nil {
			return s, fmt.Errorf("byzantine: %q is not the number of a replica", name)
		}
		s.Byzantine[consensus.ReplicaID(id)] = behaviours
	}
	s.Lasts, err = lasting(x.Lasts)
	return s, err
}

// replicaIDs are the replicas of these numbers; nil if there is no list.
func replicaIDs(numbers []int) ([]consensus.ReplicaID, error) {
	if numbers == nil {
		return nil, nil
	}
	ids := []consensus.ReplicaID{}
	for _, n := range numbers {
		if n < 0 || n > math.MaxUint16 {
			return nil, fmt.Errorf("there is no replica %d", n)
		}
		ids = append(ids, consensus.ReplicaID(n))
	}
	return ids, nil
}

// lasting reads how long something lasts; 0 if that is not said.
func lasting(text string) (consensus.Time, error) {
	d, err := time.ParseDuration(text)
	switch {
	case text == "":
		return 0, nil
	case err != nil || d <= 0 || d > time.Hour:
		return 0, fmt.Errorf("lasts = %q: write a time such as \"5s\", up to an hour", text)
	}
	return consensus.Time(d), nil
}

// roles are what may be written, and what it means.
var roles = map[string]Role{
	"leader": RoleLeader, "primary": RoleLeader, "follower": RoleFollower, "backup": RoleFollower,
	"crashed": RoleCrashed, "paused": RolePaused, "corrupted": RoleCorrupted,
}

// fault reads one of them.
func (x *faultTOML) fault() (f ScenarioFault, err error) {
	if f.Kind, f.Ends, err = kindOf(x.Kind); err != nil {
		return f, err
	}
	if f.Moment, err = moment(x.At); err != nil {
		return f, err
	}
	if f.Lasts, err = lasting(x.Lasts); err != nil {
		return f, err
	}
	if f.Lasts > 0 && (f.Ends || f.Kind == Wipe) {
		return f, fmt.Errorf("lasts has no meaning for %s: remove it", x.Kind)
	}
	if err := x.whom(&f); err != nil {
		return f, err
	}
	return f, x.how(&f)
}

// kindOf reads the name of a fault, or the word for its end.
func kindOf(text string) (kind Kind, over bool, err error) {
	var names []string
	for _, k := range kinds {
		if text == string(k) || text != "" && text == ends[k] {
			return k, text != string(k), nil
		}
		names = append(names, string(k))
	}
	return "", false, fmt.Errorf("kind = %q: write %s, or restart, resume or heal", text, strings.Join(names, ", "))
}

// whom fills in who it befalls.
func (x *faultTOML) whom(f *ScenarioFault) error {
	numbers := x.Replicas
	if x.Replica != nil {
		numbers = append(numbers, *x.Replica)
	}
	role, known := roles[x.Role]
	switch {
	case x.Replica != nil && x.Replicas != nil:
		return errors.New("it has replica and replicas: write one of them")
	case len(numbers) > 0 && x.Role != "":
		return errors.New("it names a replica and a role: write one of them")
	case slices.ContainsFunc(numbers, func(n int) bool { return n < 0 || n >= consensus.MaxReplicas }):
		return fmt.Errorf("replica = %d: write a number from 0", numbers[0])
	case len(numbers) > 0:
		var err error
		f.Replicas, err = replicaIDs(numbers)
		return err
	case known:
		f.Role = role
	case x.Role != "":
		return fmt.Errorf("role = %q: write leader, follower, crashed, paused or corrupted", x.Role)
	case !f.Ends || ended[f.Kind] == "":
		return errors.New("name the replica: role = \"leader\", or replica = 0")
	default:
		f.Role = ended[f.Kind]
	}
	return nil
}

// how fills in who lies how, and how late things come.
func (x *faultTOML) how(f *ScenarioFault) error {
	lies := slices.Clone(x.Behaviours)
	for _, name := range protocol.Names() {
		lies = append(lies, x.own[name]...)
	}
	corrupts := f.Kind == Corrupt && !f.Ends
	switch {
	case !corrupts && len(lies) > 0:
		return fmt.Errorf("a %s has no behaviours: remove them, or write kind = \"corrupt\"", x.Kind)
	case corrupts && len(lies) == 0:
		return fmt.Errorf("write behaviours = [\"silent\"] or the like, for all protocols or as %s: `quorate byzantine list` names them", eachOwn())
	case f.Kind != Delay && x.By != "":
		return errors.New("by is only for kind = \"delay\"")
	}
	f.Behaviours, f.Own = x.Behaviours, x.own
	for _, text := range lies {
		if _, err := catalogue.Parse(text); err != nil {
			return err
		}
	}
	if f.Kind == Delay {
		d, err := time.ParseDuration(x.By)
		if err != nil || d <= 0 || d > time.Minute {
			return fmt.Errorf("by = %q: write how much later things come, such as \"40ms\", up to a minute", x.By)
		}
		f.By = consensus.Time(d)
	}
	return nil
}

// moment reads a time such as 5s, or a share such as 25%.
func moment(text string) (m Moment, err error) {
	if share, ok := strings.CutSuffix(text, "%"); ok {
		v, err := strconv.ParseFloat(share, 64)
		if err == nil && v >= 0 && v <= 100 {
			return Moment{Share: v / 100}, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return Moment{Since: consensus.Time(d)}, nil
	}
	return m, fmt.Errorf("at = %q: write a time since the load began, such as \"5s\", or a share of its duration, such as \"25%%\"", text)
}
