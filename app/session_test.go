package app_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// writer is the client of most tests, in the epoch that they begin with.
var writer, began = client(1), epochOf(testStart)

// §3: the window is the 256 counters up to highest+256; gaps are allowed.
func TestTheWindow(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	ask := func(counter uint64, op string) *consensus.Request { return request(writer, began, counter, []byte(op)) }
	steps := []struct {
		counter uint64
		want    consensus.RefusalCode // 0 = executed
	}{
		{0, consensus.RefusedStale},
		{257, consensus.RefusedAhead}, // without a session, too
		{256, 0},
		{1, 0},
		{512, 0},
		{256, consensus.RefusedStale}, // now below the window
		{257, 0},
		{769, consensus.RefusedAhead},
		{1 << 63, consensus.RefusedAhead},
		{768, 0},
	}
	for i, s := range steps {
		if s.want == 0 {
			c.one(ask(s.counter, "a."))
		} else if got := c.refused(ask(s.counter, "a.")); got != s.want {
			t.Errorf("step %d: counter %d: %v, want %v", i, s.counter, got, s.want)
		}
	}
	if got := c.m.Operations(); got != 5 {
		t.Errorf("%d operations executed, want 5", got)
	}
}

// §3: a retransmitted request is answered from its session, with the sequence
// number of its execution; another request under a used sequence is stale.
func TestARetransmissionIsAnsweredFromTheSession(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	r := request(writer, began, 5, []byte("a1"), []byte("rlog"))
	first := c.commit(r).Replies[0]
	later := map[string]func() app.Outcome{
		"in the same interval": func() app.Outcome { return c.commit(r) },
		"asked for":            func() app.Outcome { return c.do(consensus.Answer{Request: r}) },
		"twice in one batch":   func() app.Outcome { return c.commit(r, r) },
		"after a restart":      func() app.Outcome { c.checkpoint(); c.reopen(); return c.commit(r) },
	}
	for _, name := range []string{"in the same interval", "asked for", "twice in one batch", "after a restart"} {
		out := later[name]()
		if len(out.Refusals) > 0 || len(out.Replies) == 0 {
			t.Fatalf("%s: %+v", name, out)
		}
		got := out.Replies[0]
		if got.Seq != first.Seq || got.Request != r.Digest || got.Sequence != r.Sequence || got.Client != writer ||
			string(got.Results[1].Data) != "1" || !bytes.Equal(got.Results[0].Data, first.Results[0].Data) {
			t.Errorf("%s: %+v, want %+v", name, got, first)
		}
	}
	other := request(writer, began, 5, []byte("a2"))
	if got := c.refused(other); got != consensus.RefusedStale {
		t.Errorf("another request under a used sequence: %v", got)
	}
	if out := c.do(consensus.Answer{Request: other}); len(out.Refusals) != 1 || out.Refusals[0].Code != consensus.RefusedStale {
		t.Errorf("... asked for: %+v", out)
	}
	if got := c.m.Operations(); got != 2 {
		t.Errorf("%d operations executed, want 2", got)
	}
}

// Answer says only what stays true.
// What was executed, or never will be, is settled: an engine that has forgotten
// it stops waiting.
func TestAnswerSettles(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	r := request(writer, began, 1, []byte("a1"))
	c.one(r)
	for name, r := range map[string]*consensus.Request{
		"executed":    r,
		"older epoch": request(writer, began-1, 1, []byte("a")),
	} {
		out := c.do(consensus.Answer{Request: r})
		if len(out.Events) != 1 || out.Events[0] != (consensus.Settled{Request: r}) {
			t.Errorf("%s: %+v", name, out.Events)
		}
	}
}

