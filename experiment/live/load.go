package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/byzantine/catalogue"
	byzclient "quorate.dev/quorate/byzantine/client"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/p2p"
	"quorate.dev/quorate/sim"
)

// caller is one honest client of a real run. It writes down each call before it
// is made and each result that it believes.
type caller struct {
	index    int
	client   *client.Client
	history  *check.Writer
	file     *os.File
	dice     *rand.Rand
	counter  int // of the counter that is its own
	asked    int
	answered int
	declined int         // calls that ended with an error
	calls    []spec.Call // if they have a deadline
}

// run drives the load while the events happen, and notes how it ended.
func (r *real) run(ctx context.Context, out *spec.Outcome) error {
	callers, err := r.callers(ctx)
	defer func() {
		for _, c := range callers {
			_ = c.client.Close()
			_ = c.file.Close() // each entry was written when it was made
		}
	}()
	if err != nil {
		return err
	}
	r.begun = time.Now()
	limit := time.Duration(r.lastEvent() + r.spec.SettleWithin(&sim.Timing{Tick: consensus.Time(realTick), PatienceCap: int(realCap / realTick)}))
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	villains, stopVillains := context.WithCancel(within)
	defer stopVillains()
	happened := make(chan error, 1)
	go func() { happened <- r.happen(within) }()
	var load, bad sync.WaitGroup
	for i, text := range r.spec.Villains {
		v, err := r.villain(villains, i, text)
		if err != nil {
			return err
		}
		bad.Go(v)
	}
	for _, c := range callers {
		load.Go(func() { c.work(within, r) })
	}
	load.Wait()
	stopVillains()
	bad.Wait()
	return r.ended(ctx, callers, happened, cancel, out)
}

// ended notes how the load ended.
func (r *real) ended(ctx context.Context, callers []*caller, happened chan error, cancel context.CancelFunc, out *spec.Outcome) error {
	out.Live = true
	for _, c := range callers {
		out.Asked, out.Answered = out.Asked+c.asked, out.Answered+c.answered
		out.Live = out.Live && c.answered+c.declined == r.spec.Invoked && c.answered > 0
		out.Calls = append(out.Calls, c.calls...)
		if err := c.history.Err(); err != nil {
			return fmt.Errorf("history of client %d: %w", c.index, err)
		}
	}
	slices.SortFunc(out.Calls, func(a, b spec.Call) int { return cmp.Compare(a.Asked, b.Asked) })
	out.Elapsed = consensus.Time(time.Since(r.begun))
	for _, s := range r.cluster.Statuses(ctx) {
		if s.Report == nil {
			continue
		}
		out.Statuses = append(out.Statuses, s.Report.Status)
		if !r.spec.Lies(s.Report.Replica) {
			out.Views = max(out.Views, s.Report.View)
		}
	}
	cancel()
	if err := <-happened; err != nil {
		return err
	}
	return ctx.Err()
}

// lastEvent is when the last fault or act is over.
func (r *real) lastEvent() (last consensus.Time) {
	for _, e := range r.events() {
		last = max(last, e.at)
	}
	return last
}

