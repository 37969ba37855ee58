package leaderless

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
)

// off is every way to become equal, switched off.
var off = Off{Repair: true, Handing: true, Trees: true}

// TestStrictQuorum: with three of five each, a minority is refused reads and writes,
// and told why; the others go on.
func TestStrictQuorum(t *testing.T) {
	l := newLab(t, Config{Replicas: 5, Read: 3, Write: 3, Versions: LastWriter})
	l.put(0, 0, "k", "old")
	l.alone(0, 1, 5)
	if a := l.put(0, 0, "k", "half"); a.Outcome != Unknown || !strings.Contains(a.Why, "2 of 5 replicas stored it in time, 3 must") {
		t.Errorf("a put before anybody is missed: %v", a)
	}
	l.pass(second)
	if a := l.put(0, 0, "k", "none"); a.Outcome != Refused || !strings.Contains(a.Why, "2 of 5 replicas within reach, 3 must store") {
		t.Errorf("a put in a minority: %v", a)
	}
	if a, _ := l.get(0, 1, "k"); a.Outcome != Refused || !strings.Contains(a.Why, "3 must answer") {
		t.Errorf("a get in a minority: %v", a)
	}
	l.put(1, 2, "k", "new")
	_, got := l.get(1, 3, "k")
	l.expect("the majority", got, "new")
	l.expect("what was refused", strings.ReplaceAll(l.held("k"), "none", "FOUND"), "half / half / new / new / new")
	l.cut = nil
	l.pass(5 * second)
	l.expect("after healing", l.held("k"), "new / new / new / new / new")
}

// TestOneOfEach: with R = W = 1 both sides answer, and one side's puts are gone.
func TestOneOfEach(t *testing.T) {
	l := newLab(t, Config{Replicas: 3, Read: 1, Write: 1, Versions: LastWriter})
	l.put(0, 0, "k", "old")
	l.alone(0, 3)
	l.put(0, 0, "k", "ours")
	l.pass(second / 10)
	l.put(1, 1, "k", "theirs")
	_, ours := l.get(0, 0, "k")
	_, theirs := l.get(1, 2, "k")
	l.expect("the sides", ours+" and "+theirs, "ours and theirs")
	l.cut = nil
	l.pass(3 * second)
	l.expect("after healing", l.held("k"), "theirs / theirs / theirs")
}

// TestSkewedClocks: a put through a clock that is ahead drops the one after it,
// without a word and without a fault.
func TestSkewedClocks(t *testing.T) {
	l := newLab(t, Config{Replicas: 3, Read: 2, Write: 2, Versions: LastWriter})
	l.clocks[1] = second * 8 / 10
	l.pass(second / 5)
	l.put(0, 1, "k", "first")
	if a := l.put(0, 0, "k", "second"); a.Outcome != Done {
		t.Fatalf("%v", a)
	}
	_, got := l.get(0, 0, "k")
	l.expect("after two puts", got, "first")
}

// TestLargerStampStays, whoever hears of it first.
func TestLargerStampStays(t *testing.T) {
	older := Cell{Values: []Value{{Stamp: Stamp{1, 9}, Data: []byte("older")}}}
	newer := Cell{Values: []Value{{Stamp: Stamp{2, 0}, Data: []byte("newer")}}}
	for _, m := range []Cell{LastWriter.merge(older, newer), LastWriter.merge(newer, older)} {
		if text(m.Live()) != "newer" {
			t.Errorf("%v stays", &m)
		}
	}
}

