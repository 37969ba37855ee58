package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"

	"quorate.dev/quorate/crypto"
)

// Role is what a client may do.
type Role uint8

// The roles, each including the one before.
const (
	RoleNone   Role = iota // not a client
	RoleReader             // operations that do not write
	RoleWriter             // all operations
	RoleAdmin              // also what later administers the cluster
)

// ClientEntry admits one client.
type ClientEntry struct {
	Key  crypto.PublicKey
	Role Role
}

// Limits bound what the replicated state and the agreement must carry. They
// decide what is valid, so they are part of the genesis.
type Limits struct {
	OperationBytes    int  // one operation
	RequestOperations int  // operations in one request
	RequestBytes      int  // one request frame
	BatchBytes        int  // a batch closes at this size; one larger request travels alone
	BatchRequests     int  // requests in one batch
	KeyBytes          int  // one key of the application
	ValueBytes        int  // one value of the application
	ResultBytes       int  // results of one request, encoded
	OperationSteps    int  // reads, writes and visited entries of one operation
	Sessions          int  // client sessions in the state
	SessionBytes      int  // cached results of one client
	SessionIdle       Time // S: nanoseconds of executed time (PROTOCOL.md §3)
}

// SessionWindow is the number of counters that a session remembers (PROTOCOL.md §3).
const SessionWindow = 256

// MaxWindow is the widest window of slots that a genesis can choose.
const MaxWindow Seq = 1 << 16

// DefaultLimits suit a store of files and small values.
func DefaultLimits() Limits {
	return Limits{
		OperationBytes:    5 << 20,
		RequestOperations: 1024,
		RequestBytes:      6 << 20,
		BatchBytes:        1 << 20,
		BatchRequests:     1024,
		KeyBytes:          4 << 10,
		ValueBytes:        4 << 20,
		ResultBytes:       6 << 20,
		OperationSteps:    100_000,
		Sessions:          10_000,
		SessionBytes:      8 << 20,
		SessionIdle:       Time(10 * 60 * 1e9),
	}
}

// MaxFrame bounds every frame on the wire, in bytes: the largest request with
// its batch around it, and the largest NEW-VIEW.
const MaxFrame = 8 << 20

// MaxReplicas bounds n.
const MaxReplicas = 64

// Genesis is everything that all members must agree on before they start.
// Its hash is the cluster id.
type Genesis struct {
	Name               string
	Nonce              [16]byte // random: with the same keys and name, another cluster has another id. Zero in clusters that were made without
	Protocol           string   // as package protocol names it
	Application        string   // the name of the state machine; "" = the key-value store
	Testnet            bool     // replicas may be told to lie: see package testnet
	Epoch              uint64   // configuration epoch; 0 until membership changes exist
	Replicas           []crypto.PublicKey
	OpenClients        bool // anyone may be a client, as a writer
	Clients            []ClientEntry
	Limits             Limits
	CheckpointInterval Seq  // K
	Window             Seq  // L; K divides it, and L >= 2K
	Skew               Time // how far correct clocks may differ, nanoseconds
	UnsafeDemo         bool // allows a quorum smaller than safe: demonstrations only
	Quorum             int  // 0 = the right one; anything else needs UnsafeDemo
	Faults             int  // 0 = as many as the bound allows; a wish for more needs UnsafeDemo
}

// NewGenesis returns a genesis with the default parameters and no nonce: what is
// said in one cluster counts in every other one of the same genesis, so whoever
// makes clusters more than once draws one.
func NewGenesis(name, protocol string, replicas []crypto.PublicKey) Genesis {
	return Genesis{
		Name: name, Protocol: protocol, Replicas: replicas,
		Limits: DefaultLimits(), CheckpointInterval: 64, Window: 256, Skew: Time(2e9),
	}
}

// ErrGenesis is what Validate wraps.
var ErrGenesis = errors.New("invalid genesis")

// Validate checks everything that does not need the protocol's arithmetic.
func (g *Genesis) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrGenesis, fmt.Sprintf(format, args...))
	}
	switch l := &g.Limits; {
	case len(g.Name) > 255 || len(g.Protocol) > 255 || len(g.Application) > 255:
		return bad("name, protocol and application are at most 255 bytes long")
	case len(g.Replicas) == 0 || len(g.Replicas) > MaxReplicas:
		return bad("%d replicas: choose 1 to %d", len(g.Replicas), MaxReplicas)
	case g.CheckpointInterval == 0 || g.Window < 2*g.CheckpointInterval || g.Window%g.CheckpointInterval != 0 || g.Window > MaxWindow:
		return bad("window %d must be a multiple of the checkpoint interval %d, at least twice it, at most %d", g.Window, g.CheckpointInterval, MaxWindow)
	case l.RequestOperations < 1 || l.RequestOperations > MaxOperations:
		return bad("limits.request_operations is %d: choose 1 to %d", l.RequestOperations, MaxOperations)
	case l.BatchRequests < 1 || l.BatchRequests > MaxBatchRequests:
		return bad("limits.batch_requests is %d: choose 1 to %d", l.BatchRequests, MaxBatchRequests)
	case l.OperationBytes < 1 || l.RequestBytes < l.OperationBytes+requestOverhead+3 || l.RequestBytes > MaxFrame-4096:
		return bad("limits: request_bytes %d must hold operation_bytes %d and %d of overhead, and stay below %d", l.RequestBytes, l.OperationBytes, requestOverhead+3, MaxFrame-4096)
	case l.BatchBytes < 1 || l.BatchBytes > MaxFrame-4096:
		return bad("limits.batch_bytes is %d: choose 1 to %d", l.BatchBytes, MaxFrame-4096)
	case l.KeyBytes < 1 || l.KeyBytes > MaxItemID-64:
		return bad("limits.key_bytes is %d: choose 1 to %d", l.KeyBytes, MaxItemID-64)
	case l.ValueBytes < 0 || l.ValueBytes > MaxFrame-2*MaxItemID || l.ResultBytes < 64 || l.ResultBytes > MaxFrame-4096:
		return bad("limits: value_bytes %d and result_bytes %d must fit a frame of %d", l.ValueBytes, l.ResultBytes, MaxFrame)
	case l.OperationSteps < 1 || l.Sessions < 1 || l.SessionBytes < l.ResultBytes || l.SessionIdle < 1e9:
		return bad("limits: operation_steps and sessions are at least 1, session_bytes at least result_bytes, session_idle at least a second")
	case g.Faults < 0 || g.Faults >= len(g.Replicas):
		return bad("faults is %d: choose 0 to %d", g.Faults, len(g.Replicas)-1)
	case g.Faults != 0 && !g.UnsafeDemo:
		return bad("more faults than the bound allows need unsafe_demo = true")
	case g.Skew < 0:
		return bad("skew is negative")
	case g.Quorum != 0 && !g.UnsafeDemo:
		return bad("a quorum of one's own choice needs unsafe_demo = true")
	}
	return g.distinctKeys(bad)
}

