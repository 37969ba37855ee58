package protocol

import (
	"errors"
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/noun"
)

// Names of the protocols of this program, as a genesis has them.
const (
	PBFT  = "pbft"
	Raft  = "raft"
	Paxos = "paxos"
)

// Protocol is everything about one protocol that is not its engine.
type Protocol struct {
	Name  string // as a genesis has it
	Title string // as people write it
	Model quorum.Model
	// Signed: replicas sign what they promise, in the frames that package
	// evidence reads, so that a liar can be convicted.
	Signed bool
	// Elected: a view has the leader that its members elect, if any, and those
	// who follow say nothing to each other. Otherwise replica v mod n leads view v.
	Elected bool
	Leads   Leading
	// Rejoins: a replica that lost its disk votes for nothing until what it may
	// have forgotten cannot matter. Otherwise it takes part at once.
	Rejoins bool
	Words   Words
	Kinds   []string // names of its frames' kinds; nil = they are known by numbers
	// Decisive are first bytes of the frames that decide something. All else
	// repeats what these have said.
	Decisive []byte
	// NewCodec makes the reader of a cluster's frames; nil = its frames are
	// opaque. Callers use Codec.
	NewCodec func(consensus.Genesis) Codec
	// Lie is the reason for which a replica ignores what only a lie can be; ""
	// if there is no such thing.
	Lie        consensus.Reason
	Reasons    []consensus.Reason          // to ignore or refuse a message
	OutOfReach map[consensus.Reason]string // those that seeds hardly hit, and why: they are for rule tests
	Goals      []Goal                      // what seeds should reach, beside what every protocol's do
	Costs      Costs
	New        func(Settings) (consensus.Protocol, error)
}

// Leading is how a protocol comes by its leaders, of which theory says how each kind
// meets a fault.
type Leading uint8

// The ways to lead.
const (
	ByTurn    Leading = iota // whose turn it is, once a quorum has left the view before
	ByVote                   // whom members vote for: one whose log is not behind their own
	ByPromise                // whom a majority promises, and tells what it has accepted
)

// Words are those in which people speak of a protocol. A status has one set of
// fields for all of them.
type Words struct {
	View    string // "view" or "term"
	Lead    string // who proposes: "primary" or "leader"
	Follow  string // who does not: "backup" or "follower"
	Between string // the role of one that is in no view: "changing view" or "no leader"
	Place   string // what a batch stands at: "sequence" or "index"
}

// Settings are what every host tells a protocol about one replica. Times are
// in ticks. What is 0 is the protocol's own default.
type Settings struct {
	Genesis  consensus.Genesis
	Self     consensus.ReplicaID
	Signer   crypto.Signer
	Verifier crypto.Verifier // for what the engine verifies itself; Open gets its own

	TickLength     consensus.Time // nanoseconds between two ticks
	Patience       int            // how long a request may wait
	PatienceCap    int            // ... at most, after fruitless views
	LeaderPatience int            // how long an elected leader may be silent
	StatusEvery    int            // between two reports to the others
	RejoinEvery    int            // between two rejoins of one peer that we help
	Pipeline       int            // batches proposed and not yet decided
	PendingCount   int            // requests that wait here, per lane
	PendingBytes   int            // their bytes, per lane
	CheckEachStep  bool           // test invariants after each step (tests and simulations)
	Elections      Elections
}

// Elections says what elections go without, to show what it is for. The zero
// value is how a service runs.
type Elections struct {
	NoPreVote     bool // of Raft
	NoCheckQuorum bool
	NoStickiness  bool // of Paxos: members answer whoever has a higher ballot, however well they hear their leader
	NoBackoff     bool // ... who is preempted does not wait
	AnyLeader     bool // ... whoever has a request prepares
}

// Goal is something that seeds should reach.
type Goal struct {
	Name  string
	Least int // runs among a thousand
	Seen  func(*Run) bool
}

// Run is what happened in one simulated run, as far as goals ask.
type Run struct {
	Changes         uint64 // times that an honest replica left a view
	InARow          uint64 // ... having executed nothing new since it left one before
	LeadersLost     uint64 // times that a leader died with something in flight
	FetchedInChange uint64 // times that a transfer of the state met a view change
	Refusals        uint64 // answers to clients that are not results
	Notes           map[consensus.NoteKind]int
	Reasons         map[consensus.Reason]int
}

// registered are the protocols in the order of their registration.
var registered = []Protocol{pbftProtocol(), raftProtocol(), paxosProtocol()}

// Register adds a protocol of a test's own, before anything runs. A name that
// is taken, or a protocol without name, model or New, is a mistake of the
// caller's.
func Register(p Protocol) {
	if p.Name == "" || p.Model == 0 || p.New == nil || slices.Contains(Names(), p.Name) {
		panic(fmt.Sprintf("protocol: %q cannot be registered: it needs a name of its own, a model and New", p.Name))
	}
	registered = append(registered, p)
}

// All lists the protocols.
func All() []Protocol { return slices.Clone(registered) }

// Names lists their names.
func Names() []string {
	var names []string
	for _, p := range registered {
		names = append(names, p.Name)
	}
	return names
}

// UnknownError says that there is no protocol of a name, and which ones there are.
type UnknownError struct {
	Name  string
	Known []string
}

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("protocol %q: choose %s", e.Name, noun.Either(e.Known))
}

// Lookup finds a protocol by its name. The error is an *UnknownError.
func Lookup(name string) (Protocol, error) {
	for _, p := range registered {
		if p.Name == name {
			return p, nil
		}
	}
	return Protocol{}, &UnknownError{Name: name, Known: Names()}
}

// Of is the protocol of a genesis. The error wraps consensus.ErrGenesis and an
// *UnknownError.
func Of(g consensus.Genesis) (Protocol, error) {
	p, err := Lookup(g.Protocol)
	if err != nil {
		return Protocol{}, fmt.Errorf("%w: %w", consensus.ErrGenesis, err)
	}
	return p, nil
}

// System is the fault arithmetic of a genesis. The error wraps
// consensus.ErrGenesis.
func System(g consensus.Genesis) (quorum.System, error) {
	p, err := Of(g)
	if err != nil {
		return quorum.System{}, err
	}
	return p.Model.For(&g)
}

// ErrFaults: so many replicas do not tolerate so many faults, or more of them
// are asked for than it takes.
var ErrFaults = errors.New("the number of replicas does not fit the number of faults")

// Fit holds a number of replicas against a wish for f faults. It fails,
// wrapping ErrFaults and saying which number would do, if n is not the least
// that tolerates f, and wrapping consensus.ErrGenesis if n is impossible.
func (p Protocol) Fit(n, f int) error {
	s, err := p.Model.Of(n)
	if err != nil {
		return err
	}
	least := p.Model.Least(f)
	if n == least && f >= 0 {
		return nil
	}
	tolerate := "tolerate"
	if n == 1 {
		tolerate = "tolerates"
	}
	return fmt.Errorf("%w: %s of %s %s %d; for %d it takes %s", ErrFaults, noun.Several(n, "replica"), p.Name, tolerate, s.Faults(), f, noun.Several(least, "replica"))
}
