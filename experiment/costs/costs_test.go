package costs

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// standard is what the document shows, measured once.
var standard = sync.OnceValues(func() ([]Cost, error) {
	var all []Options
	for _, p := range protocol.Names() {
		for _, n := range costsOf(p).Sizes {
			all = append(all, Options{Protocol: p, Replicas: n, Decisions: Decisions})
		}
	}
	return MeasureAll(all)
})

func measured(t *testing.T) []Cost {
	t.Helper()
	all, err := standard()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 10 {
		t.Fatalf("%d systems were measured, want 10", len(all))
	}
	return all
}

func equal(t *testing.T, c *Cost, what string, counted, expected any) {
	t.Helper()
	if !reflect.DeepEqual(counted, expected) {
		t.Errorf("%s, n = %d: %s: counted %v, the formula says %v", c.Protocol, c.Replicas, what, counted, expected)
	}
}

// perDecision are the agreement's frames by kind.
func perDecision(t *Tally) map[string]float64 {
	m := map[string]float64{}
	for _, c := range t.of(protocol.Agreement) {
		m[c.Name] = t.each(c.Frames)
	}
	return m
}

// The formulas hold exactly, kind by kind, for every size, one request per
// decision, a hundred, and with several decisions under way.
func TestMessagesEqualTheFormulas(t *testing.T) {
	for _, c := range measured(t) {
		want := map[string]float64{}
		for name, n := range c.Theory.ByKind {
			want[name] = float64(n)
		}
		for what, tally := range map[string]*Tally{"alone": &c.Alone, "a hundred": &c.Hundred, "under load": &c.Load} {
			got := perDecision(tally)
			if n := got["COMMIT"]; c.Protocol == protocol.Paxos && what == "under load" && n > 0.8*want["COMMIT"] && n <= want["COMMIT"] {
				got["COMMIT"] = want["COMMIT"] // one speaks of all slots that are chosen in a burst
			}
			equal(t, &c, "messages, "+what, got, want)
		}
		n := c.Replicas
		formula := map[string]int{protocol.PBFT: 2 * n * (n - 1), protocol.Raft: 4 * (n - 1), protocol.Paxos: 3 * (n - 1)}[c.Protocol]
		equal(t, &c, "messages in all", c.Alone.Frames(), formula*c.Alone.Decisions)
		for _, tally := range []*Tally{&c.Alone, &c.Hundred} {
			// The library's encoding of numbers grows with them, a little.
			want := float64(costsOf(c.Protocol).Bytes(n, tally.batch()))
			if got := tally.each(tally.bytes()); got != want && (c.Protocol != protocol.Raft || got < want || got > 1.01*want) {
				t.Errorf("%s, n = %d: counted %v bytes, the formula says %v", c.Protocol, n, got, want)
			}
		}
	}
}

func TestSignaturesEqualTheFormulas(t *testing.T) {
	for _, c := range measured(t) {
		for _, tally := range []*Tally{&c.Alone, &c.Hundred} {
			equal(t, &c, "signatures made", tally.each(tally.Signed), float64(c.Theory.Signed))
			equal(t, &c, "signatures checked", tally.each(tally.Verified), float64(c.Theory.Verified))
			equal(t, &c, "signatures of clients", tally.perRequest(tally.Admitted), float64(c.Theory.Admitted))
		}
		// What comes too late to matter is not checked; nothing is checked twice.
		if c.Load.Signed != c.Load.Decisions*c.Theory.Signed || c.Load.Verified > c.Load.Decisions*c.Theory.Verified {
			t.Errorf("%s, n = %d, under load: %d made and %d checked in %d decisions", c.Protocol, c.Replicas, c.Load.Signed, c.Load.Verified, c.Load.Decisions)
		}
	}
}

func TestWaitingEqualsTheFormulas(t *testing.T) {
	sharing := map[string]int{}
	for _, c := range measured(t) {
		equal(t, &c, "message delays", c.Delays, float64(c.Theory.Delays))
		equal(t, &c, "serial syncs", c.Syncs, float64(c.Theory.Syncs))
		equal(t, &c, "writes", c.Alone.each(c.Alone.Forced), float64(c.Theory.Forced))
		if c.Load.Forced > c.Load.Decisions*c.Theory.Forced {
			t.Errorf("%s, n = %d: under load there are more writes than alone: %d in %d decisions", c.Protocol, c.Replicas, c.Load.Forced, c.Load.Decisions)
		}
		if c.Load.Forced < c.Load.Decisions*c.Theory.Forced {
			sharing[c.Protocol]++
		}
	}
	// A primary gathers beside what is under way, so that in a system or other none may meet.
	if sharing[protocol.PBFT] < 2 || sharing[protocol.Raft] < 2 {
		t.Errorf("under load writes share syncs in %v systems", sharing)
	}
}

func TestReadsEqualTheFormulas(t *testing.T) {
	for _, c := range measured(t) {
		got := map[string]int{}
		for _, k := range c.Read.Kinds {
			if k.Name != "CLOCK" {
				got[k.Name] = k.Frames
			}
		}
		want := map[string]int{}
		for name, n := range c.ReadTheory.ByKind {
			want[name] = n * c.Read.Requests
		}
		equal(t, &c, "messages of reads", got, want)
		_, bytes := c.Read.reads(&c.ReadTheory)
		equal(t, &c, "bytes of reads", c.Read.perRequest(bytes), float64(costsOf(c.Protocol).ReadBytes(c.Replicas, readBytes())))
		equal(t, &c, "message delays of reads", c.ReadDelays, float64(c.ReadTheory.Delays))
		equal(t, &c, "serial syncs of reads", c.ReadSyncs, 0.0)
		equal(t, &c, "signatures and writes of reads", c.Read.Signed+c.Read.Verified+c.Read.Admitted+c.Read.Forced+c.Read.Recorded, 0)
	}
}

