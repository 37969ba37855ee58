package cap

import (
	"fmt"
	"io"
	"slices"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/leaderless"
	"quorate.dev/quorate/sim"
)

// tick is how often a replica of the store hears that time passes.
const tick = 10 * sim.Millisecond

// process is a replica of the store as a machine runs it.
type process struct {
	*leaderless.Replica
	broken func(error)
}

// Start begins a life.
func (p process) Start(b sim.Boot) sim.Deeds {
	out, err := p.Replica.Start(b.Now, b.Nonce, b.Records)
	if err != nil {
		p.broken(err)
	}
	return deeds(out)
}

// Arrive takes a frame.
func (p process) Arrive(now consensus.Time, from int, frame []byte) sim.Deeds {
	return deeds(p.Replica.Arrive(now, from, frame))
}

// Tick hears that time passes.
func (p process) Tick(now consensus.Time) sim.Deeds { return deeds(p.Replica.Tick(now)) }

func deeds(out leaderless.Output) sim.Deeds {
	d := sim.Deeds{Records: out.Records}
	for _, s := range out.Sends {
		d.Sends = append(d.Sends, sim.Parcel{To: s.To, Frame: s.Frame})
	}
	return d
}

// storeRun is one run of the store under way.
type storeRun struct {
	column   *Column
	machines *sim.Machines
	cluster  crypto.Digest
	clients  []storeClient
	calls    []Call
	broken   []string
}

// storeClient is one client: the replicas of its side in turn are its coordinators.
type storeClient struct {
	caller *caller
	signer crypto.Signer
	side   []consensus.ReplicaID
	asked  ask
	open   int // the call under way, plus one
	sent   *consensus.Request
	number uint64
}

// runStore runs the store.
func runStore(c *Column, seed uint64, trace io.Writer) (*run, error) {
	s, ring := c.Setting, crypto.NewKeyring()
	r := &storeRun{column: c, cluster: crypto.Hash([]byte("quorate/cap"))}
	r.machines = sim.NewMachines(sim.MachinesConfig{
		Seed: seed, Machines: c.Replicas, Clients: s.clients(), Tick: tick, Skew: 2 * s.Skew, Network: s.network(), Disk: disks(),
		Make: func(i int) sim.Process {
			config := *c.Store
			config.Self, config.Cluster, config.Verifier = i, r.cluster, crypto.NewSimVerifier(ring)
			return process{leaderless.New(config), r.breaks}
		},
		Heard: r.hear, Describe: leaderless.Describe, Trace: trace,
	})
	for i := range s.clients() {
		key := [crypto.PrivateKeySize]byte{byte(i + 1)}
		r.clients = append(r.clients, storeClient{caller: newCaller(i, c, seed), signer: crypto.NewSimSigner(ring, key), side: c.side(i)})
		r.machines.At(0, func() { r.next(i, nil) })
	}
	for _, f := range c.faults(seed) {
		if err := r.machines.Schedule(sim.Fault{At: f.At, Lasts: f.Lasts, Kind: sim.FaultKind(f.Kind), Replicas: f.Replicas, Clients: f.Clients}); err != nil {
			return nil, fmt.Errorf("%s, seed %d: %w", c.ID, seed, err)
		}
	}
	r.machines.Run(s.pace().endsAt)
	return &run{calls: r.calls, final: r.final(), violations: r.broken}, nil
}

// breaks notes what must not happen.
func (r *storeRun) breaks(err error) { r.broken = append(r.broken, err.Error()) }

// next lets a client ask for what it wants next.
func (r *storeRun) next(client int, last *ending) {
	c := &r.clients[client]
	a, ok := c.caller.next(r.machines.Now(), last)
	if !ok {
		return
	}
	c.asked = a
	r.machines.At(a.at, func() {
		c.number++
		c.sent = consensus.SignRequest(c.signer, r.cluster, consensus.Sequence{Epoch: 1, Counter: c.number}, leaderless.Operations(a.op, a.seen))
		r.calls = append(r.calls, newCall(client, &c.asked, r.machines.Now()))
		c.open = len(r.calls)
		r.send(client, c.number)
		number := c.number
		r.machines.At(r.machines.Now()+deadline, func() {
			if c.number == number && c.open != 0 {
				r.close(client, &leaderless.Answer{Outcome: leaderless.Unknown, Why: "no answer in time"})
			}
		})
	})
}

// send sends a client's request, and again to the same coordinator until it is
// answered.
func (r *storeRun) send(client int, number uint64) {
	c := &r.clients[client]
	if c.number != number || c.open == 0 {
		return
	}
	r.machines.Send(client, int(c.side[int(number)%len(c.side)]), c.sent.Raw)
	r.machines.At(r.machines.Now()+deadline/4, func() { r.send(client, number) })
}

// hear takes what arrives at a client.
func (r *storeRun) hear(client, _ int, frame []byte) {
	c := &r.clients[client]
	a, err := leaderless.DecodeAnswer(frame)
	switch {
	case err != nil:
		r.breaks(err)
	case c.open != 0 && a.Request == c.sent.Digest:
		r.close(client, a)
	}
}

// close ends a client's call.
func (r *storeRun) close(client int, a *leaderless.Answer) {
	c := &r.clients[client]
	call := &r.calls[c.open-1]
	c.open = 0
	call.Ended = r.machines.Now()
	e := &ending{failed: a.Outcome != leaderless.Done, seen: a.Seen}
	for _, v := range a.Values {
		e.found = append(e.found, string(v))
	}
	switch {
	case e.failed:
		call.Why, call.Refused = a.Why, a.Outcome == leaderless.Refused || c.asked.kind == kv.KindGet
	case c.asked.kind == kv.KindGet:
		call.Found, call.Result = e.found, &consensus.Result{}
		if len(e.found) > 0 { // of siblings nobody asks how they are ordered
			call.Result.Data = append(make([]byte, revisionSize), e.found[0]...)
		}
	case c.asked.kind == kv.KindPut:
		call.Result = &consensus.Result{Data: make([]byte, revisionSize)}
	default:
		call.Result = &consensus.Result{}
	}
	r.next(client, e)
}

// revisionSize is the length of a revision in the store's results, which here is
// always 0: not known.
const revisionSize = 8

// final is what replicas hold.
func (r *storeRun) final() (all []map[string][]string) {
	for i := range r.column.Replicas {
		held := map[string][]string{}
		p, up := r.machines.Process(i).(process)
		for _, key := range keys {
			if !up {
				continue
			}
			cell := p.Cell(key)
			for _, v := range cell.Live() {
				held[key] = append(held[key], string(v))
			}
			slices.Sort(held[key])
		}
		all = append(all, held)
	}
	return all
}
