package app

import (
	"errors"
	"fmt"
	"math"

	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Machine performs an engine's jobs: it executes batches exactly once, takes
// roots at checkpoints, keeps certified heights, takes over certified states
// of others, and answers clients from their sessions. One goroutine owns it.
type Machine struct {
	state       *state.State
	application Application
	genesis     consensus.Genesis
	roles       consensus.Roles
	replica     consensus.ReplicaID
	table       *table
	at          position
	view        consensus.View         // of the last commit: a hint for clients
	target      consensus.RestoreBegin // of the restore that is open, or was last
	tasks       int                    // given out and not finished
	err         error                  // the first failure; it stands
}

// Options are this replica's own: they never reach the replicated state.
type Options struct {
	Replica consensus.ReplicaID // named in replies, as a hint
	State   state.Config
}

// Outcome is what a job brought about, for the host to pass on.
type Outcome struct {
	// Replies go to the clients that they name. What a batch's replies hold
	// together is bounded (MaxReplyBytes); a client whose reply was left
	// out asks again and is answered from its session.
	Replies []consensus.Reply
	// Refusals go to the clients that they name. The host fills in Primary.
	Refusals []consensus.Refusal
	// Events go to the engine: Executed, Rooted, Kept, Staged, Restored.
	Events []consensus.Event
	// Notes are for this replica's log, nobody else.
	Notes []consensus.Note

	replyBytes int
}

// MaxReplyBytes bounds the results that one Outcome carries, in bytes, but
// for one reply, which may be as large as the genesis allows.
const MaxReplyBytes = 32 << 20

// maxNotes bounds the notes of one Outcome.
const maxNotes = 16

// ErrJob says that a job came that cannot come: the engine or the driver
// broke the contract. Like a failed disk it ends the process.
var ErrJob = errors.New("impossible job")

// Open opens the machine on store, at the height that its disk holds; on an
// empty store that is height 0, with what an Initialiser writes. The log's
// commits above the height are executed again by Do. It fails if the store
// belongs to another cluster or is damaged, and if the genesis names another
// application or has limits that the state cannot hold.
func Open(store state.Store, application Application, genesis consensus.Genesis, options Options) (*Machine, error) {
	if err := genesis.Validate(); err != nil {
		return nil, err
	}
	if err := Suits(application, &genesis); err != nil {
		return nil, err
	}
	if err := checkLimits(&genesis.Limits); err != nil {
		return nil, err
	}
	st, err := state.Open(store, options.State)
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	m := &Machine{
		state: st, application: application, genesis: genesis, roles: genesis.Roles(), replica: options.Replica,
		table: newTable(&genesis),
	}
	if err := m.reload(); err != nil {
		return nil, err
	}
	return m, nil
}

// checkLimits refuses limits under which a value, an application's key or a
// kept reply could be too large for the state.
func checkLimits(l *consensus.Limits) error {
	const list = 2 + 4*consensus.MaxOperations // results that hold nothing
	switch {
	case 1+l.KeyBytes > state.MaxKeyBytes:
		return fmt.Errorf("%w: limits.key_bytes is %d, the state holds %d", consensus.ErrGenesis, l.KeyBytes, state.MaxKeyBytes-1)
	case l.ValueBytes+ValueOverhead > state.MaxValueBytes:
		return fmt.Errorf("%w: limits.value_bytes is %d, the state holds %d", consensus.ErrGenesis, l.ValueBytes, state.MaxValueBytes-ValueOverhead)
	case replyHead+max(l.ResultBytes, list) > state.MaxValueBytes:
		return fmt.Errorf("%w: limits.result_bytes is %d, the state holds %d", consensus.ErrGenesis, l.ResultBytes, state.MaxValueBytes-replyHead)
	}
	return nil
}

// reload takes everything in memory from the state, which stands at its
// disk's height: after opening, and when what was above it has been dropped.
func (m *Machine) reload() error {
	if err := m.load(); err != nil || m.at.seq > 0 {
		return err
	}
	return m.initialise()
}

// load is reload without the state of height 0, which lies above the disk.
func (m *Machine) load() error {
	m.table.forget()
	at, found, err := readPosition(m.state)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	cluster := m.genesis.ID()
	height, _, _ := m.state.Height()
	switch {
	case found && at.cluster != cluster:
		return fmt.Errorf("the state belongs to cluster %s, the genesis is that of %s: use the data directory that belongs to it", at.cluster.Short(), cluster.Short())
	case at.seq != height:
		return fmt.Errorf("state at height %d says that it is at %d: %w", height, at.seq, errRecord)
	}
	if !found {
		at = beginning(&m.genesis)
	}
	at.cluster = cluster
	m.at = at
	m.table.epochs = newEpochs(at.time, m.genesis.Limits.SessionIdle)
	m.table.sessions, m.table.foreign, m.table.nextDue = at.sessions, at.foreign, 0
	return nil
}

// initialise lets the application write the state of height 0.
func (m *Machine) initialise() (err error) {
	a, ok := m.application.(Initialiser)
	if !ok {
		return nil
	}
	tx := m.state.Begin()
	defer tx.Rollback()
	g := &guard{tx: tx, limits: &m.genesis.Limits, steps: math.MaxInt, bytes: math.MaxInt}
	defer func() {
		p := recover()
		switch {
		case g.ended == endFailed:
			err = g.err
		case g.ended == endLimit:
			err = errors.New("initialise the application: a key or value is over the limits of the genesis")
		case p != nil:
			err = fmt.Errorf("initialise the application: panic: %s", describe(p))
		}
	}()
	if err := a.Initialise(g); err != nil {
		return fmt.Errorf("initialise the application: %w", err)
	}
	return tx.Commit()
}

// Applied is the sequence number of the last batch executed.
func (m *Machine) Applied() consensus.Seq { return m.at.seq }

// Operations is how many operations were executed since the genesis.
func (m *Machine) Operations() uint64 { return m.at.order }

// Height is what the disk holds: the certified height, its root, and its
// certificate. consensus.Recovered wants all three.
func (m *Machine) Height() (consensus.Seq, crypto.Digest, []byte) { return m.state.Height() }

// Peek is what the application holds under a key, as of the last execution.
// It is for looking on: it counts no steps and changes nothing. Errors are the
// disk's.
func (m *Machine) Peek(key []byte) (value []byte, found bool, err error) {
	return m.state.Get(string(append([]byte{prefixApplication}, key...)))
}

// Snapshot returns the servable state at seq with root, or state.ErrGone; any
// other error is the disk's and stands, as one of Do does. The snapshot's Read may
// be called from other goroutines.
func (m *Machine) Snapshot(seq consensus.Seq, root crypto.Digest) (*state.Snapshot, error) {
	if m.err != nil {
		return nil, m.err
	}
	s, err := m.state.Snapshot(seq, root)
	if err != nil && !errors.Is(err, state.ErrGone) {
		m.err = fmt.Errorf("serve the state at %d: %w", seq, err)
		return nil, m.err
	}
	return s, err
}

// begin is Begin without the account.
func (m *Machine) begin(job consensus.Job, out *Outcome) (*Task, error) {
	switch j := job.(type) {
	case consensus.Commit:
		return m.commit(&j, out)
	case consensus.Stabilize:
		return m.stabilize(&j, out)
	case consensus.Answer:
		return nil, m.answer(j.Request, out)
	}
	if m.tasks > 0 {
		return nil, fmt.Errorf("%w: %T while a task is under way", ErrJob, job)
	}
	switch j := job.(type) {
	case consensus.RestoreBegin:
		return nil, m.restoreBegin(&j, out)
	case consensus.RestorePut:
		return nil, m.restorePut(&j, out)
	case consensus.RestoreEnd:
		return nil, m.restoreEnd(out)
	case consensus.RestoreAbort:
		return nil, m.restoreAbort()
	}
	return nil, fmt.Errorf("%w: %T", ErrJob, job)
}

func (o *Outcome) note(n consensus.Note) {
	if len(o.Notes) < maxNotes {
		o.Notes = append(o.Notes, n)
	}
}
