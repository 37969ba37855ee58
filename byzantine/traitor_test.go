package byzantine

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
)

// drawOutput is any output of an engine.
func drawOutput(t *rapid.T) consensus.Output {
	frame := rapid.SliceOfN(rapid.Byte(), 0, 40)
	kind := rapid.SampledFrom([]consensus.PeerKind{consensus.PeerReplica, consensus.PeerClient, consensus.Everyone, consensus.Topic})
	send := rapid.Custom(func(t *rapid.T) consensus.Send {
		return consensus.Send{
			To:    consensus.Peer{Kind: kind.Draw(t, "end"), Replica: consensus.ReplicaID(rapid.IntRange(1, 3).Draw(t, "to"))},
			Class: consensus.Class(rapid.IntRange(0, 2).Draw(t, "class")), Bytes: frame.Draw(t, "frame"),
		}
	})
	return consensus.Output{
		Early:   rapid.SliceOfN(send, 0, 3).Draw(t, "early"),
		Sends:   rapid.SliceOfN(send, 0, 5).Draw(t, "sends"),
		Records: []consensus.Record{{Slot: 3, Bytes: frame.Draw(t, "record")}},
		Notes:   []consensus.Note{{Text: "note"}},
		Forget:  consensus.Seq(rapid.IntRange(0, 9).Draw(t, "forget")),
	}
}

func drawEvents(t *rapid.T) []consensus.Event {
	return rapid.SliceOfN(rapid.SampledFrom([]consensus.Event{
		consensus.Tick{}, from(1, "a"), from(2, "b"), consensus.Executed{Seq: 4}, consensus.Kept{Seq: 4}, consensus.Settled{},
	}), 0, 12).Draw(t, "events")
}

// No plan, an empty plan, and the time after a plan are the inner engine, bit
// for bit, and burst for burst.
func TestEmptyPlanIsTheInnerEngine(t *testing.T) {
	env := fakeEnv(t, 4, "pbft")
	none, err := env.Plan()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		var out consensus.Output
		p := play(t, env, func(consensus.Burst) consensus.Output { return out })
		drop := planned(t, &env, "silent", "deaf")
		for i := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			p.plan = rapid.SampledFrom([]*Plan{nil, none, drop}).Draw(rt, "plan")
			out = drawOutput(rt)
			events := drawEvents(rt)
			want := out
			got := p.step(events...)
			if p.plan == drop {
				continue
			}
			if !reflect.DeepEqual(got, want) {
				rt.Fatalf("step %d: %+v, want %+v", i, got, want)
			}
			if b := p.inner.heard[i]; b.Now != p.now || !reflect.DeepEqual(b.Events, events) && len(events) > 0 {
				rt.Fatalf("step %d: heard %+v, want %+v", i, b, events)
			}
		}
	})
}

// Whatever interceptors are on, what a replica promises to itself is not touched:
// records, jobs, notes, what may be forgotten; but that it reports its lies.
func TestInterceptorsLeaveTheHostAlone(t *testing.T) {
	env := fakeEnv(t, 4, "pbft")
	for _, p := range Neutral() {
		if p.wrap != nil {
			continue
		}
		plan := planned(t, &env, p.Name)
		rapid.Check(t, func(rt *rapid.T) {
			var out consensus.Output
			pl := play(t, env, func(consensus.Burst) consensus.Output { return out })
			pl.plan = plan
			for range 4 {
				out = drawOutput(rt)
				want := out
				got := pl.step(drawEvents(rt)...)
				got.Early, got.Sends, want.Early, want.Sends = nil, nil, nil, nil
				got.Notes = slices.DeleteFunc(slices.Clone(got.Notes), func(n consensus.Note) bool { return n.Kind == Lied })
				if len(got.Notes) == 0 && len(want.Notes) == 0 {
					got.Notes, want.Notes = nil, nil
				}
				if !reflect.DeepEqual(got, want) {
					rt.Fatalf("%s: %+v, want %+v", p.Name, got, want)
				}
			}
		})
	}
}

