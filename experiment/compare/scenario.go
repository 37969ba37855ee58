package compare

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/consensus"
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

// The kinds of faults, as package testnet does them.
const (
	Kill    = "kill"
	Pause   = "pause"
	Resume  = "resume"
	Restart = "restart"
	Wipe    = "wipe"
	Corrupt = "corrupt"
	Heal    = "heal"
)

// kinds are all of them, with the role that is meant where a fault names nobody.
var kinds = map[string]string{Kill: "", Pause: "", Resume: RolePaused, Restart: RoleKilled, Wipe: "", Corrupt: "", Heal: RoleTraitor}

// kindNames is the list for people.
const kindNames = "kill, pause, resume, restart, wipe, corrupt or heal"

// The roles that a fault can name instead of a number. Each cluster has its own
// replica in a role, and it is looked up when the fault happens.
const (
	RoleLeader   = "leader"   // or "primary": who leads at that moment
	RoleFollower = "follower" // the first honest one that runs and does not lead
	RoleKilled   = "killed"   // who was killed last, and is down
	RolePaused   = "paused"   // who was paused last, and still is
	RoleTraitor  = "traitor"  // who was corrupted last
)

// roles are what may be written, and what it means.
var roles = map[string]string{
	"leader": RoleLeader, "primary": RoleLeader, "follower": RoleFollower, "backup": RoleFollower,
	"killed": RoleKilled, "paused": RolePaused, "traitor": RoleTraitor,
}

// makes is which kind of fault must have happened before a role has anybody.
var makes = map[string]string{RoleKilled: Kill, RolePaused: Pause, RoleTraitor: Corrupt}

// Fault is one line of a scenario: it happens to both clusters.
type Fault struct {
	At         Moment
	Kind       string
	Replica    int                 // by number; -1 = by Role
	Role       string              // one of the roles; "" with a number
	Behaviours map[string][]string // of Corrupt: by protocol
	Number     int                 // in the file, from 1
	Line       int                 // of the file; 0 = not known
}

// Moment is a time since the load began, or a share of the time it lasts.
type Moment struct {
	Since time.Duration
	Share float64 // 0 to 1; counts if Since is 0
}

// Of is the moment in a load that lasts so long.
func (m Moment) Of(whole time.Duration) time.Duration {
	if m.Since > 0 {
		return m.Since
	}
	return time.Duration(m.Share * float64(whole))
}

// Scenario is a sequence of faults.
type Scenario struct {
	Name   string
	File   string // where it came from, for errors
	Faults []Fault
}

// Limits of a scenario.
const (
	maxFaults   = 100
	maxScenario = 1 << 20 // bytes of a file
)

// scenarioFile is the file's form.
type scenarioFile struct {
	Name   string      `toml:"name"`
	Faults []faultFile `toml:"fault"`
}

type faultFile struct {
	At         string   `toml:"at"`
	Kind       string   `toml:"kind"`
	Replica    *int     `toml:"replica"`
	Role       string   `toml:"role"`
	Behaviours []string `toml:"behaviours"`
	Raft       []string `toml:"raft"`
	PBFT       []string `toml:"pbft"`
}

// defaultText is the scenario that is played if there is no file.
const defaultText = `name = "the leader is killed and returns; then a follower halts for a while"

[[fault]]
at = "25%"
kind = "kill"
role = "leader"

[[fault]]
at = "50%"
kind = "restart"

[[fault]]
at = "65%"
kind = "pause"
role = "follower"

[[fault]]
at = "80%"
kind = "resume"
`

// Default is the scenario that is played if there is no file.
func Default() *Scenario {
	s, err := ParseScenario([]byte(defaultText))
	if err != nil {
		panic(fmt.Sprintf("the built-in scenario: %v", err))
	}
	return s
}

// LoadScenario reads a scenario file. Errors are *ScenarioErrors or the file
// system's.
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
	s, err := ParseScenario(b)
	var wrong *ScenarioError
	if errors.As(err, &wrong) {
		wrong.File = path
	}
	if err == nil {
		s.File = path
	}
	return s, err
}

// ParseScenario reads the text of a scenario. A key that nobody knows is an
// error. Errors are *ScenarioErrors.
func ParseScenario(text []byte) (*Scenario, error) {
	var f scenarioFile
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&f); err != nil {
		return nil, explain(err)
	}
	s := &Scenario{Name: f.Name}
	if s.Name == "" {
		s.Name = "unnamed"
	}
	if len(f.Faults) > maxFaults {
		return nil, &ScenarioError{Text: fmt.Sprintf("%d faults: at most %d", len(f.Faults), maxFaults)}
	}
	lines := headings(text)
	for i := range f.Faults {
		line := 0
		if len(lines) == len(f.Faults) {
			line = lines[i]
		}
		fault, why := f.Faults[i].fault()
		if why != "" {
			return nil, &ScenarioError{Line: line, Text: fmt.Sprintf("fault %d: %s", i+1, why)}
		}
		fault.Number, fault.Line = i+1, line
		s.Faults = append(s.Faults, fault)
	}
	return s, nil
}

