package consensus

import "quorate.dev/quorate/crypto"

// Engine is one replica's protocol as a deterministic state machine: no
// goroutines, no clock, no I/O, no randomness of its own. The same bursts in
// the same order give the same outputs, bit for bit. It is not safe for
// concurrent use; the driver is its only caller.
type Engine interface {
	// Step takes everything that waited and says everything to do about it.
	Step(Burst) Output
	// Status describes the replica for people; it copies what it returns.
	Status() Status
	// Horizon is an immutable picture of what is already settled. The host
	// hands it, possibly late, to Open, which drops what lies below it
	// before spending a verification.
	Horizon() Horizon
}

// Horizon is made by an engine and understood by the Open of its own protocol
// only. Nil is always allowed and filters nothing.
type Horizon any

// Burst is everything that waited, votes first, bounded (MaxBurst). Now is the
// host's clock, an input like any other. Proposals are made once, at the end
// of the burst, so that a primary under load gathers instead of closing
// batches of one request.
type Burst struct {
	Now    Time
	Events []Event
	// Lies says that the host says more in the engine's name than the engine
	// does, on purpose: words of its own that it does not remember mean nothing.
	// Set by package byzantine and for twins.
	Lies bool
	// Durable says that the records of the engine's first outputs, so many of
	// them, are on disk. The driver sets it.
	Durable uint64
}

// MaxBurst bounds the number of events in one burst.
const MaxBurst = 1024

// Event is what happened. The set is sealed.
type Event interface{ event() }

type (
	// Tick says that one tick of time (the genesis' neighbour in local
	// configuration, 10 ms by default) has gone by.
	Tick struct{}

	// Submit is an authentic request from a permitted client: directly, by
	// the topic (both have Via.Kind PeerClient), or forwarded by a replica.
	Submit struct {
		Via     Peer
		Request *Request
	}

	// Ask is a READ of a permitted client, by its own channel.
	Ask struct{ Query *Query }

	// Receive is an authentic message. From is the channel's peer, which
	// need not be the signer: what is signed may be relayed.
	Receive struct {
		From    Peer
		Message any
	}

	// Arriving says that so many bytes more have come of a larger frame of a
	// replica's, which is still on its way: it is not silent, only slow.
	Arriving struct {
		From  ReplicaID
		Bytes int
	}

	// Executed says that the host has executed the batch at Seq. Refused are the
	// requests of the batch that were not executed: nothing of them is done,
	// and they may be asked again. Nil is none.
	Executed struct {
		Seq     Seq
		Refused *[]Refusal // events are compared
	}

	// Rooted says which root the state has after the batch at Seq, a multiple of
	// the checkpoint interval. It follows Executed, some later batches' too: the
	// host hashes beside execution. It comes in order, once for each such
	// batch, and never after a Staged that answers a later RestoreBegin.
	Rooted struct {
		Seq  Seq
		Root crypto.Digest
	}

	// Kept says that the whole state at Seq is on disk, synced: the log up
	// to Seq is no longer needed to rebuild it.
	Kept struct{ Seq Seq }

	// Settled answers an Answer job if the session table has settled that
	// request: it was executed, or it never will be.
	Settled struct{ Request *Request }

	// Unsettled answers an Answer job if the session table knows nothing of
	// that request: it is still to be ordered, whatever the engine remembers.
	Unsettled struct{ Request *Request }

	// Chunk is the result of a ChunkRead. Parts may be fewer than asked
	// (at least one if any could be read); none at all with Gone says that
	// the snapshot is not servable here any more.
	Chunk struct {
		Read  ChunkRead
		Parts []Part
		Gone  bool
	}

	// Staged answers RestoreBegin and RestorePut: what was accepted is on
	// disk, Bad are items whose bytes did not match their hash, Missing are
	// further items that the restore needs. More says that the list was cut
	// short: after the listed items are in place, another RestoreBegin for
	// the same root lists the next ones.
	Staged struct {
		From    ReplicaID // who served the parts (RestorePut)
		Put     bool      // answers a RestorePut
		Done    []Item    // with Put: the items accepted
		Bad     []Item
		Missing []Item
		More    bool
	}

	// Restored answers RestoreEnd: the state is now exactly the one at Seq
	// with Root, durable (OK), or something was missing (not OK) and the
	// state is as it was before.
	Restored struct {
		Seq  Seq
		Root crypto.Digest
		OK   bool
	}
)

func (Tick) event()      {}
func (Submit) event()    {}
func (Ask) event()       {}
func (Receive) event()   {}
func (Arriving) event()  {}
func (Executed) event()  {}
func (Rooted) event()    {}
func (Kept) event()      {}
func (Settled) event()   {}
func (Unsettled) event() {}
func (Chunk) event()     {}
func (Staged) event()    {}
func (Restored) event()  {}

