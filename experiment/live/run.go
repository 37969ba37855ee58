package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/files"
	"quorate.dev/quorate/sim"
	"quorate.dev/quorate/testnet"
)

// Options say where and how a run happens.
type Options struct {
	Dir      string                     // of the cluster; new, and the caller's to remove
	Command  func(home string) []string // how a home becomes a process; nil = this program's node command
	Progress func(text string)          // hears what happens, on any goroutine; may be nil
}

// The timing of clusters in an experiment: a view change must not take longer than
// people wait.
const (
	tick        = 10 * time.Millisecond
	patience    = 300 * time.Millisecond
	patienceCap = 2400 * time.Millisecond
)

// Run runs one experiment with real processes over libp2p and judges it by
// what they and their clients wrote down. It leaves no process behind. Faults
// of networks and disks need Linux and root: elsewhere the error wraps
// netlab.ErrUnavailable. Other errors wrap ErrSpec or ErrPlace, or say what did not
// start; how a run ends is never one.
func Run(ctx context.Context, s spec.Spec, o Options) (out spec.Outcome, err error) {
	if err := s.Complete(); err != nil {
		return out, err
	}
	r := &run{spec: &s, options: &o}
	r.cluster, err = New(Setup{
		Dir: o.Dir, Command: o.Command, Name: "experiment", Protocol: s.Protocol, Replicas: s.Replicas, Faults: s.Faults,
		Adjust: r.adjust, Settings: r.settings,
	})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, r.cluster.Close()) }()
	for _, step := range []func(context.Context) error{r.corrupt, r.cluster.Start, r.lead, r.dial} {
		if err := step(ctx); err != nil {
			return out, errors.Join(err, r.hangUp())
		}
	}
	if err := errors.Join(r.load(ctx, &out), r.hangUp()); err != nil {
		return out, err
	}
	if out.Verdict, err = r.cluster.Judge(ctx, kv.Store{}, check.Store()); err != nil {
		return out, fmt.Errorf("judge the run: %w", err)
	}
	out.Lies, out.Genesis = -1, r.cluster.Genesis
	return out, nil
}

// run is one run.
type run struct {
	spec    *spec.Spec
	options *Options
	cluster *Cluster
	callers []*caller
	begun   time.Time // the load
}

// caller is one honest client. Its fields are its goroutine's while the load runs.
type caller struct {
	*testnet.Caller
	dice     *rand.Rand
	counter  int // of the counter that is its own
	asked    int
	answered int
	declined int         // calls that ended with an error
	calls    []spec.Call // if they have a deadline
}

// adjust bends the genesis as the spec wants it.
func (r *run) adjust(g *consensus.Genesis) {
	g.CheckpointInterval, g.Window = 8, 32
	g.Quorum, g.Faults = r.spec.Quorum, r.spec.Assumed
	g.UnsafeDemo = g.Quorum != 0 || g.Faults != 0
}

// settings make a home impatient. Where somebody is to be elected first, all
// others wait longer.
func (r *run) settings(i int, c *home.Config) {
	c.Engine.Tick, c.Engine.Patience, c.Engine.PatienceCap = files.Duration(tick), files.Duration(patience), files.Duration(patienceCap)
	if r.spec.Elected() {
		c.Engine.Patience *= 2 // for an election may last, on a small machine
		if !slices.Contains(r.spec.Forward, consensus.ReplicaID(i)) {
			c.Engine.Patience *= spec.Backward
		}
	}
	c.Engine.StatusEvery = files.Duration(100 * time.Millisecond)
}

// corrupt makes the traitors of the beginning: those of later acts are still
// honest.
func (r *run) corrupt(context.Context) error {
	var coalition []int
	for _, t := range r.spec.Traitors {
		coalition = append(coalition, int(t.Replica))
	}
	if r.spec.Coalition && len(coalition) > 1 {
		if err := r.cluster.Collude(coalition); err != nil {
			return refused(err)
		}
	}
	for _, t := range r.spec.Traitors {
		for _, a := range t.Schedule {
			if a.From > 0 || len(a.Behaviours) == 0 {
				continue
			}
			if err := r.cluster.Corrupt(int(t.Replica), a.Behaviours); err != nil {
				return refused(err)
			}
		}
	}
	return nil
}

// electedWithin is how long a run waits for its first leader. Traitors may see to
// it that there is none, which is then how it ends.
const electedWithin = 10 * time.Second

