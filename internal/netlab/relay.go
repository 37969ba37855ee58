package netlab

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Relay passes TCP connections on to a target, as late as it is told. Safe for
// concurrent use.
type Relay struct {
	target   string
	listener net.Listener
	mu       sync.Mutex
	delay    time.Duration
	stop     context.CancelFunc
	ctx      context.Context
	flows    sync.WaitGroup
}

// To names the target of a relay that was made before it was known. Nobody has
// dialled yet.
func (r *Relay) To(target string) { r.target = target }

// NewRelay listens on a free port of loopback.
func NewRelay(target string) (*Relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{target: target, listener: l}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.flows.Go(r.serve)
	return r, nil
}

// Address is where to dial instead of the target.
func (r *Relay) Address() string { return r.listener.Addr().String() }

// Delay holds every piece of data back for d, in each direction.
func (r *Relay) Delay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = d
}

// Close ends the relay and all that passes through it.
func (r *Relay) Close() error {
	r.stop()
	err := r.listener.Close()
	r.flows.Wait()
	return err
}

func (r *Relay) serve() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.flows.Go(func() { r.connect(near) })
	}
}

// connect carries one connection until either side ends it.
func (r *Relay) connect(near net.Conn) {
	var dialer net.Dialer
	far, err := dialer.DialContext(r.ctx, "tcp", r.target)
	if err != nil {
		_ = near.Close() // as if the target had refused
		return
	}
	end := context.AfterFunc(r.ctx, func() { _, _ = near.Close(), far.Close() })
	defer end()
	var both sync.WaitGroup
	both.Go(func() { r.carry(far, near) })
	both.Go(func() { r.carry(near, far) })
	both.Wait()
}

// piece is data that has come in, and when.
type piece struct {
	bytes []byte
	at    time.Time
}

// maxPieces bounds what is under way in one direction; beyond it the sender
// waits, as it would for a full pipe.
const maxPieces = 1024

// carry copies one direction, each piece as late as the relay says.
func (r *Relay) carry(to io.WriteCloser, from io.ReadCloser) {
	way := make(chan piece, maxPieces)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(way)
		for {
			b := make([]byte, 32<<10)
			n, err := from.Read(b)
			if n > 0 {
				way <- piece{bytes: b[:n], at: time.Now()}
			}
			if err != nil {
				return
			}
		}
	})
	var broken error
	for p := range way {
		if broken == nil {
			broken = r.pass(to, p)
		}
		if broken != nil {
			_ = from.Close() // so that the reader ends
		}
	}
	_ = to.Close()
	reader.Wait()
}

var errClosed = errors.New("relay closed")

// pass writes one piece when its time has come.
func (r *Relay) pass(to io.Writer, p piece) error {
	r.mu.Lock()
	delay := r.delay
	r.mu.Unlock()
	if wait := time.Until(p.at.Add(delay)); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.ctx.Done():
			return errClosed
		}
	}
	_, err := to.Write(p.bytes)
	return err
}
