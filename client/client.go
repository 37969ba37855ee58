package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/p2p"
	"quorate.dev/quorate/protocol"
)

// ErrConfig is what Dial wraps when the configuration cannot work.
var ErrConfig = errors.New("invalid client configuration")

// Network carries frames to replicas. Its methods are called concurrently and
// never wait, but for Close, which ends all deliveries.
type Network interface {
	// Send reports whether the frame was accepted; it may be lost all the same.
	Send(to consensus.ReplicaID, frame []byte) bool
	// Connected reports whether there is a channel to the replica now.
	Connected(to consensus.ReplicaID) bool
	Close() error
}

// Delivery is where a Network delivers. Both may be called concurrently.
type Delivery struct {
	// Frames takes what came from one replica, in order. It owns slice and
	// bytes. It may block, which holds back that replica only.
	Frames func(from consensus.ReplicaID, frames [][]byte)
	// Connected is told of each new channel to a replica. It does not block.
	Connected func(consensus.ReplicaID)
	// Unreachable is told of each attempt to connect that failed. It does not block.
	Unreachable func(*p2p.Unreachable)
}

// Config describes a client. Genesis, Key and Addresses are needed.
type Config struct {
	Genesis *consensus.Genesis
	Key     [crypto.PrivateKeySize]byte // the Ed25519 seed
	// Addresses of the replicas, by id: host:port or TCP multiaddresses. An
	// empty one is never dialled; f+1 must be reachable to believe anything.
	Addresses []string

	// Session tunes gathering and retrying; its Genesis, System, Elected,
	// Signer, Epoch, After and Reads are filled in here. The zero value is right for most.
	Session session.Config
	// LastEpoch is what Accepted of an earlier client with this key, of this cluster,
	// was told last; 0 is not known. With it a clock that was set back since costs
	// nothing.
	LastEpoch uint64
	// Accepted is told of each epoch of the key that the cluster has accepted, once
	// for each, before Close returns. A program that runs again keeps the last one, in
	// place of LastEpoch, also if it is lower. nil tells nobody. It must not call the
	// client, which waits for it.
	Accepted func(epoch uint64)
	// Now is the machine's clock, read once, when the session opens; nil is time.Now.
	Now func() time.Time
	// Connect replaces p2p, for tests and networks of another kind.
	Connect func(ctx context.Context, d Delivery) (Network, error)
	Log     *slog.Logger // nil logs nothing
}

// Result is what an operation yielded, and where.
type Result struct {
	consensus.Result
	Seq consensus.Seq // the height at which it was executed
	// Unordered: the result was read without being ordered, from a state of
	// height Seq or above.
	Unordered bool
	// Height is that of the state itself, where it is known; else 0. Results of one
	// Height are of one state.
	Height consensus.Seq
}

// Client is a caller of one cluster. It is safe for concurrent use.
type Client struct {
	session *session.Session    // run's alone
	start   time.Time           // by the machine's clock
	began   time.Time           // ... and by the monotonic one
	size    consensus.ReplicaID // n
	network Network
	inbox   inbox
	spare   sync.Pool // of calls that have ended
	frames  chan arrival
	stop    chan struct{} // closed by Close
	ended   chan struct{} // closed when run has ended
	status  board
	log     *slog.Logger

	accepted func(epoch uint64)
	told     uint64 // by accepted, last; run's alone
}

// arrival is a group of frames of one replica.
type arrival struct {
	from   consensus.ReplicaID
	frames [][]byte
}