// transcript runs a traitor for a while and writes down everything.
func transcript(t *testing.T, seed uint64, texts ...string) []byte {
	env := fakeEnv(t, 7, "pbft")
	env.Seed = seed
	p := play(t, env, nil, texts...)
	n := 0
	p.inner.say = func(b consensus.Burst) consensus.Output {
		n++
		return consensus.Output{
			Early: []consensus.Send{{To: consensus.Peer{Kind: consensus.Topic}, Bytes: fmt.Appendf(nil, "\x01%d", n)}},
			Sends: append(toAll(fmt.Sprintf("%c%d %d %s", 0x10+n%11, n, b.Now, make([]byte, 100))).Sends, consensus.Send{To: consensus.ReplicaPeer(1), Bytes: []byte("\x18given")}),
		}
	}
	var b bytes.Buffer
	for i := range 40 {
		out := p.step(from(1, fmt.Sprint("a", i)), from(2, fmt.Sprint("b", i)), consensus.Tick{})
		fmt.Fprintf(&b, "%q\n%d %s\n", words(out), p.inner.heard[i].Now, describe(p.inner.heard[i].Events))
	}
	return b.Bytes()
}

// The same seed says the same, always; of what is drawn, another seed draws
// other things.
func TestDeterminism(t *testing.T) {
	drawn := []string{"drop 50%", "reorder", "replay", "garbage", "flood", "time how=jumps", "silent chance=50%"}
	texts := slices.Clone(drawn)
	for _, e := range Neutral() {
		texts = append(texts, e.Name)
	}
	for _, text := range texts {
		one := transcript(t, 1, text)
		if !bytes.Equal(one, transcript(t, 1, text)) {
			t.Errorf("%s: one seed, two runs", text)
		}
		if slices.Contains(drawn, text) && bytes.Equal(one, transcript(t, 2, text)) {
			t.Errorf("%s: two seeds, one run", text)
		}
	}
	if bytes.Equal(transcript(t, 1, "duplicate", "drop 50%"), transcript(t, 1, "drop 50%", "duplicate")) {
		t.Error("the order of behaviours does not matter, which is strange")
	}
}

