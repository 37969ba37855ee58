package transfer

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Words are the two messages of a transfer as a protocol puts them.
type Words struct {
	Fetch func(Ask) []byte             // asks for parts
	Reply func(consensus.Chunk) []byte // holds them
}

// Mover is both sides of a transfer as an engine has them: it sends what the
// fetcher asks and hands its jobs to the host, and serves what the server lets
// through. A Decision that it returns is carried out, except what the engine
// has to decide: another target, and what to do after a failure.
type Mover struct {
	fetcher *fetcher
	server  *server
	sources []consensus.ReplicaID // all other replicas
	words   Words
	out     *consensus.Outbox
}

// NewMover returns the mover of one replica of a cluster of n. It puts out into
// the outbox of its engine.
func NewMover(self consensus.ReplicaID, n int, w Words, out *consensus.Outbox) *Mover {
	return &Mover{
		fetcher: newFetcher(defaultConfig()), server: newServer(defaultServerConfig()),
		sources: consensus.Others(n, self), words: w, out: out,
	}
}

// Active, Begun, Ending and Target are the fetcher's.
func (m *Mover) Active() bool   { return m.fetcher.Active() }
func (m *Mover) Begun() bool    { return m.fetcher.Begun() }
func (m *Mover) Ending() bool   { return m.fetcher.Ending() }
func (m *Mover) Target() Target { return m.fetcher.Target() }

// Rounds is how many times in a row every source has failed.
func (m *Mover) Rounds() int { return m.fetcher.Progress().Rounds }

// Fruitless reports whether a fetch may be turned or given up: nobody serves its
// state, and the host is where it was when the fetch began.
func (m *Mover) Fruitless() bool { return m.Begun() && !m.Ending() && m.Rounds() > 0 }

// Start begins to fetch a state from all others.
func (m *Mover) Start(t Target) Decision { return m.put(m.fetcher.Start(t, m.sources)) }

// Retarget turns the fetch to another state.
func (m *Mover) Retarget(t Target) Decision { return m.put(m.fetcher.Retarget(t, m.sources)) }

// Abort ends the fetch: the host goes back to the state on its disk.
func (m *Mover) Abort() { m.put(m.fetcher.Abort()) }

// Tick lets one tick go by on both sides.
func (m *Mover) Tick() Decision {
	m.read(m.server.Tick())
	return m.put(m.fetcher.Tick())
}

// OnFetch takes a peer's ask for parts.
func (m *Mover) OnFetch(from consensus.Peer, seq consensus.Seq, root crypto.Digest, items []consensus.Item) {
	m.read(m.server.OnFetch(from, seq, root, items))
}

// OnChunk sends the parts that the host has read for a peer.
func (m *Mover) OnChunk(c consensus.Chunk) {
	m.read(m.server.OnChunk(c))
	m.out.SendEarly(c.Read.To, consensus.Bulk, m.words.Reply(c))
}

// OnParts takes a peer's answer.
func (m *Mover) OnParts(from consensus.ReplicaID, seq consensus.Seq, root crypto.Digest, parts []consensus.Part, gone bool) Decision {
	return m.put(m.fetcher.OnParts(from, seq, root, parts, gone))
}

// OnStaged takes the host's word of what is in place.
func (m *Mover) OnStaged(s consensus.Staged) Decision { return m.put(m.fetcher.OnStaged(s)) }

// OnRestored takes the host's word of how it ended.
func (m *Mover) OnRestored(r consensus.Restored) Decision { return m.put(m.fetcher.OnRestored(r)) }

func (m *Mover) read(reads []consensus.ChunkRead) { m.out.Reads = append(m.out.Reads, reads...) }

// put carries out a decision.
func (m *Mover) put(d Decision) Decision {
	for _, a := range d.Asks {
		m.out.SendEarly(consensus.ReplicaPeer(a.To), consensus.Bodies, m.words.Fetch(a))
	}
	m.out.Do(d.Jobs...)
	for _, from := range d.Bad {
		m.out.Note(consensus.Note{Kind: consensus.BadPart, Seq: m.Target().Seq, Replica: from})
	}
	return d
}