// TestSloppyQuorum: alone, a replica takes a put that two must store, with two hints,
// and hands them over when their owners are back.
func TestSloppyQuorum(t *testing.T) {
	l := newLab(t, Config{Replicas: 3, Read: 2, Write: 2, Sloppy: true, Versions: LastWriter, Off: Off{Repair: true, Trees: true}})
	l.put(0, 0, "k", "old")
	l.alone(0, 3)
	l.pass(second)
	if a := l.put(0, 0, "k", "new"); a.Outcome != Done {
		t.Fatalf("%v", a)
	}
	_, got := l.get(1, 1, "k")
	l.expect("the others, after the put was answered", got, "old")
	l.crash(0)
	l.pass(second)
	l.start(0) // hints are on disk
	l.cut = nil
	l.pass(2 * second)
	l.expect("after healing", l.held("k"), "new / new / new")
	if n := l.replicas[0].keep.hinted; n != 0 {
		t.Errorf("%d hints are left", n)
	}
}

// TestEachWayAlone makes replicas equal, and without any they differ for ever.
func TestEachWayAlone(t *testing.T) {
	for name, test := range map[string]struct {
		off  Off
		want string
	}{
		"nothing": {off, "new / old / old"},
		"repair":  {Off{Handing: true, Trees: true}, "new / new / new"},
		"trees":   {Off{Handing: true, Repair: true}, "new / new / new"},
		"hints":   {Off{Repair: true, Trees: true}, "new / new / new"},
	} {
		l := newLab(t, Config{Replicas: 3, Read: 2, Write: 2, Sloppy: name == "hints", Versions: LastWriter, Off: test.off})
		l.put(0, 0, "k", "old")
		l.alone(0, 3)
		l.pass(second)
		l.config.Write = 1
		for _, r := range l.replicas {
			r.cfg.Write = 1
		}
		l.put(0, 0, "k", "new")
		l.cut = nil
		l.pass(3 * second)
		if name == "repair" {
			l.get(0, 0, "k")
			l.deliver(all)
		}
		l.expect(name, l.held("k"), test.want)
	}
}

// TestRepairWritesTheNewest to those who lacked it, and to nobody else.
func TestRepairWritesTheNewest(t *testing.T) {
	l := newLab(t, Config{Replicas: 3, Read: 3, Write: 1, Versions: LastWriter, Off: Off{Handing: true, Trees: true}})
	l.alone(0, 3)
	l.put(0, 0, "k", "older")
	l.alone(1, 4)
	l.put(1, 1, "k", "newer")
	l.cut = nil
	l.frames = nil
	_, got := l.get(0, 2, "k")
	l.deliver(all)
	l.expect("the get", got, "newer")
	l.expect("after the repair", l.held("k"), "newer / newer / newer")
}

// TestDots: who writes what it has read replaces it, by turns through one replica
// without siblings; who has not read stands beside.
func TestDots(t *testing.T) {
	l := newLab(t, Config{Replicas: 3, Read: 1, Write: 1, Versions: Dotted})
	for i := range 10 {
		a, _ := l.get(i%2, 0, "k")
		l.call(i%2, 0, kv.Put([]byte("k"), []byte{'0' + byte(i)}), a.Seen)
	}
	_, got := l.get(0, 0, "k")
	l.expect("by turns", got, "9")
	l.put(1, 0, "k", "blind")
	a, got := l.get(0, 0, "k")
	l.expect("without reading", got, "9|blind")
	l.pass(second)
	l.alone(0, 3)
	l.call(0, 0, kv.Put([]byte("k"), []byte("ours")), a.Seen)
	l.call(1, 1, kv.Put([]byte("k"), []byte("theirs")), a.Seen)
	l.cut = nil
	l.pass(3 * second)
	l.expect("after a cut", l.held("k"), "ours|theirs / ours|theirs / ours|theirs")
	a, _ = l.get(0, 2, "k")
	l.call(0, 2, kv.Delete([]byte("k")), a.Seen)
	l.pass(3 * second)
	l.expect("deleted", l.held("k"), " /  / ")
}

