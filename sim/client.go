package sim

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// client is one process of callers: the unchanged client session on virtual
// time. A few callers invoke operations, each waiting for its result and
// thinking for a while before the next.
type client struct {
	world   *World
	index   int
	end     endpoint
	signer  crypto.Signer
	dice    *stream
	session *session.Session                              // nil in a script, whose clients are moved by hand
	due     consensus.Time                                // when the session wants to be called; 0 = not at all
	ticket  session.Ticket                                // the last one
	open    []call                                        // in order of their tickets
	quota   int                                           // operations still to invoke
	callers int                                           // that think or wait
	replied func(consensus.ReplicaID, *consensus.Reply)   // a script's; may be nil
	told    func(consensus.ReplicaID, *consensus.Finding) // ... of answers to READs
	before  *consensus.Result                             // of the call before
	wrong   consensus.Time                                // by how much its clock is wrong, in this life
	kept    uint64                                        // the last epoch that was accepted; half of the clients keep it
	lost    quorum.Set                                    // the replicas to which it has noticed that it has no link
	reads   clientReads
}

// call is one operation under way.
type call struct {
	ticket session.Ticket
	token  token
}

func newClient(w *World, index int) *client {
	return &client{
		world: w, index: index, end: endpoint(w.cfg.Replicas + index), signer: w.keys.clients[index],
		dice: newStream(w.cfg.Seed, fmt.Sprintf("client %d", index)), reads: newClientReads(w.cfg.Seed, index),
	}
}

// now is the client's clock.
func (c *client) now() consensus.Time { return c.world.clock.now + c.wrong }

// start opens a session and begins to invoke.
func (c *client) start(quota int) {
	c.connect()
	c.grant(quota)
}

// connect opens a fresh session, as a restarted client does: it needs to learn
// nothing from the one before, only to have a higher epoch.
func (c *client) connect() {
	w := c.world
	s, err := session.New(session.Config{
		Genesis: &w.genesis, System: w.system, Elected: w.protocol.Elected, Signer: c.signer, Epoch: uint64(c.now()) + 1, After: c.kept, GatherOps: w.cfg.Workload.Operations,
		Patience: w.cfg.Workload.Timeout, MaxPatience: 16 * w.cfg.Workload.Timeout, NoLeader: w.cfg.Workload.noLeader(),
	})
	if err != nil {
		w.violate("%s has no session: %v", w.name(c.end), err)
		return
	}
	c.session = s
	for i := range w.replicas {
		s.Connected(consensus.ReplicaID(i))
	}
}

// restart loses the process: what was under way may or may not be executed.
func (c *client) restart() {
	if c.session == nil {
		return
	}
	w := c.world
	w.trace.line(w.clock.now, "%s restarts with %d operations under way", w.name(c.end), len(c.open))
	c.closeBooks()
	if c.index%2 == 0 {
		c.kept = c.session.Accepted()
	}
	c.session.Close()
	c.session.Flush()
	for range c.open {
		c.think()
	}
	c.open = nil
	c.connect()
}

// closeBooks counts what the session did.
func (c *client) closeBooks() {
	if c.session == nil {
		return
	}
	s, stats := c.session.Stats(), &c.world.stats
	stats.Again += s.Again
	stats.read(readAgain, s.ReadsAgain)
	stats.read(readOrdered, s.ReadsOrdered)
	stats.read(readLate, s.ReadsLate)
}

// grant sets how many operations the callers will yet invoke.
func (c *client) grant(quota int) {
	c.quota = quota
	for c.callers < c.world.cfg.Workload.Callers {
		c.callers++
		c.think()
	}
}

// done reports whether everything was invoked and answered.
func (c *client) done() bool { return c.quota == 0 && len(c.open) == 0 }

// think waits a while and invokes the next operation.
func (c *client) think() {
	if c.world.cfg.Ask != nil {
		c.ask()
		return
	}
	pause := c.world.cfg.Workload.Think
	if c.world.net.settled {
		pause /= 8 // nothing to wait for any more
	}
	c.world.clock.after(c.dice.around(pause), func() {
		if c.quota == 0 {
			c.callers--
			return
		}
		if c.wantsToRead() {
			c.read()
			return
		}
		c.quota--
		c.invoke(nil)
	})
}

// invoke asks for an operation; nil = draw one.
func (c *client) invoke(op []byte) {
	t := token{client: c.index, counter: uint64(c.ticket) + 1}
	if op == nil {
		op = drawOperation(c.dice, c.world.cfg.Workload, t)
	}
	c.call(op, t, c.session.Invoke)
}

// call hands an operation to the session.
func (c *client) call(op []byte, t token, hand func(session.Ticket, []byte)) {
	c.ticket++
	c.world.stats.Asked++
	c.open = append(c.open, call{ticket: c.ticket, token: t})
	c.world.checks.judge.Invoked(c.world.at(), check.CallID{Client: c.index, Number: uint64(c.ticket)}, c.signer.Public(), op)
	c.session.Advance(c.now())
	c.world.watchCall(c, StepInvoke, t, describeOperation(op))
	hand(c.ticket, op)
	c.flush()
	c.giveUp(c.ticket)
}

