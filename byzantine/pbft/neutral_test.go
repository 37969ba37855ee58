package pbft

import (
	"fmt"
	"testing"

	"quorate.dev/quorate/byzantine"
)

// strong are behaviours with more than their defaults.
var strong = []string{
	"drop 40%", "dark to=1", "silent 30", "delay 150%", "delay 5%", "delay 30ms kind=COMMIT", "reorder 10", "duplicate 8", "replay 100% from=own", "replay 100% from=others",
	"garbage 30%", "garbage how=truncate", "garbage how=kind", "garbage how=random", "garbage how=extend", "sign kind=COMMIT", "sign chance=50%",
	"flood 20 of=future", "flood 20 of=garbage", "time -1h", "time how=stands", "time how=jumps", "time 0s ticks=0", "time 0s ticks=16",
	"slow-reader 4", "deaf to=1,2", "deaf kind=PRE-PREPARE", "flicker 50%", "censor 0", "twin to=1", "drop kind=PREPARE,COMMIT after=100ms until=500ms",
}

// labCases are every neutral behaviour as it comes, and the strong ones.
func labCases() []string {
	texts := append([]string(nil), strong...)
	for _, e := range byzantine.Neutral() {
		texts = append(texts, e.Name)
	}
	return texts
}

// f traitors of any neutral kind, wherever they sit, leave PBFT safe and live.
func TestNeutralAtF(t *testing.T) {
	for _, text := range labCases() {
		for _, who := range [][]int{{0}, {2}} {
			t.Run(fmt.Sprint(text, who), func(t *testing.T) {
				t.Parallel()
				l := newLab(t, 4, map[int]string{who[0]: text})
				l.work(8)
				l.wantAll(4000)
				l.wantSafe()
			})
		}
	}
}

// f+1 of them may stop it, and do no worse, unless their profile says so.
func TestNeutralAtF1(t *testing.T) {
	for _, text := range labCases() {
		s, err := all.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if p := s.Profile; p.AtF1 == byzantine.MayFork || p.AtF1 == byzantine.Forks {
			continue
		}
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, 4, map[int]string{0: text, 3: text})
			l.work(6)
			l.ticks(200)
			l.wantSafe()
			if p := s.Profile; p.AtF1 == byzantine.SafeLive || p.AtF1 == byzantine.SafeSlow {
				l.wantAll(4000)
			}
			if s.Main == "" && len(s.Options) == 0 && s.Kinds == nil && s.To == nil && s.Chance == 0 {
				if p := s.Profile; p.AtF1 == byzantine.SafeStopped && l.lacking() == "" {
					t.Error("it goes on")
				}
			}
		})
	}
}

// Twins: one is harmless, f+1 of one coalition with the first primary among them
// fork. It takes no forged message.
func TestTwins(t *testing.T) {
	for _, n := range []int{4, 7} {
		f := (n - 1) / 3
		traitors := map[int]string{}
		for i := range f + 1 {
			traitors[(i*(n-1))/f] = "twin"
		}
		l := newLab(t, n, traitors)
		forked := false
		for range 3 {
			l.submit(0, 0)
			for len(l.Sent) > 0 && !forked {
				m := l.Sent[0]
				l.Sent = l.Sent[1:]
				l.give(m)
				_, forked = l.disagreement()
			}
		}
		if !forked {
			t.Errorf("n=%d: no fork with twins at %v", n, traitors)
		}
		l.wantOwnKeys()
	}
}

// Made a traitor in the middle of a life, a replica gets its twin then, and
// loses it when it is healed.
func TestTwinInMidLife(t *testing.T) {
	l := newLab(t, 4, map[int]string{2: "duplicate"})
	l.work(6)
	env := l.env(2)
	spec, err := all.Parse("twin to=3")
	if err != nil {
		t.Fatal(err)
	}
	twin, err := env.Plan(spec)
	if err != nil {
		t.Fatal(err)
	}
	l.traitors[2] = twin
	l.work(6)
	paired := l.ofSecond(2)
	if paired == 0 {
		t.Fatal("no second engine, or one that does nothing")
	}
	l.traitors[2] = nil
	l.work(4)
	if more := l.ofSecond(2); more != paired {
		t.Errorf("healed, it still has two engines: %d records more", more-paired)
	}
	l.wantAll(4000)
	l.wantSafe()
}

// ofSecond counts the records of a twin's second engine: they begin with a byte
// that no protocol's do.
func (l *lab) ofSecond(i int) (n int) {
	for _, r := range l.Replicas[i].Records {
		if r.Bytes[0] == 0xfe {
			n++
		}
	}
	return n
}

// A twin's log holds the records of both, and each finds its own again. Healed,
// the replica goes on as the first.
func TestTwinRestarts(t *testing.T) {
	l := newLab(t, 4, map[int]string{0: "twin to=3"})
	l.work(4)
	if two := l.ofSecond(0); two == 0 || two == len(l.Replicas[0].Records) {
		t.Fatalf("%d records, %d of the second", len(l.Replicas[0].Records), two)
	}
	for _, text := range []string{"twin to=3", "duplicate"} {
		l.texts[0] = text
		l.Start(0, false)
		l.work(4)
		l.wantAll(4000)
		l.wantSafe()
	}
}

// One that forgets what it voted at each start is one of f.
func TestForgetful(t *testing.T) {
	for _, text := range []string{"amnesia", "rollback 30%", "rollback 100%"} {
		l := newLab(t, 4, map[int]string{1: text})
		for range 5 {
			l.work(2)
			l.Start(1, false)
		}
		l.wantAll(4000)
		l.wantSafe()
	}
}

// P7 of ADVERSARIES §3: two that have lost their memory and vote on fork four
// replicas, even though each alone does not.
func TestTwoAmnesiacsFork(t *testing.T) {
	for who, forks := range map[string]bool{"R2 and R3": true, "R3": false, "R2": false} {
		texts := map[int]string{2: "amnesia", 3: "amnesia"}
		switch who {
		case "R3":
			delete(texts, 2)
		case "R2":
			delete(texts, 3)
		}
		l := newLab(t, 4, texts)
		// R1 is cut off while the others decide, and R0 while they go on
		// without it: the network holds, and loses, which it may.
		cut := 1
		l.lose = func(m frame) bool { return int(m.From) == cut || int(m.To) == cut }
		l.submit(0, 0)
		l.deliver()
		cut = 0
		for i := range texts {
			l.Start(i, false)
		}
		l.submit(1, 0)
		forked := false
		for range 40 * labPatience {
			l.ticks(1)
			_, now := l.disagreement()
			forked = forked || now
		}
		if forked != forks {
			t.Errorf("%s: forks: %v", who, forked)
		}
		l.wantOwnKeys()
	}
}