// Clients are told nothing of what is still to be ordered, and the engine is:
// it may have thought otherwise.
func TestAnswerOfWhatIsNotExecuted(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	c.one(request(writer, began, 1, []byte("a1")))
	for name, r := range map[string]*consensus.Request{
		"no session": request(client(2), 1, 1, []byte("a")),
		"fresh":      request(writer, began, 2, []byte("a")),
		"ahead":      request(writer, began, 900, []byte("a")),
		"next epoch": request(writer, began+1, 1, []byte("a")),
	} {
		out := c.do(consensus.Answer{Request: r})
		if len(out.Replies)+len(out.Refusals) != 0 || len(out.Events) != 1 || out.Events[0] != (consensus.Unsettled{Request: r}) {
			t.Errorf("%s: %+v", name, out)
		}
	}
}

// The engine learns which requests of a batch were refused, so that it does not
// take them for executed.
func TestRefusedIsTold(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	late, good := request(writer, began+uint64(time.Hour), 1, []byte("a1")), request(writer, began, 1, []byte("a1"))
	out := c.commit(late, good, late)
	done, ok := out.Events[len(out.Events)-1].(consensus.Executed)
	if !ok || len(out.Refusals) != 2 || done.Refused == nil || !slices.Equal(*done.Refused, out.Refusals) || (*done.Refused)[0].Request != late.Digest || (*done.Refused)[0].Code != consensus.RefusedExpired {
		t.Errorf("told %+v, refused %+v", out.Events, out.Refusals)
	}
}

// Replies are written with their batch, not all at the checkpoint.
func TestRepliesAreWrittenWithTheirBatch(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	for n := range uint64(3) {
		who := writer
		c.one(request(who, began, n+1, []byte("a1")))
		key := append(append([]byte{0x03}, who[:]...), byte(n+1))
		if _, found, err := c.m.State().Get(string(key)); !found || err != nil {
			t.Errorf("reply %d is not in the state before the checkpoint, error %v", n+1, err)
		}
	}
}

// §3: a higher epoch opens a fresh window; e.g. a restarted client must not be
// handed the result of an old request under the same counter.
func TestAHigherEpochOpensAFreshWindow(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	for i := uint64(1); i <= 300; i++ {
		c.one(request(writer, began, i, []byte("a.")))
	}
	c.checkpoint()
	entries := c.m.State().Entries()
	if got := c.refused(request(writer, began-1, 301, []byte("a"))); got != consensus.RefusedStale {
		t.Errorf("older epoch: %v", got)
	}
	if got := c.refused(request(writer, began+1, 257, []byte("a"))); got != consensus.RefusedAhead {
		t.Errorf("fresh window, counter 257: %v", got)
	}
	if got := c.one(request(writer, began+1, 256, []byte("rlog"))); len(got.Data) != 300 {
		t.Errorf("fresh window, counter 256: %d bytes", len(got.Data))
	}
	if got := c.refused(request(writer, began, 300, []byte("a."))); got != consensus.RefusedStale {
		t.Errorf("retransmission of the older epoch: %v", got)
	}
	c.checkpoint()
	if got := c.m.State().Entries(); got != entries-255 {
		t.Errorf("%d entries after the old replies are gone, want %d", got, entries-255)
	}
}

// §3: a request without a session must have an epoch within S of executed
// time, and a new window must not open further ahead than that.
func TestEpochsLieNearExecutedTime(t *testing.T) {
	g := newGenesis()
	s := g.Limits.SessionIdle
	// The batch that judges is executed a second after testStart.
	now := testStart + second
	tests := []struct {
		epoch consensus.Time
		known bool
		want  consensus.RefusalCode
	}{
		{now - s, false, 0},
		{now - s - 1, false, consensus.RefusedExpired},
		{now + s, false, 0},
		{now + s + 1, false, consensus.RefusedExpired},
		{now + 2*second + s, true, consensus.RefusedExpired},
		{now + second + s, true, 0},
		{-1, false, consensus.RefusedExpired}, // beyond every clock
	}
	for _, test := range tests {
		c := newCluster(t, script{}, g)
		if test.known {
			c.one(request(writer, began, 1, []byte("a.")))
		}
		r := request(writer, uint64(test.epoch), 1, []byte("a."))
		if test.want == 0 {
			c.one(r)
		} else if got := c.refused(r); got != test.want {
			t.Errorf("epoch now%+d, known %v: %v, want %v", test.epoch-now, test.known, got, test.want)
		}
	}
}

