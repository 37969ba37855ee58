package protocol

// Part says what a kind of frames is for.
type Part string

// The parts of the traffic.
const (
	Agreement Part = "agreement" // once per decision, between replicas
	Upkeep    Part = "upkeep"    // as time passes, or once per checkpoint
	Clients   Part = "clients"   // to and from clients
	Other     Part = "other"     // nothing that a quiet run has a use for
)

// FrameKind is a kind of frames, in the protocol's own words.
type FrameKind struct {
	Name string `json:"kind"`
	Part Part   `json:"part"`
}

// Costs is what arithmetic says of a quiet network of n replicas.
type Costs struct {
	Kinds      []FrameKind // that a quiet run may have between replicas, in the order of tables
	Sizes      []int       // numbers of replicas that are measured unless others are wished for
	Decision   func(n int) Expected
	Bytes      func(n, batch int) int // between replicas per decision, for a batch of so many bytes
	Read       func(n int) Expected   // of a READ that is answered without an order; nil if none is
	ReadBytes  func(n, bytes int) int // ... of an operation and a result of so many bytes
	Upkeep     func(n int) int        // frames per second of an idle cluster with standard timing
	Checkpoint func(n int) int        // frames that a checkpoint sends beside
	Text       Formulas
}

// Expected is what arithmetic says of one decision. Nobody sends to himself: a
// replica's own vote is counted the moment it is cast.
type Expected struct {
	Frames   int    `json:"frames"`   // of the agreement
	Signed   int    `json:"signed"`   // signatures that replicas make
	Verified int    `json:"verified"` // ... and check, of each other
	Admitted int    `json:"admitted"` // signatures of clients that replicas check, per request
	Forced   int    `json:"forced"`   // writes that something waits for
	Delays   int    `json:"delays"`   // message delays from the request to the belief in its result
	Syncs    int    `json:"syncs"`    // syncs one after the other on that way
	Textbook string `json:"textbook"` // the order, as it is usually told
	// ByKind are the frames of the agreement by kind.
	ByKind map[string]int `json:"-"`
}

// Formulas are the same as people write them, "2n(n−1)" say; "" = none.
type Formulas struct {
	Frames, Bytes, Signed, Verified, Forced, Upkeep, Read, ReadBytes string
}

// readFrameBytes is what a READ and an answer weigh, with one operation, beside
// the operation and its result.
const readFrameBytes = 30 + 47

// expect is e with the sum of its frames.
func expect(e Expected) Expected {
	for _, n := range e.ByKind {
		e.Frames += n
	}
	return e
}