// lead waits until one of those leads whom the spec puts forward. Another who was
// quicker is started again.
func (r *run) lead(ctx context.Context) error {
	if !r.spec.Elected() || slices.ContainsFunc(r.spec.Forward, r.spec.Lies) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, electedWithin)
	defer cancel()
	for {
		leader := leading(r.cluster.Statuses(ctx))
		if slices.Contains(r.spec.Forward, consensus.ReplicaID(leader)) {
			return nil
		}
		if leader >= 0 {
			if err := errors.Join(r.cluster.Kill(leader), r.cluster.Restart(leader)); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// noLeader is how long a caller waits for a leader: longer than any run.
const noLeader = consensus.Time(time.Hour)

// dial connects each client, with a key and a history of its own.
func (r *run) dial(ctx context.Context) error {
	keys := r.cluster.ClientKeys()
	if r.spec.Clients > len(keys) {
		return fmt.Errorf("%w: %d clients: a real cluster has keys for %d", spec.ErrSpec, r.spec.Clients, len(keys))
	}
	config := session.Config{Patience: consensus.Time(patience) / 2, MaxPatience: consensus.Time(patienceCap), NoLeader: noLeader}
	if r.spec.Deadline > 0 {
		config.NoLeader = r.spec.Deadline * 3 / 4
	}
	for i := range r.spec.Clients {
		c, err := r.cluster.Dial(ctx, keys[i], func(c *client.Config) { c.Session, c.Addresses = config, r.reach(i) })
		if err != nil {
			return err
		}
		r.callers = append(r.callers, &caller{Caller: c, dice: rand.New(rand.NewPCG(r.spec.Seed, uint64(i)))})
	}
	return nil
}

// hangUp ends the clients.
func (r *run) hangUp() error {
	var errs []error
	for _, c := range r.callers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// reach is whom a client dials. It stands outside of the lab, where no link of its
// is cut: one that a fault puts on a side knows that side alone from the
// beginning, if there are enough to be believed, and else everybody.
func (r *run) reach(client int) []string {
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

// load lets the clients call while the faults happen, and notes how it ended.
func (r *run) load(ctx context.Context, out *spec.Outcome) error {
	timeline := r.spec.Timeline()
	last := consensus.Time(0)
	if len(timeline) > 0 {
		last = timeline[len(timeline)-1].At
	}
	within, cancel := context.WithTimeout(ctx, time.Duration(last+r.spec.SettleWithin(&sim.Timing{Tick: consensus.Time(tick), PatienceCap: int(patienceCap / tick)})))
	defer cancel()
	var misbehaving []func()
	for i, text := range r.spec.ByzantineClients {
		m, err := r.misbehaving(within, i, text)
		if err != nil {
			return err
		}
		misbehaving = append(misbehaving, m)
	}
	r.begun = time.Now()
	l := Load{Begun: r.begun, Calls: r.spec.Invoked, Within: time.Duration(r.spec.Deadline), Next: r.next, Heard: r.heard}
	for _, c := range r.callers {
		l.Callers = append(l.Callers, c)
	}
	var beside sync.WaitGroup
	for _, m := range misbehaving {
		beside.Go(m)
	}
	happened := make(chan error, 1)
	go func() { happened <- r.happen(within, timeline) }()
	err := l.Run(within)
	r.ended(ctx, out)
	cancel()
	beside.Wait()
	return errors.Join(err, <-happened, ctx.Err())
}

// happen lets the faults happen until ctx ends.
func (r *run) happen(ctx context.Context, faults []spec.Fault) error {
	words := r.spec.UnderTest().Words
	for f := range Due(ctx, r.begun, faults) {
		if err := r.cluster.Find(ctx, &f); err != nil {
			return fmt.Errorf("%s: %w", f.Text(words), err)
		}
		if r.options.Progress != nil {
			r.options.Progress(f.Text(words))
		}
		if err := r.cluster.Inject(&f); err != nil {
			return err
		}
	}
	return nil
}

// next is what a client asks for, and heard how that ended.
func (r *run) next(caller, number int) []byte {
	c := r.callers[caller]
	c.asked++
	return c.operation(caller, number)
}

func (r *run) heard(c *Call) time.Duration {
	if c.Over {
		return 0
	}
	me := r.callers[c.Caller]
	told := spec.Call{Client: c.Caller, Operation: describe(c.Operation), Asked: consensus.Time(c.Asked), Ended: consensus.Time(c.Ended), Seq: c.Result.Seq}
	if c.Err != nil {
		me.declined++
		told.Error = c.Err.Error()
	} else {
		me.answered++
		me.learn(c.Operation, c.Result.Result)
	}
	if r.spec.Deadline > 0 {
		me.calls = append(me.calls, told)
	}
	return me.pause(r.spec)
}

// ended notes how the load ended.
func (r *run) ended(ctx context.Context, out *spec.Outcome) {
	out.Live = true
	for _, c := range r.callers {
		done := c.answered
		if r.spec.Deadline > 0 {
			done += c.declined
		}
		out.Asked, out.Answered = out.Asked+c.asked, out.Answered+c.answered
		out.Live = out.Live && done == r.spec.Invoked && c.answered > 0
		out.Calls = append(out.Calls, c.calls...)
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
}

// sharedKeys is how many keys all callers write to.
const sharedKeys = 3

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

// operation draws a call: values are unique, and a counter of its own
// shows what was executed twice.
func (c *caller) operation(index, number int) []byte {
	key := fmt.Appendf(nil, "k%d", c.dice.IntN(sharedKeys))
	switch c.dice.IntN(4) {
	case 0:
		return kv.Get(key)
	case 1:
		expect := kv.None
		if c.counter > 0 {
			expect = kv.Some(fmt.Appendf(nil, "%d", c.counter))
		}
		return kv.CompareAndSwap(fmt.Appendf(nil, "c%d", index), expect, kv.Some(fmt.Appendf(nil, "%d", c.counter+1)))
	}
	return kv.Put(key, fmt.Appendf(nil, "client %d, call %d", index, number))
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
