package driver

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
)

// babbler is an engine whose steps put out what the test prepared.
type babbler struct {
	next    consensus.Output
	durable uint64 // as it was told last
}

func (b *babbler) Step(e consensus.Burst) consensus.Output {
	b.durable = e.Durable
	return b.next
}
func (b *babbler) Status() consensus.Status   { return consensus.Status{Protocol: "babble"} }
func (b *babbler) Horizon() consensus.Horizon { return "horizon" }

// disk is a host that remembers what was seen outside and when it syncs.
type disk struct {
	driver  *Driver
	instant bool // sync within Append
	appends []Ticket
	records map[Ticket][]consensus.Record
	forgets map[Ticket]consensus.Seq
	seen    []string
}

func newDisk(e consensus.Engine, instant bool) (*Driver, *disk) {
	h := &disk{instant: instant, records: map[Ticket][]consensus.Record{}, forgets: map[Ticket]consensus.Seq{}}
	h.driver = New(e, h)
	return h.driver, h
}

func (h *disk) Append(t Ticket, records []consensus.Record, forget consensus.Seq) {
	h.appends = append(h.appends, t)
	h.records[t], h.forgets[t] = records, forget
	if h.instant {
		h.driver.Durable(t)
	}
}

func (h *disk) see(format string, args ...any) { h.seen = append(h.seen, fmt.Sprintf(format, args...)) }

func (h *disk) Send(s []consensus.Send)          { h.see("send %s", s[0].Bytes) }
func (h *disk) Refuse(r []consensus.Refusal)     { h.see("refuse %d", r[0].View) }
func (h *disk) Read(r []consensus.ChunkRead)     { h.see("read %d", r[0].Seq) }
func (h *disk) Execute(jobs []consensus.Job)     { h.see("execute %d", jobs[0].(consensus.Commit).Seq) }
func (h *disk) Lookup(l []consensus.Lookup)      { h.see("lookup %d", l[0].Index) }
func (h *disk) Note(n []consensus.Note)          { h.see("note %s", n[0].Text) }
func (h *disk) Halt(reason string)               { h.see("halt %s", reason) }
func (h *disk) expect(t *testing.T, w ...string) { t.Helper(); expectSeen(t, h, w) }

func expectSeen(t *testing.T, h *disk, want []string) {
	t.Helper()
	if got := h.seen; !(len(got) == 0 && len(want) == 0) && !reflect.DeepEqual(got, want) {
		t.Fatalf("seen outside:\n %q\nwant:\n %q", got, want)
	}
	h.seen = nil
}

func record(slot consensus.Seq, lazy bool) consensus.Record {
	return consensus.Record{Slot: slot, Lazy: lazy, Bytes: []byte("r")}
}

func full(name string, n uint64, records ...consensus.Record) consensus.Output {
	return consensus.Output{
		Early:    []consensus.Send{{Bytes: []byte("early " + name)}},
		Records:  records,
		Sends:    []consensus.Send{{Bytes: []byte(name)}},
		Refusals: []consensus.Refusal{{View: consensus.View(n)}},
		Reads:    []consensus.ChunkRead{{Seq: consensus.Seq(n)}},
		Jobs:     []consensus.Job{consensus.Commit{Seq: consensus.Seq(n)}},
		Notes:    []consensus.Note{{Text: name}},
	}
}

// An output goes as a whole, in the order of its fields, once its records are
// synced; what promises nothing goes at once.
func TestOutputWaitsForItsRecords(t *testing.T) {
	e := &babbler{next: full("a", 1, record(1, false))}
	d, h := newDisk(e, false)
	d.Step(consensus.Burst{})
	h.expect(t, "note a", "send early a")
	e.next = full("b", 2)
	d.Step(consensus.Burst{})
	h.expect(t, "note b", "send early b")
	if d.Backlog() != 2 {
		t.Fatalf("backlog %d, want 2", d.Backlog())
	}
	d.Durable(1)
	h.expect(t, "send a", "refuse 1", "read 1", "execute 1", "send b", "refuse 2", "read 2", "execute 2")
	e.next = full("c", 3)
	d.Step(consensus.Burst{})
	h.expect(t, "note c", "send early c", "send c", "refuse 3", "read 3", "execute 3")
}