// callers dials for each client, with a key and a history of its own.
func (r *real) callers(ctx context.Context) ([]*caller, error) {
	if err := os.MkdirAll(r.cluster.Histories(), 0o700); err != nil {
		return nil, err
	}
	var all []*caller
	for i := range r.spec.Clients {
		c, err := r.caller(ctx, i)
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

func (r *real) caller(ctx context.Context, i int) (*caller, error) {
	seed, err := home.ReadKey(r.cluster.ClientKeys()[i], nil)
	if err != nil {
		return nil, err
	}
	g, leaderless := &r.cluster.Genesis, noLeader
	if r.spec.Deadline > 0 {
		leaderless = r.spec.Deadline * 3 / 4
	}
	file, err := os.Create(filepath.Join(r.cluster.Histories(), strconv.Itoa(i)+".transcript"))
	if err != nil {
		return nil, err
	}
	history, err := check.NewWriter(file, check.Header{Cluster: g.ID(), Client: true, Key: crypto.PublicOf(seed), Life: 1})
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	c, err := client.Dial(ctx, client.Config{
		Genesis: g, Key: seed, Addresses: r.reach(i),
		Session: session.Config{Patience: consensus.Time(realPatience) / 2, MaxPatience: consensus.Time(realCap), NoLeader: leaderless},
	})
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &caller{index: i, client: c, history: history, file: file, dice: rand.New(rand.NewPCG(r.spec.Seed, uint64(i)))}, nil
}

// reach is whom a client dials. It stands outside of the lab, where no link of its
// is cut: one that a fault puts on a side knows that side alone from the
// beginning, if there are enough to be believed, and else everybody.
func (r *real) reach(client int) []string {
	addresses := r.cluster.Addresses()
	for _, f := range r.spec.Faults {
		if !slices.Contains(f.Clients, client) || len(f.Replicas) < r.spec.System().Replies() {
			continue
		}
		for id := range addresses {
			if !slices.Contains(f.Replicas, consensus.ReplicaID(id)) {
				addresses[id] = "" // never dialled
			}
		}
	}
	return addresses
}

// noLeader is how long a caller waits for a leader: longer than any run.
const noLeader = consensus.Time(time.Hour)

// sharedKeys is how many keys all callers write to.
const sharedKeys = 3

// work makes the calls, one after the other.
func (c *caller) work(ctx context.Context, r *real) {
	for c.asked < r.spec.Invoked {
		op := c.operation()
		c.asked++
		if !c.call(ctx, r, op) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(c.pause(r.spec)):
		}
	}
}

// call makes one. It fails when the run is over: what was not answered stays
// open then, for it may have been executed or not.
func (c *caller) call(ctx context.Context, r *real, op []byte) bool {
	number := uint64(c.asked)
	if c.history.Write(&check.Entry{Kind: check.EntryInvoked, At: wall(), Number: number, Bytes: op}) != nil {
		return false
	}
	within, cancel := ctx, context.CancelFunc(func() {})
	if r.spec.Deadline > 0 {
		within, cancel = context.WithTimeout(ctx, time.Duration(r.spec.Deadline))
	}
	defer cancel()
	told := spec.Call{Client: c.index, Operation: describe(op), Asked: consensus.Time(time.Since(r.begun))}
	result, err := c.client.Invoke(within, op)
	told.Ended = consensus.Time(time.Since(r.begun))
	switch {
	case err != nil && (r.spec.Deadline == 0 || ctx.Err() != nil):
		return false
	case err != nil:
		c.declined++
		told.Error = err.Error()
		c.calls = append(c.calls, told)
		return true
	}
	c.answered++
	if told.Seq = result.Seq; r.spec.Deadline > 0 {
		c.calls = append(c.calls, told)
	}
	if c.history.Write(&check.Entry{Kind: check.EntryReturned, At: wall(), Number: number, Seq: result.Seq, Result: result.Result}) != nil {
		return false
	}
	c.learn(op, result.Result)
	return true
}

// describe says what an operation does, for people.
func describe(op []byte) string {
	o, err := kv.Decode(op)
	verb := map[kv.Kind]string{kv.KindGet: "read", kv.KindPut: "write", kv.KindSwap: "swap"}[o.Kind]
	if err != nil || verb == "" {
		return "an operation"
	}
	return fmt.Sprintf("%s %s", verb, o.Key)
}

// pause is how long a caller thinks: about what the spec says, or a few
// milliseconds.
func (c *caller) pause(s *spec.Spec) time.Duration {
	if s.Think > 0 {
		return time.Duration(s.Think)/2 + time.Duration(c.dice.Int64N(int64(s.Think)))
	}
	return time.Duration(5+c.dice.IntN(20)) * time.Millisecond
}

// operation draws the next call: values are unique, and a counter of its own
// shows what was executed twice.
func (c *caller) operation() []byte {
	key := fmt.Appendf(nil, "k%d", c.dice.IntN(sharedKeys))
	switch c.dice.IntN(4) {
	case 0:
		return kv.Get(key)
	case 1:
		expect := kv.None
		if c.counter > 0 {
			expect = kv.Some(fmt.Appendf(nil, "%d", c.counter))
		}
		return kv.CompareAndSwap(fmt.Appendf(nil, "c%d", c.index), expect, kv.Some(fmt.Appendf(nil, "%d", c.counter+1)))
	}
	return kv.Put(key, fmt.Appendf(nil, "client %d, call %d", c.index, c.asked))
}

// learn counts its own counter.
func (c *caller) learn(op []byte, result consensus.Result) {
	if o, err := kv.Decode(op); err != nil || o.Kind != kv.KindSwap || result.Code != consensus.ResultOK {
		return
	}
	if swapped, err := kv.ParseSwap(result.Data); err == nil && swapped.Done {
		c.counter++
	}
}

// wall is the clock of histories and transcripts: that of the machine.
func wall() consensus.Time { return consensus.Time(time.Now().UnixNano()) }

// villainEvery is how often a villain has its turn.
const villainEvery = 20 * time.Millisecond

// villain connects a misbehaving client; it has a key that the genesis admits,
// from the other end of the pool.
func (r *real) villain(ctx context.Context, i int, text string) (func(), error) {
	b, err := catalogue.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", spec.ErrSpec, err)
	}
	keys := r.cluster.ClientKeys()
	if r.spec.Clients+i >= len(keys) {
		return nil, fmt.Errorf("%w: %d clients and %d villains: a real cluster has keys for %d", spec.ErrSpec, r.spec.Clients, len(r.spec.Villains), len(keys))
	}
	seed, err := home.ReadKey(keys[len(keys)-1-i], nil)
	if err != nil {
		return nil, err
	}
	g := r.cluster.Genesis
	n := 0
	v, err := byzclient.New(g, crypto.NewSigner(seed), b, r.spec.Seed, func() []byte {
		n++
		return kv.Put([]byte("villain"), fmt.Appendf(nil, "%d", n))
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", spec.ErrSpec, err)
	}
	var members []p2p.Member
	for id, address := range r.cluster.Addresses() {
		members = append(members, p2p.Member{Replica: consensus.ReplicaID(id), Key: g.Replicas[id], Addr: address})
	}
	hear := func(consensus.ReplicaID, [][]byte) {
		if v.Deaf() {
			<-ctx.Done()
		}
	}
	network, err := p2p.Dial(ctx, p2p.ClientConfig{Key: seed[:], Cluster: g.ID(), Members: members, Receive: hear})
	if err != nil {
		return nil, err
	}
	return func() {
		turns := time.NewTicker(villainEvery)
		defer turns.Stop()
		for {
			select {
			case <-ctx.Done():
				_ = network.Close()
				return
			case <-turns.C:
			}
			for _, p := range v.Next(wall()) {
				network.Send(p.To.Replica, p.Bytes)
			}
		}
	}, nil
}
