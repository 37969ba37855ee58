package node

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"time"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/p2p"
)

// Config is one replica as a process: values, not files. Who loads them from a
// home (config.toml, genesis.toml, the key file) and says so when they are
// wrong is package home.
type Config struct {
	Protocol    consensus.Protocol // made for this genesis, replica and key; node does not know which it is
	Genesis     consensus.Genesis
	Self        consensus.ReplicaID
	Seed        [crypto.PrivateKeySize]byte // of the key that the genesis names for Self
	Application app.Application
	Disk        Disk
	Network     Network
	Admin       string        // host:port of metrics, health and pprof; "" = none. They are for operators: keep it on loopback
	Tick        time.Duration // between two Tick events; 0 = 10 ms
	Bounds      Bounds        // zero fields stand for their defaults

	// Memory is of what was proven, and shared with the protocol; nil = one of the
	// node's own.
	Memory *Memory
	Log    *slog.Logger // nil logs nothing

	// Replies is asked what to answer clients in the place of what execution
	// brought; nil = as executed. Called by the executor, between two jobs.
	Replies func([]consensus.Reply) []consensus.Reply
	// Findings is the same for what READs have found.
	Findings func([]consensus.Finding) []consensus.Finding
	Witness  Witness // nil = nobody looks on
}

// Witness is told what the replica does at the moment when it does it, which is
// when the records behind it are durable: nothing that it hears is ever undone
// by a crash. Its methods are called by the loop: they do not block, and only
// read.
type Witness interface {
	Sends([]consensus.Send)
	Executes([]consensus.Job)
}

// Disk is what a replica keeps.
type Disk struct {
	Data         string       // the data directory of the home
	Holder       string       // what its lock tells of this process besides the pid: lines of TOML
	SegmentBytes int64        // of the log; 0 = storage.DefaultSegmentBytes
	Volatile     bool         // never sync: to measure what syncing costs
	State        state.Config // memory for the state; zero fields stand for their defaults
}

// Network is where the replicas are.
type Network struct {
	Listen    string   // host:port; port 0 picks a free one
	Addresses []string // of the replicas, by id; "" waits to be dialled
	Observers []crypto.PublicKey
	Limits    p2p.Limits
	Critical  func(frame []byte) bool // votes that outlive others in a full queue; nil = none
}

// Bounds are the sizes of the queues inside, and of what a worker takes at once.
type Bounds struct {
	host.Bounds
	Workers       int // verifying workers; 0 = GOMAXPROCS
	Proven        int // signatures remembered as good
	EvidenceFiles int // evidence kept per replica
}

// defaultBounds suit four to seven replicas in half a GiB of memory each.
func defaultBounds() Bounds {
	return Bounds{Bounds: host.DefaultBounds(), Workers: runtime.GOMAXPROCS(0), Proven: 1 << 16, EvidenceFiles: 16}
}

// fill puts defaults in the place of zeros.
func (b *Bounds) fill() {
	d := defaultBounds()
	for _, f := range []struct {
		field    *int
		standard int
	}{
		{&b.Workers, d.Workers}, {&b.Proven, d.Proven}, {&b.GroupFrames, d.GroupFrames}, {&b.PeerFrames, d.PeerFrames},
		{&b.PeerBytes, d.PeerBytes}, {&b.ClientFrames, d.ClientFrames}, {&b.ClientBytes, d.ClientBytes},
		{&b.InboxEvents, d.InboxEvents}, {&b.InboxBytes, d.InboxBytes}, {&b.Jobs, d.Jobs}, {&b.Answers, d.Answers}, {&b.Lookups, d.Lookups}, {&b.LookupBytes, d.LookupBytes},
		{&b.Reads, d.Reads}, {&b.Tasks, d.Tasks}, {&b.TaskBytes, d.TaskBytes}, {&b.EvidenceFiles, d.EvidenceFiles},
	} {
		if *f.field == 0 {
			*f.field = f.standard
		}
	}
}

// smallest is the least of all bounds.
func (b *Bounds) smallest() int {
	return min(b.Workers, b.Proven, b.GroupFrames, b.PeerFrames, b.PeerBytes, b.ClientFrames, b.ClientBytes,
		b.InboxEvents, b.InboxBytes, b.Jobs, b.Answers, b.Lookups, b.LookupBytes, b.Reads, b.Tasks, b.TaskBytes, b.EvidenceFiles)
}

// ErrConfig is what validate wraps.
var ErrConfig = errors.New("invalid node configuration")

// validate fills in defaults and says what is wrong, naming the value.
func (c *Config) validate() error {
	if c.Tick == 0 {
		c.Tick = 10 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	c.Bounds.fill()
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
	}
	if err := cmp.Or(c.Genesis.Validate(), c.Genesis.CheckKeys()); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	switch n := len(c.Genesis.Replicas); {
	case c.Protocol == nil || c.Application == nil:
		return bad("a protocol and an application are needed")
	case int(c.Self) >= n:
		return bad("replica %d of %d: ids begin with 0", c.Self, n)
	case crypto.PublicOf(c.Seed) != c.Genesis.Replicas[c.Self]:
		return bad("the key belongs to %s, the genesis names %s for replica %d: use this replica's key file",
			crypto.PublicOf(c.Seed).Short(), c.Genesis.Replicas[c.Self].Short(), c.Self)
	case c.Disk.Data == "":
		return bad("no data directory")
	case len(c.Network.Addresses) != n:
		return bad("%d addresses for %d replicas", len(c.Network.Addresses), n)
	case slices.ContainsFunc(c.Network.Observers, crypto.PublicKey.Weak):
		return bad("the key of an observer is weak: make another with `quorate keys new`")
	case c.Tick < time.Millisecond || c.Tick > 10*time.Second:
		return bad("a tick of %v: choose 1ms to 10s", c.Tick)
	case c.Bounds.smallest() < 1:
		return bad("bounds must be at least 1")
	}
	if _, _, err := net.SplitHostPort(c.Admin); c.Admin != "" && err != nil {
		return bad("admin address %q: write host:port, such as 127.0.0.1:9100", c.Admin)
	}
	return nil
}

// members are the replicas as the network wants them.
func (c *Config) members() []p2p.Member {
	members := make([]p2p.Member, len(c.Genesis.Replicas))
	for i, key := range c.Genesis.Replicas {
		members[i] = p2p.Member{Replica: consensus.ReplicaID(i), Key: key, Addr: c.Network.Addresses[i]}
	}
	return members
}