func TestUpkeepEqualsTheFormulas(t *testing.T) {
	for _, c := range measured(t) {
		equal(t, &c, "upkeep", framesOf(c.Idle.of(protocol.Upkeep)), idleSeconds*costsOf(c.Protocol).Upkeep(c.Replicas))
		equal(t, &c, "all of an idle cluster's", framesOf(c.Idle.Kinds), framesOf(c.Idle.of(protocol.Upkeep)))
	}
	all := runOf(protocol.PBFT, 4)
	all.calls, all.span = 64, 80*gap
	if err := all.do(); err != nil {
		t.Fatal(err)
	}
	if c := all.meter.counts["CHECKPOINT"]; c == nil || c.Frames != costsOf(protocol.PBFT).Checkpoint(4) {
		t.Errorf("a checkpoint's messages: counted %+v, the formula says %d", c, costsOf(protocol.PBFT).Checkpoint(4))
	}
}

func o(name string, n int) Options { return Options{Protocol: name, Replicas: n, Decisions: 4} }

// runOf is a run of so many replicas of a protocol.
func runOf(name string, n int) *run {
	p, _ := protocol.Lookup(name)
	return o(name, n).run(p)
}

// A run in which something else happened, or not all of it, is no measurement.
func TestDisturbedRunsAreRefused(t *testing.T) {
	slow := runOf(protocol.Raft, 3)
	slow.network.Delay = gap
	if err := slow.do(); !errors.Is(err, errDisturbed) {
		t.Errorf("decisions that run into each other: %v", err)
	}
	other := runOf(protocol.PBFT, 4)
	if err := other.do(); err != nil {
		t.Fatal(err)
	}
	other.meter.counts["VIEW-CHANGE"] = &Count{FrameKind: protocol.FrameKind{Name: "VIEW-CHANGE", Part: protocol.Other}, Frames: 1}
	if err := other.check(); !errors.Is(err, errDisturbed) {
		t.Errorf("a view change: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{
		{Protocol: "zab", Replicas: 4, Decisions: 1}, {Protocol: protocol.PBFT, Replicas: 1, Decisions: 1},
		{Protocol: protocol.PBFT, Replicas: MaxReplicas + 1, Decisions: 1}, {Protocol: protocol.Raft, Replicas: 3},
		{Protocol: protocol.Raft, Replicas: 3, Decisions: MaxDecisions + 1}, {Protocol: protocol.Raft, Replicas: -1, Decisions: 1},
	} {
		if _, err := Measure(o); !errors.Is(err, errOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// echo is an application of a caller's own.
type echo struct{ executed *atomic.Int64 }

func (echo) Name() string { return "echo" }

func (e echo) Execute(_ app.Context, _ app.Tx, op []byte) consensus.Result {
	e.executed.Add(1)
	return app.OK(op)
}

// What is executed costs the protocol nothing: any application can be measured,
// and its decisions cost as many messages.
func TestAnyApplication(t *testing.T) {
	var executed atomic.Int64
	measured := o(protocol.PBFT, 4)
	measured.Application = echo{&executed}
	measured.Operation = func(client, n int) []byte { return fmt.Append(nil, client, n) }
	c, err := Measure(measured)
	if err != nil || executed.Load() == 0 {
		t.Fatalf("%d executions, %v", executed.Load(), err)
	}
	equal(t, &c, "messages", c.Alone.each(c.Alone.Frames()), float64(c.Theory.Frames))
}

// Other sizes follow the same arithmetic.
func TestSizesBetween(t *testing.T) {
	for _, o := range []Options{o(protocol.PBFT, 5), o(protocol.PBFT, 2), o(protocol.Raft, 2), o(protocol.Raft, 4)} {
		c, err := Measure(o)
		if err != nil {
			t.Error(err)
			continue
		}
		equal(t, &c, "messages", c.Alone.each(c.Alone.Frames()), float64(c.Theory.Frames))
	}
}

// The document shows what the command writes: the simulator is the same
// everywhere.
func TestDocumentIsUpToDate(t *testing.T) {
	document, err := os.ReadFile("../../docs/BOUNDS.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Insert(string(document), measured(t))
	if err != nil {
		t.Fatal(err)
	}
	const how = "go run ./cmd/quorate costs --write docs/BOUNDS.md --svg docs/costs.svg"
	if want != string(document) {
		t.Errorf("the tables of docs/BOUNDS.md, \"What it costs\", are not what is counted: `%s` writes them", how)
	}
	plot, err := os.ReadFile("../../docs/costs.svg")
	if err != nil || string(plot) != SVG(measured(t)) {
		t.Errorf("docs/costs.svg is not what is counted (%v): `%s` writes it", err, how)
	}
}

func TestInsertNeedsAPlace(t *testing.T) {
	for _, document := range []string{"", begins, ends + begins} {
		if _, err := Insert(document, nil); err == nil || !strings.Contains(err.Error(), "no place for the tables") {
			t.Errorf("%q: %v", document, err)
		}
	}
	got, err := Insert("before\n"+begins+"old\n"+ends+"after\n", measured(t))
	if err != nil || !strings.HasPrefix(got, "before\n") || !strings.HasSuffix(got, "after\n") || strings.Contains(got, "old") {
		t.Errorf("%v:\n%s", err, got)
	}
}

func TestTextShowsEverySystem(t *testing.T) {
	var b strings.Builder
	if err := WriteText(&b, measured(t), 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"PBFT  13", "Raft   7", "2n(n−1) = 312", "4(n−1) = 24"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
}
