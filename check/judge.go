package check

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/check/linear"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/protocol"
)

// Kind names what was violated.
type Kind string

// The kinds of violations.
const (
	Fork          Kind = "fork"          // two batches at one height, executed or certified
	Divergence    Kind = "divergence"    // one history, two states or two replies
	Validity      Kind = "validity"      // something was executed that no client signed
	Twice         Kind = "twice"         // an operation was executed at two places
	Lost          Kind = "lost"          // a believed result did not stay
	Denied        Kind = "denied"        // executed, although its client was told that it was not and will not be
	Nonlinear     Kind = "nonlinear"     // the history of a key has no linearization
	Contradiction Kind = "contradiction" // an honest replica contradicted itself
	Framed        Kind = "framed"        // evidence against an honest replica, or a blame of one
	Unnamed       Kind = "unnamed"       // a fork whose f+1 culprits evidence does not name
	Deceived      Kind = "deceived"      // a client believed what no honest replica answered
	Growth        Kind = "growth"        // something grew beyond its bound
	Stuck         Kind = "stuck"         // no progress within the bound after healing
	Broken        Kind = "broken"        // a panic, a replica that does not start, a halt
)

// Violation is something that must never happen and did.
type Violation struct {
	At   consensus.Time // since the start of the run
	Kind Kind
	Text string
}

// String is the violation with its time, in seconds.
func (v Violation) String() string {
	return fmt.Sprintf("at %d.%06d: %s: %s", v.At/1e9, v.At%1e9/1000, v.Kind, v.Text)
}

// Config is what a judge knows before the run.
type Config struct {
	Genesis  consensus.Genesis
	Verifier crypto.Verifier                // judges signatures; nil = Ed25519 by the genesis alone
	Honest   func(consensus.ReplicaID) bool // asked once for each; nil = everybody
	// Clients are the honest clients, whose every request is told and who never
	// ask twice for equal bytes; nil = everybody. Of others the signatures count.
	Clients func(crypto.PublicKey) bool
	// Application executes the agreed batches again, so that the results of READs are
	// held against them; nil = nobody does.
	Application app.Application
	Model       *linear.Model // what operations do; nil = linearizability is not asked
	Budget      int           // steps of the search for one key; 0 = linear.DefaultBudget
	// Investigate has the transcripts read for evidence in any case, not only
	// if there was a fork or there are traitors. It costs about as much as the
	// run itself.
	Investigate bool
	Report      func(Violation) // hears of each violation at once; may be nil
	// words say what was asked, and what was answered; nil = calls have numbers alone.
	words func(op []byte, r *consensus.Result) (asked, answered string)
}

// Answer says how a question ended that may remain open.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown" // not asked, or not decided in the time given
)

// Verdict is how a run is judged.
type Verdict struct {
	Violations   []Violation
	Forked       bool                  // two certificates or executions for one height
	ForkAt       consensus.Seq         // the lowest such height
	Culprits     []consensus.ReplicaID // whom evidence names, ascending
	Evidence     []evidence.Entry
	Linearizable Answer
	Why          []string      `json:",omitempty"` // ... it is unknown
	Executed     consensus.Seq // of a real run: up to where its batches were executed again
	Scope        *Scope        `json:",omitempty"` // of a real run
	Unjudged     string        `json:",omitempty"` // of a real run: why too little was judged to call it safe; "" = enough
}

// ErrUnjudged is what the error of a verdict wraps that rests on too little.
var ErrUnjudged = errors.New("nothing was judged")

// Enough fails if too little was judged to say that a run was safe. What was found
// stands all the same.
func (v *Verdict) Enough() error {
	if v.Unjudged == "" {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUnjudged, v.Unjudged)
}

// Safe reports whether enough was judged and nothing that must never happen did;
// being stuck is not unsafe.
func (v *Verdict) Safe() bool {
	if v.Unjudged != "" {
		return false
	}
	for _, x := range v.Violations {
		if x.Kind != Stuck {
			return false
		}
	}
	return !v.Forked
}