// E.g. a client whose clock is ahead opens a window at now+3S, its session is
// dropped after 2S of idleness, and a second later what it asked for lies
// within S of executed time and is replayed. No epoch allows that.
func TestNothingIsReplayedAfterASessionIsDropped(t *testing.T) {
	g := newGenesis()
	s := g.Limits.SessionIdle
	for ahead := -s; ahead <= 4*s; ahead += s / 4 {
		c := newCluster(t, script{}, g)
		c.one(request(writer, began, 1, []byte("a.")))
		r := request(writer, uint64(c.now+ahead), 1, []byte("a!"))
		c.commit(r)
		executed := c.m.Operations()
		for range 24 { // until long after the session is gone
			c.now += s / 4
			c.checkpoint()
			if c.commit(r); c.m.Operations() > 2 || executed == 2 && c.m.Operations() != 2 {
				t.Fatalf("epoch now%+d s: executed twice", ahead/second)
			}
			executed = max(executed, c.m.Operations())
		}
		if got := c.m.Sessions(); got > 1 {
			t.Errorf("%d sessions are left", got)
		}
	}
}

// §3: sessions idle for more than 2S are dropped at checkpoints, with all that
// belongs to them; those in use stay.
func TestIdleSessionsAreDropped(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	c.checkpoint()
	empty := c.m.State().Entries()
	for i := 1; i < 4; i++ {
		c.commit(request(client(i), began, 1, []byte("r")), request(client(i), began, 2, []byte("r")))
	}
	counter := uint64(2)
	for rounds, want := 0, 3; want > 0; rounds++ {
		c.now += c.g.Limits.SessionIdle
		if counter < 8 { // client 3 goes on for a while
			counter++
			c.one(request(client(3), began, counter, []byte("r")))
		}
		c.checkpoint()
		switch got := c.m.Sessions(); {
		case got == want && rounds < 20:
		case got == 1 && want == 3 && counter == 4, got == 0 && want == 1 && counter == 8:
			want = got
		default:
			t.Fatalf("%d sessions at counter %d, had %d", got, counter, want)
		}
	}
	if got := c.m.State().Entries(); got != empty {
		t.Errorf("%d entries are left, want %d", got, empty)
	}
}

// The work of one checkpoint's expiry is bounded; the rest waits for the next.
func TestExpiryIsBounded(t *testing.T) {
	g := newGenesis()
	g.OpenClients = true
	c := newCluster(t, script{}, g)
	const clients = 5000
	var requests []*consensus.Request
	for i := range clients {
		requests = append(requests, request(client(100+i), began, 1, []byte("r")))
	}
	c.commit(requests...)
	c.now += 3 * g.Limits.SessionIdle
	c.checkpoint()
	if got := c.m.Sessions(); got != clients-2048 {
		t.Errorf("%d sessions after one checkpoint, want %d", got, clients-2048)
	}
	c.checkpoint()
	c.checkpoint()
	if got := c.m.Sessions(); got != 0 {
		t.Errorf("%d sessions after three checkpoints", got)
	}
}

// Sessions are bounded, and strangers cannot take those of listed clients.
func TestStrangersDoNotLockOutListedClients(t *testing.T) {
	g := newGenesis() // lists four
	g.OpenClients, g.Limits.Sessions = true, 6
	c := newCluster(t, script{}, g)
	for i := range 2 {
		c.one(request(client(100+i), began, 1, []byte("r")))
	}
	if got := c.refused(request(client(102), began, 1, []byte("r"))); got != consensus.RefusedTooManySessions {
		t.Errorf("a third stranger: %v", got)
	}
	for i := range 4 {
		c.one(request(client(i), began, 1, []byte("r")))
	}
	if got := c.m.Sessions(); got != 6 {
		t.Errorf("%d sessions, want 6", got)
	}
	c.checkpoint()
	c.reopen()
	if got := c.refused(request(client(102), began, 1, []byte("r"))); got != consensus.RefusedTooManySessions {
		t.Errorf("a third stranger after a restart: %v", got)
	}
	c.now += 3 * g.Limits.SessionIdle
	c.checkpoint()
	c.one(request(client(102), epochOf(c.now), 1, []byte("r")))

	g.Limits.Sessions = 3
	c = newCluster(t, script{}, g)
	if got := c.refused(request(client(100), began, 1, []byte("r"))); got != consensus.RefusedTooManySessions {
		t.Errorf("a stranger where all sessions are reserved: %v", got)
	}
}