// TestSiblingsOfAClient: of two puts through one replica by clients who have read the
// same, both stay: a vector with an entry for each replica could not tell them apart.
func TestSiblingsOfAClient(t *testing.T) {
	l := newLab(t, Config{Replicas: 3, Read: 1, Write: 1, Versions: Dotted})
	l.put(0, 0, "k", "base")
	a, _ := l.get(0, 0, "k")
	l.call(0, 0, kv.Put([]byte("k"), []byte("milk")), a.Seen)
	l.call(1, 0, kv.Put([]byte("k"), []byte("eggs")), a.Seen)
	_, got := l.get(0, 0, "k")
	l.expect("both", got, "eggs|milk")
}

// TestANewLifeHasNewDots: a replica that lost its disk counts from one again, under
// another number; else its put would pass for one that others know already.
func TestANewLifeHasNewDots(t *testing.T) {
	l := newLab(t, Config{Replicas: 3, Read: 1, Write: 1, Versions: Dotted})
	l.put(0, 0, "k", "first")
	a, _ := l.get(0, 0, "k")
	l.call(0, 0, kv.Put([]byte("k"), []byte("second")), a.Seen)
	l.pass(second)
	l.wipe(0)
	l.start(0)
	l.put(1, 0, "k", "third")
	l.pass(3 * second)
	l.expect("after a wiped disk", l.held("k"), "second|third / second|third / second|third")
}

// TestDeletedStaysDeleted although a replica was away; forgotten, it is brought back.
func TestDeletedStaysDeleted(t *testing.T) {
	for _, v := range []Versions{LastWriter, Dotted} {
		for forget, want := range map[consensus.Time]string{0: " /  / ", second: "there / there / there"} {
			l := newLab(t, Config{Replicas: 3, Read: 1, Write: 1, Versions: v, Forget: forget})
			l.put(0, 0, "k", "there")
			l.pass(2 * second)
			l.alone(0, 3)
			a, _ := l.get(1, 1, "k")
			l.call(1, 1, kv.Delete([]byte("k")), a.Seen)
			l.pass(3 * second)
			_, got := l.get(1, 2, "k")
			l.expect("deleted", got, "")
			l.cut = nil
			l.pass(3 * second)
			l.expect(string(v), l.held("k"), want)
		}
	}
}

// TestWhatNeedsAnOrderIsRefused, with the reason.
func TestWhatNeedsAnOrderIsRefused(t *testing.T) {
	l := newLab(t, Config{Replicas: 3, Read: 1, Write: 1, Versions: LastWriter})
	for _, op := range [][]byte{
		kv.CompareAndSwap([]byte("k"), kv.None, kv.Some([]byte("v"))), kv.Range(nil, nil, 0, false), kv.Txn(nil, nil, nil), []byte("nonsense"),
	} {
		if a := l.call(0, 0, op, nil); a.Outcome != Refused || a.Why == "" {
			t.Errorf("%x: %v", op, a)
		}
	}
}

// TestOnceForEachRequest: asked again, the answer is the same; and after a restart
// the write is the same.
func TestOnceForEachRequest(t *testing.T) {
	for _, v := range []Versions{LastWriter, Dotted} {
		l := newLab(t, Config{Replicas: 3, Read: 1, Write: 1, Versions: v})
		q := l.request(0, kv.Put([]byte("k"), []byte("v")), nil)
		ask := func() {
			l.do(0, l.replicas[0].Arrive(l.now, l.config.Replicas, q.Raw))
			l.deliver(all)
			if a := l.answers[q.Digest]; a == nil || a.Outcome != Done {
				t.Fatalf("%v", a)
			}
			delete(l.answers, q.Digest)
		}
		ask()
		before := l.replicas[0].Cell("k")
		ask()
		l.crash(0)
		l.start(0)
		ask()
		if after := l.replicas[0].Cell("k"); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: %v, then %v", v, before, after)
		}
	}
}