// Output is what one Step asks of its host. Fields are performed in this order.
//
// The durability law: nothing but Early and Lookups may be seen outside the replica before
// the Records of this and every earlier output are durable (Lazy records
// excepted). If the replica dies first, the step never happened. Hence an
// engine counts its own vote the moment it casts it, there is no Advance, and
// consecutive outputs may share one sync. A failed sync ends the process.
type Output struct {
	Early    []Send      // promises nothing that is recorded here: STATUS, FETCH, chunks, and what a record that is Durable speaks for
	Lookups  []Lookup    // READs to execute: they promise nothing either, and what they find is executed, thus durable
	Records  []Record    // make durable, in order
	Forget   Seq         // the log may drop whole segments whose records are all at or below this slot; 0 = no change
	Sends    []Send      // send
	Refusals []Refusal   // answers to clients that are not results
	Reads    []ChunkRead // read parts of a snapshot; each comes back as a Chunk event
	Jobs     []Job       // the one ordered queue of execution: commits, restores, answers
	Notes    []Note      // facts: what happened and why, what was ignored and why
	Halt     string      // not empty: keep everything, stop, and say this (a fork, PROTOCOL.md §5)
}

// Record is one entry of the log.
type Record struct {
	Slot  Seq // the log may be cut when the slot is forgotten
	Lazy  bool
	Bytes []byte // opaque to the host; read-only once handed over
}

// Send is one frame to one destination. Bytes are read-only once handed over.
type Send struct {
	To    Peer
	Class Class
	Bytes []byte
}

// Item names a part of a state: an opaque id and the hash that its bytes must have.
type Item struct {
	ID   string // at most MaxItemID bytes
	Hash crypto.Digest
}

// Part is an item with its bytes.
type Part struct {
	ID    string
	Bytes []byte
}

// Limits of a state transfer's units.
const (
	MaxItemID        = 8 << 10 // bytes
	MaxItemsPerFetch = 256     // items asked for in one FETCH, and listed in one Staged x 16
	ChunkBytes       = 1 << 20 // a chunk closes when its parts reach this size; one larger part travels alone
)

// ChunkRead asks the host to read parts of the snapshot at Seq with Root.
type ChunkRead struct {
	To    Peer
	Seq   Seq
	Root  crypto.Digest
	Items []Item
}

// Job is one entry of the queue of execution. The set is sealed.
type Job interface{ job() }

type (
	// Commit: execute the batch at Seq. Seqs follow each other without
	// gaps, but for a restore between them. The host skips Seq <= applied.
	Commit struct {
		Seq         Seq
		View        View          // a hint for clients
		Digest      crypto.Digest // of the batch
		Batch       *Batch        // nil is the null batch
		Certificate []byte        // proof for outsiders, in the protocol's own words; may be nil
	}

	// Stabilize: the state at Seq is certified; bring the disk to exactly
	// that height, with Certificate beside it. Answered by Kept.
	Stabilize struct {
		Seq         Seq
		Root        crypto.Digest
		Certificate []byte
	}

	// Answer: the request seems to have been executed; if so, answer the client
	// from its session.
	Answer struct{ Request *Request }

	// RestoreBegin opens (or continues, or turns to a newer root) the side
	// space. Executed state above the disk's height is dropped. Answered by Staged.
	RestoreBegin struct {
		Seq         Seq
		Root        crypto.Digest
		Certificate []byte
	}
	// RestorePut hands in parts from one replica. Answered by Staged.
	RestorePut struct {
		From  ReplicaID
		Items []Item
		Parts []Part // Parts[i].ID == Items[i].ID
	}
	// RestoreEnd swaps the side space in, atomically. Answered by Restored.
	RestoreEnd struct{}
	// RestoreAbort leaves the side space for a later RestoreBegin and goes
	// back to the disk's state.
	RestoreAbort struct{}
)

func (Commit) job()       {}
func (Stabilize) job()    {}
func (Answer) job()       {}
func (RestoreBegin) job() {}
func (RestorePut) job()   {}
func (RestoreEnd) job()   {}
func (RestoreAbort) job() {}

// Protocol is a protocol before it runs. One value serves one replica.
type Protocol interface {
	// Open decodes and authenticates a group of frames from replicas,
	// observers or clients. Membership and relevance come first, then all
	// signatures as one group to v, which batches them and remembers what
	// it proved. It answers one Opened per frame, in order. Safe to call
	// concurrently. The only way in.
	Open(v crypto.Verifier, h Horizon, in []Frame) []Opened
	// New makes the engine as it was when its log ended.
	New(Recovered) (Engine, error)
}

// Frame is bytes as they came from a channel. Open's results alias Bytes: the
// caller never writes to them again.
type Frame struct {
	From  Peer
	Bytes []byte
}

// Opened is what became of a frame: an event, or the reason why there is none.
type Opened struct {
	Event   Event
	Reason  Reason   // why the frame was refused; "" with an event
	Blame   bool     // the channel's peer itself is at fault, not a relayed author
	Refusal *Refusal // what to answer the client who sent it, if anything
}

// Reason is a short fixed text that says why something was ignored. It is a
// metric label: never put variable data into it.
type Reason string

// Recovered is what a replica finds at home when it starts.
type Recovered struct {
	Now         Time
	Amnesiac    bool          // no birth record: the disk was wiped (PROTOCOL.md §8)
	Nonce       uint64        // fresh and random, for rejoining
	Records     []Record      // the log, in order
	Height      Seq           // the state on disk
	Root        crypto.Digest // its root
	Certificate []byte        // its proof; nil at height 0
}
