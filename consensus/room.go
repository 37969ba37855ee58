package consensus

import "quorate.dev/quorate/crypto"

// The room that a leader has for READs which wait for the word of a majority.
const (
	LeaderQueries    = 1024
	LeaderQueryBytes = 16 << 20
)

// QueryRoom counts READs that wait, and bounds them: in all, and those of one client
// by a share of that.
type QueryRoom struct {
	Queries, Bytes int // the bounds
	all            waiting
	of             map[crypto.PublicKey]waiting // by client; none is zero
}

// waiting is how many wait, and their bytes.
type waiting struct{ queries, bytes int }

// queryShare divides the room for READs: one client gets one part of it.
const queryShare = 4

// within reports whether these find room, as one always does.
func (w waiting) within(queries, bytes int) bool {
	return w.queries <= 1 || w.queries <= queries && w.bytes <= bytes
}

// Add counts a READ.
func (r *QueryRoom) Add(q *Query) {
	if r.of == nil {
		r.of = make(map[crypto.PublicKey]waiting)
	}
	r.count(q, 1)
}

// Take counts a READ if there is room for it.
func (r *QueryRoom) Take(q *Query) bool {
	r.Add(q)
	if r.Full() || r.Crowds(q.Client) {
		r.Remove(q)
		return false
	}
	return true
}

// Remove counts one no more.
func (r *QueryRoom) Remove(q *Query) { r.count(q, -1) }

func (r *QueryRoom) count(q *Query, n int) {
	size, own := n*q.Size(), r.of[q.Client]
	r.all = waiting{r.all.queries + n, r.all.bytes + size}
	if own = (waiting{own.queries + n, own.bytes + size}); own.queries == 0 {
		delete(r.of, q.Client)
	} else {
		r.of[q.Client] = own
	}
}

// Clear counts none.
func (r *QueryRoom) Clear() { r.all, r.of = waiting{}, nil }

// Full says that more wait than there is room for.
func (r *QueryRoom) Full() bool { return !r.all.within(r.Queries, r.Bytes) }

// Crowds says that more of one client wait than its share.
func (r *QueryRoom) Crowds(client crypto.PublicKey) bool {
	return !r.of[client].within(r.Queries/queryShare, r.Bytes/queryShare)
}