// Dial makes a client, which connects in the background and goes on trying
// until Close: Invoke waits for it. ctx concerns this call only. Errors wrap
// ErrConfig.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Genesis == nil {
		return nil, fmt.Errorf("%w: no genesis", ErrConfig)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if err := cfg.Genesis.CheckKeys(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	p, err := protocol.Of(*cfg.Genesis)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	sc := cfg.Session
	if sc.System, err = p.Model.For(cfg.Genesis); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	began := time.Now()
	start := began
	if cfg.Now != nil {
		start = cfg.Now()
	}
	if first := time.Unix(0, 1); start.Before(first) {
		start = first // an epoch before 1970 would be one of the far future
	}
	sc.Elected, sc.Genesis, sc.Signer = p.Elected, cfg.Genesis, crypto.NewSigner(cfg.Key)
	sc.Epoch, sc.After = uint64(start.UnixNano()), cfg.LastEpoch
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	sc.Reads = binary.BigEndian.Uint64(random[:])
	s, err := session.New(sc)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c := &Client{
		session: s, start: start, began: began, size: consensus.ReplicaID(len(cfg.Genesis.Replicas)), inbox: newInbox(), frames: make(chan arrival), log: cfg.Log,
		stop: make(chan struct{}), ended: make(chan struct{}), status: newBoard(),
		accepted: cfg.Accepted, told: cfg.LastEpoch,
	}
	connect := cfg.Connect
	if connect == nil {
		connect = cfg.dial
	}
	if c.network, err = connect(ctx, Delivery{Frames: c.deliver, Connected: c.connected, Unreachable: c.unreachable}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	go c.run()
	return c, nil
}

// dial connects by libp2p.
func (cfg *Config) dial(ctx context.Context, d Delivery) (Network, error) {
	if len(cfg.Addresses) != len(cfg.Genesis.Replicas) {
		return nil, fmt.Errorf("%d addresses for %d replicas", len(cfg.Addresses), len(cfg.Genesis.Replicas))
	}
	var members []p2p.Member
	for i, addr := range cfg.Addresses {
		if addr != "" {
			members = append(members, p2p.Member{Replica: consensus.ReplicaID(i), Key: cfg.Genesis.Replicas[i], Addr: addr})
		}
	}
	return p2p.Dial(ctx, p2p.ClientConfig{
		Key: cfg.Key[:], Cluster: cfg.Genesis.ID(), Members: members,
		Receive: d.Frames, OnConnect: d.Connected, OnUnreachable: d.Unreachable, Log: cfg.Log,
	})
}

// now is the time since the start, by the monotonic clock, on top of the start:
// setting the machine's clock back must not put off what is due.
func (c *Client) now() consensus.Time {
	return consensus.Time(c.start.UnixNano() + int64(time.Since(c.began)))
}

// Invoke has op executed and returns its result. A result whose code is not
// ResultOK is the operation's own failure and no error here. The bytes of op
// must not change until Invoke returns; the result's belong to the caller.
//
// Errors are those of package session. If ctx ends first, the error matches
// ctx's, and session.ErrNotSent (certainly not executed) or session.ErrUnknown
// (sent: it may have been executed, or may yet be).
func (c *Client) Invoke(ctx context.Context, op []byte) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("%w: %w", session.ErrNotSent, err)
	}
	return c.make(ctx, op, false)
}

// make hands in a call and waits for its end.
func (c *Client) make(ctx context.Context, op []byte, read bool) (Result, error) {
	call, ok := c.spare.Get().(*call)
	if !ok {
		call = newCall()
	}
	call.op, call.read = op, read
	if err := c.inbox.invoke(call); err != nil {
		return Result{}, err
	}
	result, cancelled, err := c.await(ctx, call)
	if call.op = nil; !cancelled {
		c.spare.Put(call) // else run has yet to look at it
	}
	return result, err
}

// InvokeAll is Invoke for operations that belong together. Of a client that is
// otherwise idle they travel in one request, as far as its Session lets it gather
// so many (GatherOps, GatherBytes), and are executed one after the other with
// nobody else's in between. It returns all results, or the first error.
func (c *Client) InvokeAll(ctx context.Context, ops [][]byte) ([]Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", session.ErrNotSent, err)
	}
	calls := make([]*call, len(ops))
	for i, op := range ops {
		calls[i] = newCall()
		calls[i].op = op
	}
	if err := c.inbox.invoke(calls...); err != nil {
		return nil, err
	}
	results := make([]Result, len(ops))
	var first error
	for i, call := range calls {
		var err error
		if results[i], _, err = c.await(ctx, call); err != nil && first == nil {
			first = err
		}
	}
	if first != nil {
		return nil, first
	}
	return results, nil
}

// await waits for the end of a call, and says whether it cancelled it.
func (c *Client) await(ctx context.Context, call *call) (r Result, cancelled bool, err error) {
	var d session.Done
	select {
	case d = <-call.done:
	case <-ctx.Done():
		// The answer to a cancellation comes at once, and may be the result.
		cancelled = true
		c.inbox.cancel(call)
		if d = <-call.done; d.Err != nil {
			return Result{}, true, fmt.Errorf("%w: %w", d.Err, ctx.Err())
		}
	}
	if d.Err != nil {
		return Result{}, cancelled, d.Err
	}
	return Result{Result: d.Result, Seq: d.Seq, Unordered: d.Unordered, Height: d.Height}, cancelled, nil
}

// Close ends the client. Calls that are under way fail with session.ErrClosed.
// It may be called again.
func (c *Client) Close() error {
	if !c.inbox.shut() {
		<-c.ended
		return nil
	}
	close(c.stop)
	<-c.ended
	if err := c.network.Close(); err != nil {
		return fmt.Errorf("close client: %w", err)
	}
	return nil
}

// deliver takes frames from the network. Answers to status queries go to their
// callers from here; the rest waits for run.
func (c *Client) deliver(from consensus.ReplicaID, frames [][]byte) {
	kept := frames[:0]
	for _, f := range frames {
		if len(f) > 0 && f[0] == consensus.KindStatusReply {
			c.status.post(from, said{text: f[1:]})
			continue
		}
		kept = append(kept, f)
	}
	if len(kept) == 0 {
		return
	}
	select {
	case c.frames <- arrival{from, kept}:
	case <-c.stop:
	}
}

func (c *Client) connected(id consensus.ReplicaID) { c.inbox.connected(id) }

// unreachable tells those who wait for a replica's status.
func (c *Client) unreachable(why *p2p.Unreachable) {
	c.log.Debug("not connected", "replica", why.Replica, "address", why.Address, "reason", why.Reason)
	c.status.post(why.Replica, said{away: why})
}