// headings are the lines on which the faults begin. The decoder does not tell,
// once it is content.
func headings(text []byte) (lines []int) {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if bytes.HasPrefix(bytes.ReplaceAll(line, []byte(" "), nil), []byte("[[fault]]")) {
			lines = append(lines, n)
		}
	}
	return lines
}

// explain makes one line of a decoder's error.
func explain(err error) *ScenarioError {
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &unknown) && len(unknown.Errors) > 0:
		line, _ := unknown.Errors[0].Position()
		key := strings.Join(unknown.Errors[0].Key(), ".")
		return &ScenarioError{Line: line, Text: fmt.Sprintf("unknown key %q: a file has name and [[fault]]s with at, kind, replica or role, behaviours, raft and pbft", key)}
	case errors.As(err, &wrong):
		line, _ := wrong.Position()
		return &ScenarioError{Line: line, Text: strings.TrimPrefix(wrong.Error(), "toml: ")}
	}
	return &ScenarioError{Text: strings.TrimPrefix(err.Error(), "toml: ")}
}

// fault reads one of them, or says what is wrong with it.
func (x *faultFile) fault() (f Fault, why string) {
	usual, known := kinds[x.Kind]
	if !known {
		return f, fmt.Sprintf("kind = %q: write %s", x.Kind, kindNames)
	}
	f = Fault{Kind: x.Kind, Replica: -1}
	if f.At, why = moment(x.At); why != "" {
		return f, why
	}
	switch role, known := roles[x.Role]; {
	case x.Replica != nil && x.Role != "":
		return f, "it names a replica and a role: write one of them"
	case x.Replica != nil && (*x.Replica < 0 || *x.Replica >= consensus.MaxReplicas):
		return f, fmt.Sprintf("replica = %d: write a number from 0", *x.Replica)
	case x.Replica != nil:
		f.Replica = *x.Replica
	case known:
		f.Role = role
	case x.Role != "":
		return f, fmt.Sprintf("role = %q: write leader, follower, killed, paused or traitor", x.Role)
	case usual == "":
		return f, fmt.Sprintf("whom to %s? write role = \"leader\", or replica = 0", x.Kind)
	default:
		f.Role = usual
	}
	return f, x.behave(&f)
}

// behave fills in who lies how.
func (x *faultFile) behave(f *Fault) (why string) {
	all := len(x.Behaviours) + len(x.Raft) + len(x.PBFT)
	if x.Kind != Corrupt {
		if all > 0 {
			return fmt.Sprintf("a %s has no behaviours: remove them, or write kind = \"corrupt\"", x.Kind)
		}
		return ""
	}
	if all == 0 {
		return "write behaviours = [\"silent\"] or the like, for both protocols or as raft = [...] and pbft = [...]: `quorate byzantine list` names them"
	}
	f.Behaviours = map[string][]string{protocol.Raft: x.Behaviours, protocol.PBFT: x.Behaviours}
	if x.Raft != nil {
		f.Behaviours[protocol.Raft] = x.Raft
	}
	if x.PBFT != nil {
		f.Behaviours[protocol.PBFT] = x.PBFT
	}
	for _, name := range Protocols() {
		for _, text := range f.Behaviours[name] {
			if why := canLie(name, text); why != "" {
				return why
			}
		}
	}
	return ""
}

// canLie says what keeps a replica of the protocol from a behaviour.
func canLie(name, text string) string {
	spec, err := catalogue.Parse(text)
	if err != nil {
		return err.Error()
	}
	p := *spec.Profile
	switch {
	case p.Client:
		return fmt.Sprintf("%q is a client's behaviour: `quorate byzantine list` names those of replicas", text)
	case p.Protocols != nil && !slices.Contains(p.Protocols, name):
		return fmt.Sprintf("%q is a lie in %s and not in %s: write each protocol's own, as %s = [...] and %s = [...]",
			text, strings.Join(p.Protocols, " and "), name, protocol.Raft, protocol.PBFT)
	}
	return ""
}

// moment reads a time such as 5s, or a share such as 25%.
func moment(text string) (m Moment, why string) {
	if share, ok := strings.CutSuffix(text, "%"); ok {
		v, err := strconv.ParseFloat(share, 64)
		if err == nil && v >= 0 && v <= 100 {
			return Moment{Share: v / 100}, ""
		}
	} else if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return Moment{Since: d}, ""
	}
	return m, fmt.Sprintf("at = %q: write a time since the load began, such as \"5s\", or a share of its duration, such as \"25%%\"", text)
}

// Protocols are the two that are compared, in the order of display.
func Protocols() []string { return []string{protocol.Raft, protocol.PBFT} }

// byTime are the faults in the order in which they happen.
func (s *Scenario) byTime(whole time.Duration) []Fault {
	all := slices.Clone(s.Faults)
	slices.SortStableFunc(all, func(a, b Fault) int { return cmp.Compare(a.At.Of(whole), b.At.Of(whole)) })
	return all
}