// TestSignatures: what its client has not signed is not answered.
func TestSignatures(t *testing.T) {
	l := newLab(t, Config{Replicas: 1, Read: 1, Write: 1, Versions: LastWriter})
	q := l.request(0, kv.Put([]byte("k"), []byte("v")), nil)
	bent := bytes.Clone(q.Raw)
	bent[len(bent)-1] ^= 1
	if out := l.replicas[0].Arrive(l.now, 1, bent); len(out.Sends)+len(out.Records) > 0 {
		t.Errorf("%v", out)
	}
}

// newThenOld is R + W > N without a fault and with exact clocks: a put has reached its
// coordinator alone so far when a get of A and B finds it, and one of B and C after
// that does not.
func newThenOld(t *testing.T, atomic bool) (first, second string) {
	l := newLab(t, Config{Replicas: 3, Read: 2, Write: 2, Versions: LastWriter, Atomic: atomic})
	l.put(0, 0, "x", "old")
	l.deliver(all)
	isStore := func(f flight) bool { return f.frame[0] == kindStore }
	l.ask(0, 0, kv.Put([]byte("x"), []byte("new")), nil)
	l.deliver(func(f flight) bool { return !isStore(f) })
	slow := l.frames // to B and C, under way for long
	l.frames = nil
	get1 := l.ask(1, 0, kv.Get([]byte("x")), nil)
	l.deliver(func(f flight) bool { return l.answers[get1] == nil && f.to != 2 && (atomic || !isStore(f)) })
	if l.answers[get1] == nil {
		t.Fatal("the first get is not answered")
	}
	l.frames = nil
	get2 := l.ask(1, 2, kv.Get([]byte("x")), nil)
	l.deliver(func(f flight) bool { return f.to != 0 && f.from != 0 })
	if l.answers[get2] == nil {
		t.Fatal("the second get is not answered")
	}
	l.frames = append(slow, l.frames...)
	l.deliver(all)
	return text(l.answers[get1].Values), text(l.answers[get2].Values)
}

// TestQuorumsAreNotLinearizable, and are if what was found is written back first.
func TestQuorumsAreNotLinearizable(t *testing.T) {
	if a, b := newThenOld(t, false); a != "new" || b != "old" {
		t.Errorf("quorums: %s, then %s", a, b)
	}
	if a, b := newThenOld(t, true); a != "new" || b != "new" {
		t.Errorf("atomic: %s, then %s", a, b)
	}
}

// TestAtomicNeedsNoClocks: later puts win whatever clocks say.
func TestAtomicNeedsNoClocks(t *testing.T) {
	l := newLab(t, Config{Replicas: 3, Read: 2, Write: 2, Versions: LastWriter, Atomic: true})
	l.clocks[1] = second * 8 / 10
	l.pass(second / 5)
	l.put(0, 1, "k", "first")
	l.put(0, 0, "k", "second")
	_, got := l.get(0, 2, "k")
	l.expect("after two puts", got, "second")
	one, two := l.ask(0, 0, kv.Put([]byte("k"), []byte("a")), nil), l.ask(1, 0, kv.Put([]byte("k"), []byte("b")), nil)
	l.deliver(all)
	if l.answers[one] == nil || l.answers[two] == nil {
		t.Fatal("two at a time")
	}
	l.pass(second)
	if h := l.held("k"); h != "a / a / a" && h != "b / b / b" {
		t.Errorf("%s after two puts through one replica", h)
	}
}

// TestManyKeysMeet: trees compare more than one frame holds.
func TestManyKeysMeet(t *testing.T) {
	l := newLab(t, Config{Replicas: 2, Read: 1, Write: 1, Versions: LastWriter, Off: Off{Repair: true, Handing: true}})
	l.alone(0, 2)
	for i := range 40 * fanout {
		l.put(i%2, i%2, string(rune('a'+i%26))+string(rune('a'+i/26)), "v")
	}
	l.cut = nil
	l.pass(3 * second)
	if l.replicas[0].root() != l.replicas[1].root() || len(l.replicas[0].keep.cells) != 40*fanout {
		t.Errorf("%d and %d keys", len(l.replicas[0].keep.cells), len(l.replicas[1].keep.cells))
	}
}