// The rules of the genesis are judged again at execution.
func TestRequestsOverTheLimitsAreRefusedAgain(t *testing.T) {
	g := newGenesis()
	g.Limits.OperationBytes, g.Limits.RequestOperations = 100, 2
	c := newCluster(t, script{}, g)
	for want, r := range map[consensus.RefusalCode]*consensus.Request{
		consensus.RefusedUnknownClient: request(client(100), began, 1, []byte("r")),
		consensus.RefusedTooLarge:      request(writer, began, 1, make([]byte, 101)),
	} {
		if got := c.refused(r); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// Cached bytes of a client are bounded: the lowest counters are forgotten, and
// a request whose reply is forgotten is stale, not executed again.
func TestCachedBytesAreBounded(t *testing.T) {
	g := newGenesis()
	g.Limits.ResultBytes, g.Limits.SessionBytes = 100, 250
	c := newCluster(t, script{}, g)
	ask := func(counter uint64) *consensus.Request {
		return request(writer, began, counter, binary.BigEndian.AppendUint32([]byte("z"), 90))
	}
	for _, counter := range []uint64{5, 6, 7, 8, 2} {
		c.one(ask(counter))
	}
	check := func() {
		t.Helper()
		for _, counter := range []uint64{5, 6, 7} {
			if got := c.refused(ask(counter)); got != consensus.RefusedStale {
				t.Errorf("counter %d: %v", counter, got)
			}
		}
		for _, counter := range []uint64{2, 8} {
			if got := c.one(ask(counter)); len(got.Data) != 90 {
				t.Errorf("counter %d: %d bytes", counter, len(got.Data))
			}
		}
	}
	check()
	c.checkpoint()
	c.reopen()
	check()
	if got := c.m.Operations(); got != 5 {
		t.Errorf("%d operations executed, want 5", got)
	}
}

// What one outcome carries is bounded; what was left out can be asked for.
func TestRepliesOfABatchAreBounded(t *testing.T) {
	g := newGenesis()
	g.OpenClients = true
	c := newCluster(t, script{}, g)
	var requests []*consensus.Request
	for i := range 9 {
		requests = append(requests, request(client(100+i), began, 1, binary.BigEndian.AppendUint32([]byte("z"), 4<<20)))
	}
	if out := c.commit(requests...); len(out.Replies) != 7 {
		t.Fatalf("%d replies of 4 MiB at once, want 7", len(out.Replies))
	}
	for i, r := range requests {
		if out := c.do(consensus.Answer{Request: r}); len(out.Replies) != 1 || len(out.Replies[0].Results[0].Data) != 4<<20 {
			t.Errorf("request %d is not answered", i)
		}
	}
}

// A state whose records are not what this package writes is refused, not
// trusted: here a position that is cut short.
func TestADamagedPositionIsRefused(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	st := c.m.State()
	tx := st.Begin()
	tx.Put("\x01", []byte{1, 2, 3})
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	root, err := st.Mark(4)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Keep(4, root, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := app.Open(c.store, script{}, c.g, app.Options{}); err == nil {
		t.Error("opened")
	}
}

// digestOf names a result for comparison.
func digestOf(results []consensus.Result) crypto.Digest {
	return crypto.Hash(consensus.AppendResults(nil, results))
}
