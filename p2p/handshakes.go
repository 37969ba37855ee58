package p2p

import (
	"container/list"
	"io"
	"sync"
	"sync/atomic"
)

// handshakes are the inbound connections that have not yet proved a key. There
// is no telling an honest one from one that will be silent until its time is
// up, but an honest one needs milliseconds: when too many wait, the one that
// has waited longest is hung up on. Were the newest refused instead, a few
// hundred silent connections would lock everybody out.
type handshakes struct {
	limit   int
	evicted atomic.Uint64

	mu    sync.Mutex
	order *list.List // of handshake, oldest first
	at    map[string]*list.Element
}

// handshake is one of them. One that failed stays until it is the oldest:
// nobody tells us, and closing it again does no harm.
type handshake struct {
	remote string
	conn   io.Closer
}

func newHandshakes(limit int) *handshakes {
	return &handshakes{limit: limit, order: list.New(), at: make(map[string]*list.Element)}
}

// begin counts a connection by its remote address, which no two open ones share.
func (h *handshakes) begin(remote string, conn io.Closer) {
	h.mu.Lock()
	var oldest io.Closer
	if h.order.Len() >= h.limit {
		oldest = h.remove(h.order.Front())
	}
	if e := h.at[remote]; e != nil {
		h.remove(e)
	}
	h.at[remote] = h.order.PushBack(handshake{remote, conn})
	h.mu.Unlock()
	if oldest != nil {
		h.evicted.Add(1)
		_ = oldest.Close()
	}
}

// end says that a connection has proved its key.
func (h *handshakes) end(remote string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.at[remote]; e != nil {
		h.remove(e)
	}
}

// remove is called with mu held.
func (h *handshakes) remove(e *list.Element) io.Closer {
	old := h.order.Remove(e).(handshake)
	delete(h.at, old.remote)
	return old.conn
}
