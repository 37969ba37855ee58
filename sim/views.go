package sim

import "quorate.dev/quorate/consensus"

// views follows one honest replica through its views, to count what the
// coverage report asks for: two view changes in a row find what one does not
// (docs/TESTING.md).
type views struct {
	height  consensus.Seq  // highest batch handed to execution
	left    consensus.Seq  // ... when it last left a view
	leaving bool           // it has left a view and executed nothing new since
	fetches bool           // a state transfer is going on
	changes bool           // it is between views
	count   uint64         // views left
	now     consensus.View // the view that it is in or goes for
}

// executed says that a batch was handed to execution.
func (v *views) executed(n consensus.Seq) {
	v.height = max(v.height, n)
	v.leaving = v.leaving && v.height <= v.left
}

// follow keeps the view that the replica is in.
func (v *views) follow(n *consensus.Note) {
	switch n.Kind {
	case consensus.LeftView, consensus.EnteredView, consensus.Restarted:
		v.now = n.View
	}
}

// noted reads a note.
func (v *views) noted(s *Stats, n *consensus.Note) {
	switch n.Kind {
	case consensus.LeftView:
		s.Changes++
		v.count++
		s.Busiest = max(s.Busiest, v.count)
		if v.leaving {
			s.InARow++
		}
		if v.fetches {
			s.FetchedInChange++
		}
		v.left, v.leaving, v.changes = v.height, true, true
	case consensus.EnteredView:
		v.changes = false
		s.TopView = max(s.TopView, n.View)
	case consensus.Fetching:
		v.fetches = true
		if v.changes {
			s.FetchedInChange++
		}
	case consensus.Fetched:
		v.fetches = false
	}
}
