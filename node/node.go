package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/driver"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/p2p"
	"quorate.dev/quorate/p2p/gossip"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/storage"
)

// Node is one running replica.
type Node struct {
	config    Config
	identity  storage.Identity
	protocol  protocol.Protocol
	system    quorum.System
	begun     time.Time
	parts                                 // what it is made of
	diskTasks []func() error              // the loop's: to do once the current step is synced
	proofs    map[consensus.ReplicaID]int // the loop's: evidence kept since the start
	horizon   atomic.Pointer[consensus.Horizon]
	picture   atomic.Pointer[picture]
	told      atomic.Pointer[answered]
	held      activity      // what keeps the engine from stepping
	open      chan struct{} // closed once frames may come in

	ctx    context.Context
	cancel context.CancelCauseFunc
	ended  chan struct{}
	err    error // why; read after ended
}

// parts are what a node is made of, in the order of their making.
type parts struct {
	metrics  *metrics
	reporter *reporter
	disk     disk
	intake   *intake
	inbox    *inbox
	verifier crypto.Verifier
	journal  *journal
	executor *executor
	reader   *reader
	tasks    *background // of checkpoints
	driver   *driver.Driver
	network  *p2p.Network
	server   *http.Server
	admitted string // the admin address that was really taken; "" = none
	workers  sync.WaitGroup
	writers  sync.WaitGroup
}

// Start opens the home, recovers, listens, and returns. Every error is one
// line that says what to do; nothing is left behind after one.
func Start(config Config) (*Node, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	p, err := protocol.Of(config.Genesis)
	if err != nil {
		return nil, err
	}
	system, err := p.Model.For(&config.Genesis)
	if err != nil {
		return nil, err
	}
	if err := config.checkDescriptors(); err != nil {
		return nil, err
	}
	n := &Node{
		config: config, protocol: p, system: system, begun: time.Now(), open: make(chan struct{}), ended: make(chan struct{}),
		proofs:   make(map[consensus.ReplicaID]int),
		identity: storage.Identity{Cluster: config.Genesis.ID(), Replica: config.Self},
	}
	n.ctx, n.cancel = context.WithCancelCause(context.Background())
	if err := n.start(); err != nil {
		n.cancel(err)
		return nil, errors.Join(err, n.disk.close())
	}
	return n, nil
}

// start builds the parts and lets them run. From the first goroutine on it is
// keep that clears up, also when listening fails.
func (n *Node) start() error {
	n.metrics = newMetrics()
	n.reporter = newReporter(n.config.Log, n.metrics, n.protocol)
	engine, err := n.recover()
	if err != nil {
		return adviseOnLack(err)
	}
	n.assemble(engine)
	n.publish()
	n.run()
	if err := n.listen(); err != nil {
		close(n.open)
		n.fail(err)
		n.keep()
		n.disk = disk{} // closed by keep
		return err
	}
	close(n.open)
	n.workers.Go(n.loop)
	go n.keep()
	n.config.Log.Info("replica is up", "replica", n.config.Self, "system", n.system.String(), "cluster", n.identity.Cluster.Short(),
		"address", n.network.Addr(), "admin", n.admitted)
	return nil
}

// assemble joins the parts around the engine.
func (n *Node) assemble(engine consensus.Engine) {
	b := n.config.Bounds
	memory := n.config.Memory
	if memory == nil {
		memory = NewMemory(b.Proven)
	}
	n.verifier = crypto.NewVerifier(memory, n.config.Genesis.Replicas...)
	n.intake, n.inbox = newIntake(b.Bounds), newInbox(b.Bounds)
	n.journal = newJournal(n.disk.log, n.metrics, n.inbox.synced, n.fail)
	n.reader = newReader(b.Bounds, func(c consensus.Chunk) { n.inbox.own(c) }, n.reporter.report)
	n.executor = newExecutor(n.disk.machine, b.Bounds)
	n.executor.applied()
	n.executor.deliver, n.executor.reader, n.executor.idle = n.outcome, n.reader, n.inbox.ring
	n.executor.found = n.found
	n.executor.fail = func(err error) { n.fail(fmt.Errorf("execution stopped: %w: %s", err, n.remedy(err))) }
	n.executor.batch = func(c *consensus.Commit) {
		if c.Batch != nil {
			n.metrics.batch.Observe(float64(len(c.Batch.Requests)))
		}
	}
	n.executor.took = func(d time.Duration) { n.metrics.turn.Observe(d.Seconds()) }
	n.tasks = newBackground(n.executor)
	n.executor.background = n.tasks
	n.driver = driver.New(engine, n)
	h := n.driver.Horizon()
	n.horizon.Store(&h)
}