func (g *Genesis) distinctKeys(bad func(string, ...any) error) error {
	replicas := map[crypto.PublicKey]bool{}
	for i, k := range g.Replicas {
		if replicas[k] {
			return bad("replica %d has the key of another one", i)
		}
		replicas[k] = true
	}
	clients := map[crypto.PublicKey]bool{}
	for i, c := range g.Clients {
		if clients[c.Key] {
			return bad("client %d is given twice", i)
		}
		if c.Role < RoleReader || c.Role > RoleAdmin {
			return bad("client %d has no role", i)
		}
		clients[c.Key] = true
	}
	return nil
}

// CheckKeys refuses keys that prove nothing (see crypto.PublicKey.Weak): a vote
// in such a member's name is everybody's. Whoever takes a genesis from outside
// asks for it beside Validate; the simulator's keys are no points of the curve.
func (g *Genesis) CheckKeys() error {
	for i, k := range g.Replicas {
		if k.Weak() {
			return fmt.Errorf("%w: replica %d: public key %s is weak: make another with `quorate keys new`", ErrGenesis, i, k.Short())
		}
	}
	for i, c := range g.Clients {
		if c.Key.Weak() {
			return fmt.Errorf("%w: client %d: public key %s is weak: make another with `quorate keys new`", ErrGenesis, i, c.Key.Short())
		}
	}
	return nil
}

// ID is the cluster id: the hash of the canonical encoding of every field.
func (g *Genesis) ID() crypto.Digest {
	b := []byte("quorate/1/genesis")
	u64 := func(v uint64) { b = binary.BigEndian.AppendUint64(b, v) }
	flag := func(v bool) {
		if v {
			u64(1)
		} else {
			u64(0)
		}
	}
	b = AppendBytes(b, []byte(g.Name))
	b = AppendBytes(b, []byte(g.Protocol))
	u64(g.Epoch)
	u64(uint64(len(g.Replicas)))
	for _, k := range g.Replicas {
		b = append(b, k[:]...)
	}
	flag(g.OpenClients)
	u64(uint64(len(g.Clients)))
	for _, c := range g.Clients {
		b = append(append(b, c.Key[:]...), byte(c.Role))
	}
	l := &g.Limits
	for _, v := range []int{l.OperationBytes, l.RequestOperations, l.RequestBytes, l.BatchBytes, l.BatchRequests, l.KeyBytes,
		l.ValueBytes, l.ResultBytes, l.OperationSteps, l.Sessions, l.SessionBytes, int(l.SessionIdle)} {
		u64(uint64(v))
	}
	u64(uint64(g.CheckpointInterval))
	u64(uint64(g.Window))
	u64(uint64(g.Skew))
	flag(g.UnsafeDemo)
	u64(uint64(g.Quorum))
	if g.UnsafeDemo {
		u64(uint64(g.Faults))
	}
	// Last, and only if they say something: clusters that were made before these
	// fields existed keep their ids.
	nonced := g.Nonce != [16]byte{}
	if g.Application != "" || g.Testnet || nonced {
		b = AppendBytes(b, []byte(g.Application))
		flag(g.Testnet)
	}
	if nonced {
		b = append(b, g.Nonce[:]...)
	}
	return crypto.Hash(b)
}

// Roles answers which role each client has. It is built once from a genesis
// and read concurrently.
type Roles struct {
	open bool
	of   map[crypto.PublicKey]Role
}

// Roles indexes the client policy.
func (g *Genesis) Roles() Roles {
	r := Roles{open: g.OpenClients, of: make(map[crypto.PublicKey]Role, len(g.Clients))}
	for _, c := range g.Clients {
		r.of[c.Key] = c.Role
	}
	return r
}

// Of is the role of the client with key k; RoleNone if it is not admitted.
func (r Roles) Of(k crypto.PublicKey) Role {
	if role, ok := r.of[k]; ok {
		return role
	}
	if r.open {
		return RoleWriter
	}
	return RoleNone
}

// CheckRequest judges a decoded request by the client policy and the limits:
// everything about validity but the signature. It answers 0 if all is well.
func (g *Genesis) CheckRequest(roles Roles, r *Request) RefusalCode {
	if roles.Of(r.Client) == RoleNone {
		return RefusedUnknownClient
	}
	if len(r.Raw) > g.Limits.RequestBytes || len(r.Operations) > g.Limits.RequestOperations {
		return RefusedTooLarge
	}
	for _, op := range r.Operations {
		if len(op) > g.Limits.OperationBytes {
			return RefusedTooLarge
		}
	}
	return 0
}
