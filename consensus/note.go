package consensus

import (
	"fmt"
	"strings"

	"quorate.dev/quorate/crypto"
)

// Note is a fact that an engine reports: what happened and why, what was
// ignored and why. Notes become log lines, metrics, evidence, traces and test
// assertions; they have no effect.
type Note struct {
	Kind    NoteKind
	View    View
	Seq     Seq
	Replica ReplicaID // whom it is about
	Digest  crypto.Digest
	Reason  Reason
	Text    string // more, for people
	Bytes   []byte // Evidence: the encoded contradiction
}

// NoteKind names a kind of Note.
type NoteKind string

// The kinds of notes.
const (
	Ignored      NoteKind = "ignored"      // a message was ignored; Reason says why
	Prepared     NoteKind = "prepared"     // a prepared certificate is complete here
	Committed    NoteKind = "committed"    // a committed certificate is complete here
	LeftView     NoteKind = "left view"    // View is the one it goes for; Reason says why
	EnteredView  NoteKind = "entered view" // View is the one it is in now
	Stable       NoteKind = "stable"       // a checkpoint at Seq became stable
	Fetching     NoteKind = "fetching"     // state transfer to Seq has begun
	Fetched      NoteKind = "fetched"      // ... and ended well
	BadPart      NoteKind = "bad part"     // Replica served a part that does not match
	Rejoining    NoteKind = "rejoining"    // amnesiac: signs nothing until Seq is stable
	Rejoined     NoteKind = "rejoined"     // votes again, above Seq, from View on
	SetBack      NoteKind = "set back"     // heard its own words that its log does not hold; Text says which
	Diverged     NoteKind = "diverged"     // my own root differs from a certified one
	Alarm        NoteKind = "alarm"        // an operator should look; Text says why
	EvidenceNote NoteKind = "evidence"     // Replica contradicted itself; Bytes prove it
	Restarted    NoteKind = "restarted"    // recovered from its log, in View, executed Seq
	Proposed     NoteKind = "proposed"     // the primary closed a batch; Text has its size
	Forwarded    NoteKind = "forwarded"    // a backup forwarded a request to the primary
)

// String prints the note on one line, for logs and golden traces.
func (n Note) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s v=%d n=%d", n.Kind, n.View, n.Seq)
	switch n.Kind {
	case Ignored, BadPart, EvidenceNote, Forwarded:
		fmt.Fprintf(&b, " R%d", n.Replica)
	}
	if !n.Digest.IsZero() {
		fmt.Fprintf(&b, " d=%s", n.Digest.Short())
	}
	if n.Reason != "" {
		fmt.Fprintf(&b, " (%s)", n.Reason)
	}
	if n.Text != "" {
		fmt.Fprintf(&b, ": %s", n.Text)
	}
	return b.String()
}

// Status describes a replica for people and for health checks.
type Status struct {
	Protocol  string
	Replica   ReplicaID
	View      View
	Primary   ReplicaID
	Changing  bool          // between views, going for View
	Executed  Seq           // last batch handed to execution
	Applied   Seq           // last batch that the host has executed
	Stable    Seq           // low water mark h
	High      Seq           // high water mark h+L
	Kept      Seq           // height of the state on disk
	Root      crypto.Digest // state root at the newest own checkpoint
	RootSeq   Seq
	Pending   int // requests waiting
	InFlight  int // slots proposed and not executed
	Fetching  Seq // target of a state transfer; 0 = none
	Rejoining bool
	Heard     []ReplicaID   // replicas heard from lately, this one included
	Clocks    []ClockOffset `json:",omitempty"` // of the replicas whose clocks are known
	Waiting   []Lack        // why it is not progressing, most decisive first
}

// ClockOffset is by how much a replica's clock differs from that of the one who
// tells: as that replica says.
type ClockOffset struct {
	Replica ReplicaID
	Offset  Time
	Wrong   bool // it differs from the median of all by more than clocks may
}

// Lack says what is missing for progress: which certificate lacks whom.
type Lack struct {
	What    string // such as "prepared certificate", "NEW-VIEW", "checkpoint certificate"
	InView  bool   `json:",omitempty"` // it belongs to View; else to none, as a state or a checkpoint does
	View    View
	Seq     Seq
	Have    []ReplicaID
	Need    int
	Missing []ReplicaID // who could still supply it
}
