package model

import (
	"cmp"
	"slices"
)

// actor is what one honest replica knows of the slot.
type actor struct {
	held     uint8 // its prepared certificate of the highest view, or 0
	executed uint8 // 1 + the value that it executed, or 0; only with checkpoints
	stable   uint8 // 1 + the value of its stable checkpoint, or 0
}

// state is everything that matters between two views, or before one. It is
// comparable, so that what is reached in several ways is continued once.
type state struct {
	actors    [maxActors]actor
	view      uint8
	ended     bool  // the votes of view are cast
	wiped     bool  // the second life has begun
	allowed   uint8 // values, as bits, that may be proposed in view; once it ended, nothing
	certs     uint8 // prepared certificates that somebody can put together, as bits
	committed uint8 // values, as bits, that q COMMITs of one view are for
	executed  uint8 // values, as bits, that some honest replica executed
}

// A certificate is a number from 1, a bit of certs is one less.
func certificate(view, value int) uint8 { return uint8(1 + view*values + value) }
func viewOf(cert uint8) int             { return int(cert-1) / values }
func valueOf(cert uint8) int            { return int(cert-1) % values }

const bothValues = 1<<values - 1

// forked reports whether both values were executed.
func (s *state) forked() bool { return s.executed == bothValues }

// key is s with the actors sorted that nothing tells apart any more: those who
// will not be primary of a later view.
func (h *search) key(s state) state {
	var alike []actor
	for i, twin := range h.alike(s.view, s.ended) {
		if twin {
			alike = append(alike, s.actors[i])
		}
	}
	slices.SortFunc(alike, func(a, b actor) int {
		return cmp.Or(cmp.Compare(a.held, b.held), cmp.Compare(a.executed, b.executed), cmp.Compare(a.stable, b.stable))
	})
	next := 0
	for i, twin := range h.alike(s.view, s.ended) {
		if twin {
			s.actors[i] = alike[next]
			next++
		}
	}
	return s
}

// alike tells which actors are interchangeable from here on.
func (h *search) alike(view uint8, ended bool) []bool {
	from := int(view)
	if ended {
		from++
	}
	if h.twins[from] == nil {
		for i, id := range h.ids {
			twin := i != h.first && i != h.second
			for v := from; v <= h.Views; v++ {
				twin = twin && h.primary(v) != id
			}
			h.twins[from] = append(h.twins[from], twin)
		}
	}
	return h.twins[from]
}

// active lists, as bits, who acts: everybody who runs, knows the slot as open,
// and is not past it. While the disk is being lost, both lives do.
func (h *search) active(s *state, losing bool) (mask uint16) {
	for i := range h.ids {
		dead := i == h.first && s.wiped && !losing
		unborn := i == h.second && (!s.wiped || !h.Weakness.Rash)
		if !dead && !unborn {
			mask |= 1 << i
		}
	}
	return mask
}

// open lists, of the active, those for whom nothing is stable yet: nobody votes
// at or below his low mark.
func (h *search) open(s *state, losing bool) uint16 {
	mask := h.active(s, losing)
	for i := range h.ids {
		if s.actors[i].stable != 0 {
			mask &^= 1 << i
		}
	}
	return mask
}
