package byzantine

import (
	"fmt"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
)

// Blank is a history in which nobody has asked for anything: a state of the
// traitor's own making, which any member can take over, and which it can serve.
type Blank struct {
	Root    crypto.Digest // of the state that was reached; zero but at checkpoints
	machine *app.Machine
	seq     consensus.Seq // executed
}

// maxBlank bounds the entries that a blank history gets in one step.
const maxBlank = 1 << 12

// nobodys is an application that is never asked.
type nobodys struct{ name string }

// Name implements app.Application.
func (n nobodys) Name() string { return n.name }

// Execute implements app.Application.
func (nobodys) Execute(app.Context, app.Tx, []byte) consensus.Result { return consensus.Result{} }

// NewBlank begins it. Errors are those of the genesis.
func NewBlank(e *Env) (*Blank, error) {
	m, err := app.Open(state.NewMemory(), nobodys{e.Genesis.Application}, e.Genesis, app.Options{})
	if err != nil {
		return nil, fmt.Errorf("a state of its own: %w", err)
	}
	return &Blank{machine: m}, nil
}

// Reach lets it come to n, and reports whether it stands there at a checkpoint.
func (b *Blank) Reach(n consensus.Seq) bool {
	var none *consensus.Batch
	for left := maxBlank; b.seq < n && left > 0; left-- {
		out, err := b.machine.Do(consensus.Commit{Seq: b.seq + 1, Digest: none.Digest()})
		if err != nil {
			return false
		}
		b.seq, b.Root = b.seq+1, crypto.Digest{}
		for _, e := range out.Events {
			if e, rooted := e.(consensus.Rooted); rooted {
				b.Root = e.Root
			}
		}
		if !b.Root.IsZero() {
			if _, err := b.machine.Do(consensus.Stabilize{Seq: b.seq, Root: b.Root}); err != nil {
				return false
			}
		}
	}
	return b.seq == n && !b.Root.IsZero()
}

// Answer gives what is asked for of it; nil if it is another state.
func (b *Blank) Answer(f *transfer.Fetch) *transfer.FetchReply {
	s, err := b.machine.Snapshot(f.Seq, f.Root)
	if err != nil {
		s, err = b.machine.Snapshot(f.Seq, f.Root) // the second time it is made servable
	}
	if err != nil {
		return nil
	}
	parts, err := s.Read(f.Items, consensus.MaxFrame/2)
	if err != nil {
		return nil // what was asked for is not in it
	}
	return &transfer.FetchReply{Seq: f.Seq, Root: f.Root, Parts: parts}
}