// TestMergeIsALattice: whatever replicas did, merging does not ask for an order, nor
// how often, and loses no write that nobody has seen.
func TestMergeIsALattice(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		for _, v := range []Versions{LastWriter, Dotted} {
			cells := make([]Cell, 3)
			for n := range 12 {
				i := dice.IntN(3)
				switch {
				case dice.IntN(3) == 0:
					cells[i] = v.merge(cells[i], cells[dice.IntN(3)])
				case v == Dotted:
					cells[i] = cells[i].write(cells[dice.IntN(3)].Seen, uint64(i+1), &Value{Data: []byte{byte(n)}})
				default:
					cells[i] = v.merge(cells[i], Cell{Values: []Value{{Stamp: Stamp{uint64(dice.IntN(6)), uint64(10*n + i)}, Data: []byte{byte(n)}}}})
				}
			}
			a, b, c := cells[0], cells[1], cells[2]
			same := func(what string, x, y Cell) {
				if string(x.append(nil)) != string(y.append(nil)) {
					t.Fatalf("%s: %s: %v and %v", v, what, x, y)
				}
			}
			same("commutes", v.merge(a, b), v.merge(b, a))
			same("associates", v.merge(v.merge(a, b), c), v.merge(a, v.merge(b, c)))
			same("repeats", v.merge(v.merge(a, b), b), v.merge(a, b))
		}
	}
}

// FuzzArrive: nothing that comes in makes a replica panic, and what is decoded has
// one encoding.
func FuzzArrive(f *testing.F) {
	l := newLab(&testing.T{}, Config{Replicas: 3, Read: 2, Write: 2, Versions: Dotted})
	l.ask(0, 0, kv.Put([]byte("k"), []byte("v")), nil)
	l.do(0, l.replicas[0].Tick(l.now))
	for _, s := range l.frames {
		f.Add(s.frame)
	}
	answer := Answer{Outcome: Refused, Why: "why", Seen: []Stamp{{1, 2}}, Values: [][]byte{[]byte("v")}}
	f.Add(answer.Encode())
	f.Fuzz(func(t *testing.T, frame []byte) {
		if m, err := decode(frame); err == nil && !bytes.Equal(m.encode(), frame) {
			t.Errorf("%x becomes %x", frame, m.encode())
		}
		if a, err := DecodeAnswer(frame); err == nil && !bytes.Equal(a.Encode(), frame) {
			t.Errorf("%x becomes %x", frame, a.Encode())
		}
		Describe(frame)
		for _, v := range []Versions{LastWriter, Dotted} {
			l := newLab(t, Config{Replicas: 3, Read: 2, Write: 2, Versions: v})
			l.replicas[0].Arrive(l.now, 1, frame)
			l.replicas[0].Arrive(l.now, 3, frame)
			l.replicas[0].Tick(l.now + second)
			r := New(l.replicas[0].cfg)
			if _, err := r.Start(l.now, 1, [][]byte{frame}); err == nil {
				r.Tick(l.now + second)
			}
		}
	})
}

// TestRestartKeepsEverything that was told.
func TestRestartKeepsEverything(t *testing.T) {
	l := newLab(t, Config{Replicas: 3, Read: 2, Write: 2, Sloppy: true, Versions: Dotted})
	l.alone(0, 3)
	l.pass(second)
	l.put(0, 0, "k", "v")
	root, hinted := l.replicas[0].root(), l.replicas[0].keep.hinted
	l.crash(0)
	l.start(0)
	if l.replicas[0].root() != root || l.replicas[0].keep.hinted != hinted || hinted != 2 {
		t.Errorf("%d hints, %d after the restart", hinted, l.replicas[0].keep.hinted)
	}
	if _, err := New(l.config).Start(0, 1, [][]byte{{9}}); err == nil {
		t.Error("a record that cannot be read is taken")
	}
}
