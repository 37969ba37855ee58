package costs

import "quorate.dev/quorate/consensus/quorum"

// Expected is what arithmetic says of one decision on a quiet network. Everyone
// stands for n, and nobody sends to himself: a replica's own vote is counted
// the moment it is cast.
type Expected struct {
	Kinds    []Count `json:"-"`        // frames of the agreement, by kind
	Frames   int     `json:"frames"`   // ... in all
	Signed   int     `json:"signed"`   // signatures that replicas make
	Verified int     `json:"verified"` // ... and check, of each other
	Admitted int     `json:"admitted"` // signatures of clients that replicas check, per request
	Forced   int     `json:"forced"`   // writes that something waits for
	Delays   int     `json:"delays"`   // message delays from the request to the belief in its result
	Syncs    int     `json:"syncs"`    // syncs one after the other on that way
	Textbook string  `json:"textbook"` // the order, as it is usually told
}

// Expect is the arithmetic of a protocol; PBFT's unless it is Raft.
func Expect(protocol string, n int) Expected {
	if protocol == quorum.Raft {
		return expectRaft(n)
	}
	return expectPBFT(n)
}

// expectPBFT: the primary's PRE-PREPARE is its vote, so that it sends no
// PREPARE. Every message is signed once and checked by each who gets it. On the
// way to an answer three things are written down before they are said: the
// proposal, the PREPAREs and the COMMITs.
func expectPBFT(n int) Expected {
	e := Expected{
		Kinds: []Count{
			{Kind: Kind{Name: "PRE-PREPARE", Part: Agreement}, Frames: n - 1},
			{Kind: Kind{Name: "PREPARE", Part: Agreement}, Frames: (n - 1) * (n - 1)},
			{Kind: Kind{Name: "COMMIT", Part: Agreement}, Frames: n * (n - 1)},
		},
		Signed: 1 + (n - 1) + n, Admitted: n, Forced: 2 * n, Delays: 5, Syncs: 3, Textbook: "2n²",
	}
	e.Frames = framesOf(e.Kinds)
	e.Verified = e.Frames
	return e
}

// expectRaft: the entry and its acknowledgement, and, because no next entry
// comes along to carry it, the commit index, which the library has acknowledged
// too. Nothing between members is signed.
func expectRaft(n int) Expected {
	e := Expected{
		Kinds: []Count{
			{Kind: Kind{Name: "MsgApp", Part: Agreement}, Frames: n - 1},
			{Kind: Kind{Name: notice, Part: Agreement}, Frames: n - 1},
			{Kind: Kind{Name: "MsgAppResp", Part: Agreement}, Frames: 2 * (n - 1)},
		},
		Admitted: n, Forced: n, Delays: 4, Syncs: 2, Textbook: "2n",
	}
	e.Frames = framesOf(e.Kinds)
	return e
}

func framesOf(counts []Count) (sum int) {
	for _, c := range counts {
		sum += c.Frames
	}
	return sum
}

// What frames weigh, in bytes. A vote of PBFT has a fixed size: kind, view, slot,
// digest, replica, signature; a PRE-PREPARE is one with the batch behind it. The
// library's numbers take more bytes as they grow: these are those of a young
// cluster.
const (
	voteBytes   = 1 + 8 + 8 + 32 + 2 + 64
	appendBytes = 33 // of a MsgApp with one entry, beside the batch
	shortBytes  = 21 // of a MsgApp without entries, and of a MsgAppResp
)

// Batch is what requests of so many bytes weigh in a batch: its stamp and their
// number before them all, a length before each.
func Batch(requests, bytes int) int { return 8 + 2 + requests*(3+bytes) }

// ExpectBytes is what one decision weighs between replicas, for a batch of so
// many bytes: (n-1)(b+2n·v) in PBFT, (n-1)(b+a+3s) in Raft.
func ExpectBytes(protocol string, n, batch int) int {
	if protocol == quorum.Raft {
		return (n - 1) * (batch + appendBytes + 3*shortBytes)
	}
	return (n - 1) * (batch + 2*n*voteBytes)
}

// UpkeepPerSecond is the traffic of an idle cluster with standard timing: PBFT's
// STATUS to all every 250 ms, Raft's heartbeat and its answer every 100 ms.
func UpkeepPerSecond(protocol string, n int) int {
	if protocol == quorum.Raft {
		return 10 * 2 * (n - 1)
	}
	return 4 * n * (n - 1)
}

// CheckpointFrames is what a checkpoint sends beside: PBFT's replicas tell each
// other the root of their state, Raft's tell nobody.
func CheckpointFrames(protocol string, n int) int {
	if protocol == quorum.Raft {
		return 0
	}
	return n * (n - 1)
}
