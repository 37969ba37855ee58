package cap

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/check/linear"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/simulate"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/sim"
)

// numbered is the key-value store with a number before each operation: the judge of
// protocols asks that no client asks twice for equal bytes.
type numbered struct{ kv.Store }

// The number begins with a byte that no operation of the simulator's own begins with.
const (
	numberMark = 0xff
	numberSize = 8
)

// Execute executes what stands behind the number.
func (n numbered) Execute(ctx app.Context, tx app.Tx, op []byte) consensus.Result {
	return n.Store.Execute(ctx, tx, op[min(numberSize, len(op)):])
}

// orderedRun is one run of a protocol under way.
type orderedRun struct {
	callers []*caller
	asked   []ask
	open    []int // the call that each has made last, plus one
	calls   []Call
	numbers uint64
	final   []map[string][]string
}

// runOrdered runs a protocol.
func runOrdered(c *Column, seed uint64, trace io.Writer) (*run, error) {
	s, o := c.Setting, &orderedRun{}
	o.asked, o.open = make([]ask, s.clients()), make([]int, s.clients())
	for i := range o.asked {
		o.callers = append(o.callers, newCaller(i, c, seed))
	}
	x := spec.Spec{
		Name: c.ID, Protocol: c.Protocol.Name, Replicas: c.Replicas, Clients: s.clients(), Deadline: deadline, Seed: seed,
		Forward: []consensus.ReplicaID{0}, Faults: c.faults(seed), Settle: 20 * sim.Second,
	}
	outcome, err := simulate.RunShaped(x, simulate.Shape{
		Configure: func(config *sim.Config) {
			watch := config.Watch
			config.Watch = func(step sim.Step) { watch(step); o.watch(step) }
			config.Application, config.Ask = numbered{}, o.ask
			config.Reads = func(op []byte) bool { return !kv.Writes(op[numberSize:]) }
			config.Network, config.Disk, config.Timing.Skew, config.Trace = s.network(), disks(), max(2*s.Skew, 1), trace
			config.Network.Duplicate = 0 // callers are told when nobody leads, which rests on streams
			config.Timing.Safety = healedAt
		},
		Ended: o.end,
	})
	if err != nil {
		return nil, fmt.Errorf("%s, seed %d: %w", c.ID, seed, err)
	}
	r := &run{calls: o.calls, final: o.final, violations: outcome.Violations()}
	if !outcome.Live {
		r.violations = append(r.violations, "not everything was answered in the end")
	}
	return r, nil
}

// ask is what a client invokes next.
func (o *orderedRun) ask(client int, before *consensus.Result) (op []byte, at consensus.Time, ok bool) {
	var last *ending
	now := consensus.Time(0)
	if i := o.open[client] - 1; i >= 0 {
		c := &o.calls[i]
		last, now = c.close(before), c.Ended
	}
	a, ok := o.callers[client].next(now, last)
	if !ok {
		return nil, 0, false
	}
	o.asked[client], o.open[client] = a, 0
	o.numbers++
	number := binary.BigEndian.AppendUint64(nil, o.numbers)
	number[0] = numberMark
	return append(number, a.op...), a.at, true
}

// close reads how a call ended, and what it found.
func (c *Call) close(result *consensus.Result) *ending {
	if c.Why != "" {
		return &ending{failed: true}
	}
	c.Result = &consensus.Result{Code: result.Code, Data: result.Data}
	e := &ending{}
	op, err := kv.Decode(c.Op)
	switch {
	case err != nil || result.Code != consensus.ResultOK:
		e.failed = true
	case op.Kind == kv.KindGet:
		if x, found, err := kv.ParseGet(result.Data); err == nil && found {
			e.found = []string{string(x.Value)}
		}
		c.Found = e.found
	case op.Kind == kv.KindSwap:
		x, err := kv.ParseSwap(result.Data)
		if c.Lost = err == nil && !x.Done; c.Lost {
			e.lost = true
			if x.Present {
				e.found = []string{string(x.Current.Value)}
			}
		}
	}
	return e
}

// watch takes note of calls, as their callers live them.
func (o *orderedRun) watch(s sim.Step) {
	var client int
	if _, err := fmt.Sscanf(s.From, "C%d", &client); err != nil || client >= len(o.open) {
		return
	}
	if s.Kind == sim.StepInvoke {
		o.calls = append(o.calls, newCall(client, &o.asked[client], s.At))
		o.open[client] = len(o.calls)
		return
	}
	if o.open[client] == 0 || s.Kind != sim.StepBelieve && s.Kind != sim.StepDecline {
		return
	}
	c := &o.calls[o.open[client]-1]
	c.Ended = s.At
	if s.Kind == sim.StepDecline {
		c.Why = s.Text
		c.Refused = c.Kind == kv.KindGet || !strings.Contains(s.Text, session.ErrUnknown.Error())
	}
}

// newCall is a call that begins.
func newCall(client int, a *ask, at consensus.Time) Call {
	return Call{WeakCall: check.WeakCall{Call: linear.Call{Client: client, Op: a.op, Began: at}, Rests: a.rests}, Key: a.key, Kind: a.kind}
}

// end reads what replicas hold.
func (o *orderedRun) end(w *sim.World) {
	for id := range w.Statuses() {
		held := map[string][]string{}
		for _, key := range keys {
			record, found := w.Value(consensus.ReplicaID(id), key)
			if x, _, err := kv.ParseGet(record); found && err == nil {
				held[key] = []string{string(x.Value)}
			}
		}
		o.final = append(o.final, held)
	}
}