// Judge hears of everything and touches nothing. Not safe for concurrent use.
type Judge struct {
	cfg        Config
	verifier   crypto.Verifier                             // as configured; may be nil
	members    uint64                                      // the honest, one bit each
	convicts   bool                                        // frames convict: they are read here and by package evidence
	promise    func(frame []byte) (protocol.Promise, bool) // ... of those that do not
	floor      func(frame []byte) (protocol.Floor, bool)
	roles      consensus.Roles // who may be a client
	last       lastFrame
	violations []Violation
	count      map[Kind]int
	forkAt     consensus.Seq  // 0 = none
	partial    bool           // not every execution is told
	until      consensus.Time // ... and none after this
	again      consensus.Seq  // up to where batches were executed again

	kept       map[consensus.Seq]consensus.Commit // what was agreed on, to be executed again; nil = nobody does
	agreement  agreement
	ledger     ledger
	promises   promises
	floors     floors
	ballots    ballots
	accepted   accepted
	transcript transcript
	next       [consensus.MaxReplicas]consensus.Seq // what each replica must commit next; 0 = anything
	taken      consensus.Seq                        // the highest state that an honest replica took from others
}

// maxOfKind bounds the violations that are kept of each kind: the first one is
// what matters.
const maxOfKind = 4

// New makes the judge of one run.
func New(c Config) *Judge {
	p, _ := protocol.Of(c.Genesis) // of one that nobody knows, frames say nothing
	codec := p.Codec(c.Genesis)
	j := &Judge{
		cfg: c, verifier: c.Verifier, convicts: p.Signed, promise: codec.Promise, floor: codec.Floor, count: map[Kind]int{},
		roles: c.Genesis.Roles(), agreement: newAgreement(), ledger: newLedger(), promises: promises{}, floors: floors{},
		until: math.MaxInt64, ballots: newBallots(&c.Genesis), accepted: accepted{calls: map[CallID]*call{}},
	}
	if c.Application != nil && c.Model != nil {
		j.kept = map[consensus.Seq]consensus.Commit{}
	}
	if c.Verifier == nil {
		j.cfg.Verifier = crypto.NewVerifier(nil)
	}
	for i := range c.Genesis.Replicas {
		if c.Honest == nil || c.Honest(consensus.ReplicaID(i)) {
			j.members |= 1 << (i % consensus.MaxReplicas)
		}
	}
	return j
}

// executor stands among the replicas for the rerun of a real run.
const executor = consensus.ReplicaID(0xffff)

// name names a replica for people.
func name(id consensus.ReplicaID) string {
	if id == executor {
		return "the rerun"
	}
	return fmt.Sprintf("R%d", id)
}

// honest reports whether id is a member that is judged.
func (j *Judge) honest(id consensus.ReplicaID) bool {
	return id < consensus.MaxReplicas && j.members>>id&1 == 1
}

// traitors counts the members that are not judged.
func (j *Judge) traitors() int { return len(j.cfg.Genesis.Replicas) - bits.OnesCount64(j.members) }

// violate reports a violation.
func (j *Judge) violate(at consensus.Time, k Kind, format string, args ...any) {
	if j.count[k]++; j.count[k] > maxOfKind {
		return
	}
	v := Violation{At: at, Kind: k, Text: fmt.Sprintf(format, args...)}
	j.violations = append(j.violations, v)
	if j.cfg.Report != nil {
		j.cfg.Report(v)
	}
}

// fork reports two batches at one height.
func (j *Judge) fork(at consensus.Time, n consensus.Seq, format string, args ...any) {
	if j.forkAt == 0 || n < j.forkAt {
		j.forkAt = n
	}
	j.violate(at, Fork, format, args...)
}

// Failed reports whether anything was violated so far.
func (j *Judge) Failed() bool { return len(j.violations) > 0 }

// lastFrame recognises a frame that is told again for another receiver.
type lastFrame struct {
	by   consensus.ReplicaID
	head *byte
	size int
}

func (t *lastFrame) same(by consensus.ReplicaID, frame []byte) bool {
	now := lastFrame{by: by, head: &frame[0], size: len(frame)}
	again := now == *t
	*t = now
	return again
}