// giveUp ends a call whose caller waits no longer, if callers have a deadline.
func (c *client) giveUp(ticket session.Ticket) {
	w := c.world
	if w.cfg.Workload.Deadline == 0 {
		return
	}
	w.clock.after(w.cfg.Workload.Deadline, func() {
		for _, o := range c.open {
			if o.ticket == ticket {
				c.session.Advance(c.now())
				c.session.Cancel(ticket)
				c.flush()
				return
			}
		}
	})
}

// flush does what the session wants to be done.
func (c *client) flush() {
	w := c.world
	out := c.session.Flush()
	for _, s := range out.Sends {
		c.reads.sent(s.Bytes)
		if r, err := consensus.DecodeRequest(s.Bytes); err == nil {
			w.checks.judge.Signed(r)
		}
		w.launch(packet{from: c.end, to: endpoint(s.To), class: consensus.Bodies, bytes: s.Bytes})
	}
	for _, d := range out.Done {
		c.finish(d)
	}
	if due := out.Deadline - c.wrong; out.Deadline != 0 && (c.due == 0 || due < c.due) {
		c.wakeAt(due)
	}
}

// wakeAt calls the session when it wants to be called.
func (c *client) wakeAt(due consensus.Time) {
	c.due = due
	c.world.clock.after(max(0, due-c.world.clock.now), func() {
		if c.due == due {
			c.due = 0
			c.session.Advance(c.now())
			c.flush()
		}
	})
}

// finish takes the end of an operation. Nobody here ever deserves an error, but
// for those whose clock is wrong, or the cluster's.
func (c *client) finish(d session.Done) {
	for i, call := range c.open {
		if call.ticket != d.Ticket {
			continue
		}
		c.open = append(c.open[:i], c.open[i+1:]...)
		c.before = &d.Result
		switch {
		case d.Err == nil:
			c.world.checks.believed(c, call, &d)
		case errors.Is(d.Err, session.ErrNoLeader) || c.world.cfg.Workload.Deadline > 0 && errors.Is(d.Err, session.ErrUnknown),
			c.world.cfg.clocksAreWrong() && (errors.Is(d.Err, session.ErrExpired) || errors.Is(d.Err, session.ErrStale)):
			c.declined(call, d.Err)
		case !errors.Is(d.Err, session.ErrClosed):
			c.world.cheated(fmt.Sprintf("%s gets an error for %v: %v", c.world.name(c.end), call.token, d.Err))
		}
		c.think()
		return
	}
}

// declined takes the word of all replicas within reach that there is no
// majority, or the session's that nobody has answered in time. Once nothing goes wrong any more, something else is asked instead:
// a system that only declines does not live.
func (c *client) declined(call call, err error) {
	w := c.world
	w.stats.Declined++
	w.watchCall(c, StepDecline, call.token, err.Error())
	w.trace.line(w.clock.now, "%s is told of %v: %v", w.name(c.end), call.token, err)
	if !errors.Is(err, session.ErrUnknown) {
		w.checks.judge.Declined(check.CallID{Client: c.index, Number: uint64(call.ticket)})
	}
	if w.net.settled {
		c.quota++
	}
}

// noLeader is how long a session asks replicas that know no leader.
func (l *Workload) noLeader() consensus.Time {
	if l.NoLeader > 0 {
		return l.NoLeader
	}
	return 1 << 60
}

// accept takes a frame from a replica.
func (c *client) accept(from consensus.ReplicaID, frame []byte) {
	w := c.world
	switch {
	case len(frame) > 0 && frame[0] == consensus.KindReply:
		r, err := consensus.DecodeReply(frame)
		if err != nil {
			if w.replicas[from].honest() {
				w.violate("R%d sent %s a reply that does not decode: %v", from, w.name(c.end), err)
			}
			return
		}
		w.checks.judge.Replied(w.at(), from, r)
		if c.replied != nil {
			c.replied(from, r)
		}
	case len(frame) > 0 && frame[0] == consensus.KindFinding:
		c.found(from, frame)
	case len(frame) > 0 && (frame[0] == consensus.KindRefusal || frame[0] == consensus.KindExplained):
		c.refused(from, frame)
	default:
		if w.replicas[from].honest() {
			w.violate("%s got %s from R%d", w.name(c.end), w.describe(frame), from)
		}
		return
	}
	if c.session != nil {
		c.session.Advance(c.now())
		c.session.Receive(from, frame)
		c.flush()
	}
}

// String says what the client waits for.
func (c *client) String() string {
	s := fmt.Sprintf("%d to invoke;", c.quota)
	for _, o := range c.open {
		s += " " + o.token.String()
	}
	return s
}