// Behaviours stand in a row: what the first says, the second hears of.
func TestComposition(t *testing.T) {
	p := play(t, fakeEnv(t, 4, "pbft"), chatter(), "drop to=1", "duplicate to=1,2")
	if got, want := words(p.step()), []string{"R3:\x10001", "R2:\x10001", "R2:\x10001"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Off, a behaviour leaves nothing behind but what it held, which is let go.
func TestTakenOff(t *testing.T) {
	for _, text := range []string{"delay 1h", "reorder 1000"} {
		p := play(t, fakeEnv(t, 4, "pbft"), chatter(), text)
		for range 5 {
			if n := len(p.step(consensus.Tick{}).Sends); n != 0 {
				t.Fatalf("%s: %d messages", text, n)
			}
		}
		p.turn()
		out := words(p.step(consensus.Tick{}))
		if len(out) != 3+15 || !slices.Contains(out, "R3:\x10001") || !slices.Contains(out, "R1:\x10006") {
			t.Errorf("%s: let go: %q", text, out)
		}
		if got := words(p.step()); !slices.Equal(got, []string{"all:\x10007"}) {
			t.Errorf("%s: afterwards: %q", text, got)
		}
	}
}

// The time of after= runs from when a plan was put on, restarts included.
func TestAfterRunsOn(t *testing.T) {
	env := fakeEnv(t, 4, "pbft")
	plan := planned(t, &env, "silent after=25ms")
	traitor := New(&fake{say: chatter()}, env, func() *Plan { return plan })
	now := consensus.Time(1e18)
	for life := range 3 {
		e, err := traitor.New(consensus.Recovered{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			out := e.Step(consensus.Burst{Now: now})
			if said := len(out.Sends) > 0; said != (now < 1e18+25e6) {
				t.Errorf("life %d at %d ms: speaks: %v", life, (now-1e18)/1e6, said)
			}
			now += 10e6
		}
	}
}

// A burst and memory stay within their bounds, whatever comes.
func TestBounds(t *testing.T) {
	big := bytes.Repeat([]byte{0x11}, 1<<20)
	for _, text := range []string{"delay 1h", "reorder 10000", "replay", "flood of=valid", "slow-reader 0", "time ticks=16"} {
		env := fakeEnv(t, 4, "pbft")
		small := 0
		p := play(t, env, func(consensus.Burst) consensus.Output {
			if small++; small%50 == 0 {
				return consensus.Output{Sends: []consensus.Send{{To: consensus.ReplicaPeer(1), Bytes: big}}}
			}
			return toAll(fmt.Sprint("\x11", small))
		}, text)
		said, events := 0, []consensus.Event{consensus.Tick{}}
		for range 400 {
			events = append(events, from(1, "x"))
		}
		for range 1500 {
			said += len(p.step(events...).Sends)
		}
		e := p.engine.(*engine)
		for _, b := range p.inner.heard {
			if len(b.Events) > consensus.MaxBurst {
				t.Fatalf("%s: a burst of %d events", text, len(b.Events))
			}
		}
		switch m := e.selectors[0].inner.(type) {
		case *delay:
			checkHoldback(t, text, &m.Holdback, said)
		case *reorder:
			checkHoldback(t, text, &m.Holdback, said)
		case *replay:
			checkPile(t, text, &m.own)
			checkPile(t, text, &m.others)
		case *flood:
			checkPile(t, text, &m.seen)
		case *slow:
			if len(m.queue) != maxUnread {
				t.Errorf("%s: %d unread events", text, len(m.queue))
			}
		}
	}
}

func checkHoldback(t *testing.T, text string, s *Holdback, said int) {
	t.Helper()
	bytes := 0
	for _, k := range s.messages {
		bytes += len(k.Bytes)
	}
	if len(s.messages) > maxHeld || bytes > maxHeldBytes || bytes != s.bytes || said == 0 {
		t.Errorf("%s: holds %d messages of %d bytes and counts %d; %d were pushed out", text, len(s.messages), bytes, s.bytes, said)
	}
}

func checkPile(t *testing.T, text string, p *recent) {
	t.Helper()
	bytes := 0
	for _, f := range p.frames {
		bytes += len(f)
	}
	if len(p.frames) > maxRecent || bytes > maxRecentBytes || bytes != p.bytes {
		t.Errorf("%s: remembers %d frames of %d bytes and counts %d", text, len(p.frames), bytes, p.bytes)
	}
}

// Frames that come in are opened as they are, with or without a plan.
func TestOpen(t *testing.T) {
	env := fakeEnv(t, 4, "pbft")
	env.Coalition = []Member{{Replica: 0}, {Replica: 2}}
	var plan *Plan
	traitor := New(&fake{}, env, func() *Plan { return plan })
	in := []consensus.Frame{{From: consensus.ReplicaPeer(1), Bytes: []byte("a")}, {From: consensus.ReplicaPeer(2), Bytes: marked(second, []byte("b"))}, {From: consensus.ReplicaPeer(1), Bytes: marked(first, []byte("c"))}}
	if got := traitor.Open(nil, nil, in)[0].Event; got != from(1, "a") {
		t.Errorf("the honest open %v", got)
	}
	plan = planned(t, &env, "silent")
	out := traitor.Open(nil, nil, in)
	for i, want := range []heard{{"a", in[0].Bytes, anySide}, {"b", []byte("b"), second}, {string(in[2].Bytes), in[2].Bytes, anySide}} {
		if got := out[i].Event.(consensus.Receive).Message; !reflect.DeepEqual(got, want) {
			t.Errorf("frame %d: %+v, want %+v", i, got, want)
		}
	}
	if in[1].Bytes[0] != mark || len(traitor.Open(nil, nil, nil)) != 0 {
		t.Error("Open changed what it was handed")
	}
	e, _ := traitor.New(consensus.Recovered{})
	plan = nil
	e.Step(consensus.Burst{Events: []consensus.Event{out[0].Event, consensus.Tick{}, out[1].Event}})
	if got := describe(traitor.inner.(*fake).heard[0].Events); got != "a tick b" {
		t.Errorf("after the plan the engine hears %q", got)
	}
}

// The dice of two traitors differ; what a coalition shares does not.
func TestDice(t *testing.T) {
	a, b := fakeEnv(t, 4, "pbft"), fakeEnv(t, 4, "pbft")
	b.Self = 1
	if a.Rand("x").Uint64() == b.Rand("x").Uint64() || a.Rand("x").Uint64() == a.Rand("y").Uint64() {
		t.Error("two purposes or two traitors draw the same")
	}
	if a.sharedRand("x").Uint64() != b.sharedRand("x").Uint64() {
		t.Error("a coalition draws differently")
	}
}