// A lazy record is appended, in order, and holds nothing back; behind one that
// gates, its output still waits for that one.
func TestLazyRecordsDoNotGate(t *testing.T) {
	e := &babbler{next: consensus.Output{Records: []consensus.Record{record(1, true)}, Sends: []consensus.Send{{Bytes: []byte("a")}}}}
	d, h := newDisk(e, false)
	d.Step(consensus.Burst{})
	h.expect(t, "send a")
	if len(h.appends) != 1 {
		t.Fatalf("%d appends, want 1", len(h.appends))
	}
	e.next.Records[0].Lazy = false
	d.Step(consensus.Burst{})
	e.next = consensus.Output{Records: []consensus.Record{record(1, true)}, Sends: []consensus.Send{{Bytes: []byte("b")}}}
	d.Step(consensus.Burst{})
	h.expect(t)
	d.Durable(2)
	h.expect(t, "send a", "send b")
}

// An engine hears which of its outputs are on disk. A lazy record is there when one
// behind it is that something waited for, and not before: for it alone no host
// syncs, although it says that nothing waits any more.
func TestEngineHearsWhatIsOnDisk(t *testing.T) {
	lazy := consensus.Output{Records: []consensus.Record{record(1, true)}}
	gates := consensus.Output{Records: []consensus.Record{record(1, true), record(1, false), record(1, true)}}
	e := &babbler{}
	d, _ := newDisk(e, false)
	for i, step := range []struct {
		out    consensus.Output
		synced Ticket // thereafter
		hears  uint64 // in the next step
	}{
		{lazy, 1, 0},
		{consensus.Output{}, 0, 0},
		{gates, 0, 0},
		{lazy, 2, 3},  // ticket 2 is of the third output
		{gates, 3, 3}, // ticket 3 is lazy
		{gates, 0, 3},
		{lazy, 6, 6}, // all of it in one sync
		{lazy, 5, 6}, // an older ticket once more
	} {
		e.next = step.out
		d.Step(consensus.Burst{Durable: 99}) // whatever the host says
		d.Durable(step.synced)
		e.next = consensus.Output{}
		if d.Step(consensus.Burst{}); e.durable != step.hears {
			t.Errorf("step %d: the engine hears that %d are on disk, want %d", i+1, e.durable, step.hears)
		}
		d.steps-- // the question does not count
	}
}

// Segments are dropped only after the output that allowed it was released, so
// its Forget rides with a later append.
func TestForgetFollowsItsOwnRecords(t *testing.T) {
	e := &babbler{next: consensus.Output{Records: []consensus.Record{record(8, false)}, Forget: 8}}
	d, h := newDisk(e, false)
	d.Step(consensus.Burst{})
	e.next.Forget = 0
	d.Step(consensus.Burst{})
	d.Durable(1)
	d.Step(consensus.Burst{})
	d.Step(consensus.Burst{})
	for ticket, want := range map[Ticket]consensus.Seq{1: 0, 2: 0, 3: 8, 4: 0} {
		if got := h.forgets[ticket]; got != want {
			t.Errorf("append %d forgets %d, want %d", ticket, got, want)
		}
	}
}

// A Halt waits for the records before it ("keep everything"), and then the
// engine is left alone.
func TestHaltKeepsEverythingAndStops(t *testing.T) {
	e := &babbler{next: consensus.Output{Records: []consensus.Record{record(1, false)}, Halt: "fork"}}
	d, h := newDisk(e, false)
	d.Step(consensus.Burst{})
	h.expect(t)
	e.next = full("b", 1)
	d.Step(consensus.Burst{})
	h.expect(t)
	d.Durable(1)
	h.expect(t, "halt fork")
	if !d.halted {
		t.Error("not halted")
	}
}

// A host without a disk may answer Durable from within Append.
func TestDurableFromWithinAppend(t *testing.T) {
	e := &babbler{next: full("a", 1, record(1, false))}
	d, h := newDisk(e, true)
	d.Step(consensus.Burst{})
	h.expect(t, "note a", "send early a", "send a", "refuse 1", "read 1", "execute 1")
	if d.Backlog() != 0 {
		t.Fatalf("backlog %d, want 0", d.Backlog())
	}
}

// The backlog is bounded in outputs and in bytes of records.
func TestBacklogFills(t *testing.T) {
	e := &babbler{next: consensus.Output{Records: []consensus.Record{record(1, false)}}}
	d, _ := newDisk(e, false)
	for !d.Full() {
		d.Step(consensus.Burst{})
	}
	if d.Backlog() != MaxBacklog {
		t.Fatalf("full at %d, want %d", d.Backlog(), MaxBacklog)
	}
	d.Durable(1)
	if d.Full() || d.Backlog() != MaxBacklog-1 {
		t.Fatalf("after a sync: full %v, backlog %d", d.Full(), d.Backlog())
	}
	e.next.Records[0].Bytes = make([]byte, maxBacklogBytes)
	d.Step(consensus.Burst{})
	d.Durable(MaxBacklog)
	if !d.Full() || d.Backlog() != 1 {
		t.Fatalf("after a huge record: full %v, backlog %d", d.Full(), d.Backlog())
	}
}

func TestDurableOfAnUnknownTicketPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	New(&babbler{}, nil).Durable(1)
}

func TestStatusAndHorizonPassThrough(t *testing.T) {
	d := New(&babbler{}, nil)
	if d.Status().Protocol != "babble" || d.Horizon() != "horizon" {
		t.Errorf("status %v, horizon %v", d.Status(), d.Horizon())
	}
}

// step is one output of the law's random engine, as an oracle sees it.
type step struct {
	gating  bool   // it has a record that gates
	ticket  Ticket // of its append; 0 = none
	forget  consensus.Seq
	visible bool // it was released
}

// law is a random engine on a disk that crashes between write and sync, next
// to a dumb oracle: for each step, which appends must be synced before it shows.
type law struct {
	t      *rapid.T
	engine *babbler
	driver *Driver
	host   *disk
	steps  []step
	synced Ticket
}

func (l *law) step() {
	s := step{}
	var records []consensus.Record
	for _, lazy := range rapid.SliceOfN(rapid.Bool(), 0, 3).Draw(l.t, "lazy") {
		records = append(records, record(consensus.Seq(len(l.steps)), lazy))
		s.gating = s.gating || !lazy
	}
	if rapid.IntRange(0, 3).Draw(l.t, "forget") == 0 {
		s.forget = consensus.Seq(len(l.steps) + 1)
	}
	id := len(l.steps)
	if len(records) > 0 {
		s.ticket = Ticket(len(l.host.appends) + 1)
	}
	l.steps = append(l.steps, s)
	l.engine.next = consensus.Output{
		Early: []consensus.Send{{Bytes: []byte("early")}}, Records: records, Forget: s.forget,
		Jobs: []consensus.Job{consensus.Commit{Seq: consensus.Seq(id)}},
	}
	l.driver.Step(consensus.Burst{})
	l.check()
}

func (l *law) sync() {
	if int(l.synced) < len(l.host.appends) {
		l.synced = Ticket(rapid.IntRange(int(l.synced)+1, len(l.host.appends)).Draw(l.t, "synced"))
		l.driver.Durable(l.synced)
	}
	l.check()
}

// check compares what was seen with what the law allows and demands: all steps
// whose own and earlier gating records are synced, in order, and no other.
func (l *law) check() {
	for _, s := range l.host.seen {
		var id int
		if s == "send early" {
			continue
		}
		if _, err := fmt.Sscanf(s, "execute %d", &id); err != nil || (id > 0 && !l.steps[id-1].visible) {
			l.t.Fatalf("%q shows out of order", s)
		}
		l.steps[id].visible = true
	}
	l.host.seen = nil
	allowed := true
	for id, s := range l.steps {
		allowed = allowed && (!s.gating || s.ticket <= l.synced)
		if s.visible != allowed {
			l.t.Fatalf("step %d: seen outside %v, allowed %v (synced up to %d)", id, s.visible, allowed, l.synced)
		}
	}
	for ticket, forget := range l.host.forgets {
		if forget > 0 && !l.steps[forget-1].visible {
			l.t.Fatalf("append %d forgets %d before that step was released", ticket, forget)
		}
	}
}

// crash loses what was not synced, at any point: then nothing of a lost step
// may have been seen, which is what makes it a step that never happened.
func (l *law) crash() {
	for id, s := range l.steps {
		if s.visible && s.gating && s.ticket > l.synced {
			l.t.Fatalf("step %d was seen outside and its records are lost", id)
		}
	}
	l.engine = &babbler{}
	l.driver, l.host = newDisk(l.engine, false)
	l.steps, l.synced = nil, 0
}

// TestLaw: whatever an engine puts out and whenever the disk syncs or crashes,
// nothing but Early escapes before it may, and nothing is held longer.
func TestLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &law{t: t}
		l.crash()
		t.Repeat(map[string]func(*rapid.T){
			"step":  func(*rapid.T) { l.step() },
			"sync":  func(*rapid.T) { l.sync() },
			"crash": func(*rapid.T) { l.crash() },
		})
	})
}