// run starts everything but the loop, which needs the network.
func (n *Node) run() {
	for range n.config.Bounds.Workers {
		n.workers.Go(n.work)
	}
	n.writers.Go(func() { n.guard(n.disk.lock) })
	n.writers.Go(n.journal.run)
	n.writers.Go(n.executor.run)
	n.writers.Go(n.tasks.run)
	n.writers.Go(n.reader.run)
}

// listen opens the network and the admin address.
func (n *Node) listen() (err error) {
	roles := n.config.Genesis.Roles()
	n.network, err = p2p.Listen(p2p.Config{
		Key: n.config.Seed[:], Cluster: n.identity.Cluster, Listen: n.config.Network.Listen, Members: n.config.members(),
		Receiver: receiver{n}, Gossip: gossip.Join, Admit: func(k crypto.PublicKey) bool { return roles.Of(k) != consensus.RoleNone },
		Observers: n.config.Network.Observers, Critical: n.config.Network.Critical, Limits: n.config.Network.Limits, Log: n.config.Log,
	})
	if err != nil {
		return err
	}
	n.metrics.registry.MustRegister(scrape{n})
	if n.config.Admin == "" {
		return nil
	}
	l, err := listenAdmin(n.config.Admin)
	if err != nil {
		return err
	}
	n.admitted = l.Addr().String()
	n.server = newAdminServer(n.admin())
	n.writers.Go(func() {
		if err := n.server.Serve(limit(l)); !errors.Is(err, http.ErrServerClosed) {
			n.fail(fmt.Errorf("admin address: %w", err))
		}
	})
	return nil
}

// receiver hands frames to the node once it has a network to answer by.
type receiver struct{ node *Node }

// Frames implements p2p.Receiver.
func (r receiver) Frames(group []consensus.Frame) {
	<-r.node.open
	r.node.Frames(group)
}

// outcome passes on what execution brought about.
func (n *Node) outcome(out app.Outcome) {
	replies := out.Replies
	if n.config.Replies != nil && len(replies) > 0 {
		replies = n.config.Replies(replies)
	}
	for i := range replies {
		r := &replies[i]
		n.send(consensus.ClientPeer(r.Client), consensus.Bodies, r.Encode())
	}
	for i := range out.Refusals {
		n.refuse(out.Refusals[i].Client, &out.Refusals[i])
	}
	for _, e := range out.Events {
		n.inbox.own(e)
	}
	if len(out.Notes) > 0 {
		n.reporter.report(out.Notes)
	}
}

// fail ends the node with a reason; the first one stands.
func (n *Node) fail(err error) { n.cancel(err) }

// errStopped is the reason of an orderly end.
var errStopped = errors.New("stopped")

// Stop begins an orderly end; Wait tells when it is over.
func (n *Node) Stop() { n.cancel(errStopped) }

// Wait blocks until the node has ended and says why; nil after Stop.
func (n *Node) Wait() error {
	<-n.ended
	return n.err
}

// Address is where replicas and clients reach the node, and AdminAddress where
// operators do ("" = nowhere), with the ports that were really taken.
func (n *Node) Address() string { return n.network.Addr() }

// AdminAddress is where operators reach the node; "" is nowhere.
func (n *Node) AdminAddress() string { return n.admitted }

// keep waits for the end and clears up: first what comes in, then those who
// decide, then those who write, and the disk last.
func (n *Node) keep() {
	<-n.ctx.Done()
	n.err = context.Cause(n.ctx)
	if errors.Is(n.err, errStopped) {
		n.err = nil
	} else {
		n.config.Log.Error("replica stops", "error", n.err)
	}
	n.intake.close()
	n.inbox.close()
	var err error
	if n.network != nil {
		err = n.network.Close()
	}
	n.workers.Wait()
	if n.server != nil {
		err = errors.Join(err, n.server.Close())
	}
	n.executor.close()
	n.tasks.close()
	n.reader.close()
	n.journal.close()
	n.writers.Wait()
	if err = errors.Join(err, n.disk.close()); err != nil {
		n.config.Log.Warn("errors while closing", "error", err)
	}
	close(n.ended)
}

// nonce is fresh and random: what a rejoining replica asks with.
func nonce() (uint64, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, fmt.Errorf("random numbers: %w", err)
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

// stateDir is where the state lives in a data directory.
func stateDir(data string) string { return filepath.Join(data, "state") }
