package byzantine

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// What comes out in each step for one frame to all, numbered, and a tick.
func TestInterceptors(t *testing.T) {
	all := func(n int) []string {
		return []string{fmt.Sprintf("R1:\x10%03d", n), fmt.Sprintf("R2:\x10%03d", n), fmt.Sprintf("R3:\x10%03d", n)}
	}
	for _, c := range []struct {
		text  string
		steps [][]string
	}{
		{"silent", [][]string{nil, nil}},
		{"silent 4", [][]string{all(1), {"R1:\x10002"}, nil}},
		{"silent to=2", [][]string{{"R1:\x10001", "R3:\x10001"}, {"R1:\x10002", "R3:\x10002"}}},
		{"silent kind=PREPARE", [][]string{all(1), all(2)}},
		{"silent kind=PRE-PREPARE", [][]string{nil, nil}},
		{"silent after=10ms until=30ms", [][]string{all(1), nil, nil, all(4)}},
		{"drop", [][]string{nil, nil}},
		{"drop 0%", [][]string{all(1), all(2)}},
		{"drop to=1,3", [][]string{{"R2:\x10001"}, {"R2:\x10002"}}},
		{"dark", [][]string{{"R1:\x10001", "R2:\x10001"}, {"R1:\x10002", "R2:\x10002"}}},
		{"dark to=1,2", [][]string{{"R3:\x10001"}, {"R3:\x10002"}}},
		{"deaf", [][]string{all(1), all(2)}},
		{"delay 0%", [][]string{all(1), all(2)}},
		{"delay 2%", [][]string{nil, nil, all(1), all(2)}},
		{"delay 15ms", [][]string{nil, nil, all(1), all(2)}},
		{"delay 10ms to=1", [][]string{all(1)[1:], {"R2:\x10002", "R3:\x10002", "R1:\x10001"}, {"R2:\x10003", "R3:\x10003", "R1:\x10002"}}},
		{"duplicate", [][]string{append(all(1), all(1)...), append(all(2), all(2)...)}},
		{"duplicate 3 to=1", [][]string{{"R2:\x10001", "R3:\x10001", "R1:\x10001", "R1:\x10001", "R1:\x10001"}}},
		{"flicker 20ms", [][]string{all(1), all(2), nil, nil, all(5)}},
		{"censor", [][]string{all(1), all(2)}},
		{"time", [][]string{all(1), all(2)}},
	} {
		p := play(t, fakeEnv(t, 4, "pbft"), chatter(), c.text)
		for i, want := range c.steps {
			if got := words(p.step(consensus.Tick{})); !slices.Equal(got, want) {
				t.Errorf("%s: step %d says %q, want %q", c.text, i+1, got, want)
			}
		}
	}
}

// TestDarkLeavesOutF: of seven, three by the arithmetic of crashes and two by that
// of lies.
func TestDarkLeavesOutF(t *testing.T) {
	for name, heard := range map[string]int{"raft": 3, "pbft": 4} {
		p := play(t, fakeEnv(t, 7, name), chatter(), "dark")
		if got := words(p.step(consensus.Tick{})); len(got) != heard {
			t.Errorf("%s: %d of six hear it, want %d: %q", name, len(got), heard, got)
		}
	}
}

// Early messages stay early, and what goes to a client or to the topic is one
// message that no list of victims selects.
func TestMessagesKeepTheirManner(t *testing.T) {
	client := consensus.ClientPeer(crypto.PublicOf([32]byte{100}))
	say := func(consensus.Burst) consensus.Output {
		return consensus.Output{
			Early: []consensus.Send{{To: consensus.Peer{Kind: consensus.Everyone}, Class: consensus.Bulk, Bytes: []byte("e")}},
			Sends: []consensus.Send{{To: consensus.Peer{Kind: consensus.Topic}, Bytes: []byte("t")}, {To: client, Bytes: []byte("c")}, {To: consensus.ReplicaPeer(2), Bytes: []byte("r")}},
		}
	}
	c := client.String() + ":c"
	for text, want := range map[string][]string{
		"drop to=2":      {"!R1:e", "!R3:e", "topic:t", c},
		"delay 0% to=2":  {"!R1:e", "!R3:e", "!R2:e", "topic:t", c, "R2:r"},
		"duplicate to=1": {"!R2:e", "!R3:e", "!R1:e", "!R1:e", "topic:t", c, "R2:r"},
		"silent":         nil,
		"drop to=0":      {"!R1:e", "!R2:e", "!R3:e", "topic:t", c, "R2:r"},
		"dark to=1,2,3":  {"topic:t", c},
	} {
		p := play(t, fakeEnv(t, 4, "pbft"), say, text)
		if got := words(p.step()); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	p := play(t, fakeEnv(t, 4, "pbft"), say, "delay 0%")
	if out := p.step(); out.Early[0].Class != consensus.Bulk {
		t.Errorf("a message has changed its class: %+v", out.Early[0])
	}
}

// What the engine hears: its host's events always, in any case.
func TestHearing(t *testing.T) {
	host := []consensus.Event{consensus.Executed{Seq: 1}, consensus.Kept{Seq: 1}}
	burst := []consensus.Event{from(1, "a"), host[0], from(2, "b"), host[1], from(1, "c"), consensus.Tick{}}
	for text, want := range map[string]string{
		"deaf":                  "executed kept tick",
		"deaf to=1":             "executed b kept tick",
		"deaf kind=VIEW-CHANGE": "a executed b kept c tick",
		"slow-reader":           "executed kept a tick | tick b | tick c | tick",
		"slow-reader 2":         "executed kept a b tick | tick c",
		"slow-reader 0":         "executed kept tick | tick",
		"time ticks=3":          "executed kept a b c tick tick tick",
		"time ticks=0":          "executed kept a b c",
		"flicker 100%":          "executed kept a b c tick",
		"silent":                "a executed b kept c tick",
	} {
		p := play(t, fakeEnv(t, 4, "pbft"), nil, text)
		p.step(burst...)
		steps := strings.Split(want, " | ")
		for range steps[1:] {
			p.step(consensus.Tick{})
		}
		for i, w := range steps {
			got := strings.Fields(describe(p.inner.heard[i].Events))
			wanted := strings.Fields(w)
			slices.Sort(got)
			slices.Sort(wanted)
			if !slices.Equal(got, wanted) {
				t.Errorf("%s: step %d hears %q, want %q", text, i+1, got, wanted)
			}
			if n := len(p.inner.heard[i].Events); n > 0 && slices.Contains(wanted, "tick") {
				if _, last := p.inner.heard[i].Events[n-1].(consensus.Tick); !last {
					t.Errorf("%s: the tick is not the last: %q", text, describe(p.inner.heard[i].Events))
				}
			}
		}
	}
}

func describe(events []consensus.Event) string {
	var ws []string
	for _, e := range events {
		switch e := e.(type) {
		case consensus.Receive:
			ws = append(ws, fmt.Sprint(e.Message))
		case consensus.Tick:
			ws = append(ws, "tick")
		case consensus.Executed:
			ws = append(ws, "executed")
		case consensus.Kept:
			ws = append(ws, "kept")
		case consensus.Submit:
			ws = append(ws, "submit")
		}
	}
	return strings.Join(ws, " ")
}

func TestClock(t *testing.T) {
	const start = consensus.Time(1e18)
	for text, want := range map[string][]consensus.Time{
		"time":               {start + 10e6 + 3600e9, start + 20e6 + 3600e9},
		"time -3s":           {start + 10e6 - 3e9, start + 20e6 - 3e9},
		"time 1s how=stands": {start + 10e6 + 1e9, start + 10e6 + 1e9, start + 10e6 + 1e9},
		"time after=15ms":    {start + 10e6, start + 20e6, start + 30e6 + 3600e9},
	} {
		p := play(t, fakeEnv(t, 4, "pbft"), nil, text)
		for i, w := range want {
			p.step(consensus.Tick{})
			if got := p.inner.heard[i].Now; got != w {
				t.Errorf("%s: step %d is at %d, want %d", text, i+1, got-start, w-start)
			}
		}
	}
	p := play(t, fakeEnv(t, 4, "pbft"), nil, "time 1h how=jumps")
	jumps := map[consensus.Time]bool{}
	for i := range 64 {
		p.step(consensus.Tick{})
		jumps[p.inner.heard[i].Now-p.now] = true
	}
	if len(jumps) != 2 || !jumps[0] || !jumps[3600e9] {
		t.Errorf("it jumps by %v", jumps)
	}
}

// A share is a share, and a chance a chance.
func TestChances(t *testing.T) {
	for text, want := range map[string][2]int{
		"drop 30%":             {1800, 2400},
		"silent chance=30%":    {1800, 2400},
		"duplicate chance=50%": {4200, 4800},
		"drop 50% chance=50%":  {2100, 2400},
	} {
		p := play(t, fakeEnv(t, 4, "pbft"), chatter(), text)
		n := 0
		for range 1000 {
			n += len(p.step().Sends)
		}
		if n < want[0] || n > want[1] {
			t.Errorf("%s: %d of 3000 messages, want between %d and %d", text, n, want[0], want[1])
		}
	}
}

func TestReorder(t *testing.T) {
	p := play(t, fakeEnv(t, 4, "pbft"), chatter(), "reorder 8 to=1")
	var got []string
	for range 9 {
		got = append(got, words(p.step(consensus.Tick{}))[2:]...)
	}
	sorted := slices.Sorted(slices.Values(got))
	if len(got) != 9 || slices.Equal(sorted, got) || sorted[0] != "R1:\x10001" || sorted[8] != "R1:\x10009" {
		t.Errorf("%q", got)
	}
}

// Replays are of true frames, and they come in addition.
func TestReplay(t *testing.T) {
	for _, whose := range []string{"own", "others", "all"} {
		env := fakeEnv(t, 4, "pbft")
		p := play(t, env, chatter(), "replay 100% from="+whose)
		proto := New(p.inner, env, func() *Plan { return p.plan })
		own, others := 0, 0
		for i := range 200 {
			in := []consensus.Frame{{From: consensus.ReplicaPeer(1), Bytes: fmt.Appendf(nil, "\x11%03d", i)}}
			out := p.step(proto.Open(nil, nil, in)[0].Event, consensus.Tick{})
			if got := p.inner.heard[i].Events[0].(consensus.Receive).Message; got != string(in[0].Bytes) {
				t.Fatalf("the engine hears %v", got)
			}
			for _, s := range out.Sends[3:] {
				switch s.Bytes[0] {
				case 0x10:
					own++
				case 0x11:
					others++
				default:
					t.Fatalf("nobody ever said %q", s.Bytes)
				}
			}
		}
		if own+others < 590 || (own > 0) != (whose != "others") || (others > 0) != (whose != "own") {
			t.Errorf("from=%s: %d own and %d others'", whose, own, others)
		}
	}
}

// No breakage touches the engine's own bytes, which the log shares.
func TestGarbage(t *testing.T) {
	for _, how := range Breakages {
		frame := append([]byte{0x11}, bytes.Repeat([]byte("x"), 200)...)
		kept := slices.Clone(frame)
		p := play(t, fakeEnv(t, 4, "pbft"), func(consensus.Burst) consensus.Output {
			return consensus.Output{Sends: []consensus.Send{{To: consensus.ReplicaPeer(1), Bytes: frame}, {To: consensus.ReplicaPeer(1), Bytes: nil}}}
		}, "garbage how="+how)
		broken := 0
		for range 50 {
			out := p.step()
			if len(out.Sends) != 2 || len(out.Sends[0].Bytes) > consensus.MaxFrame {
				t.Fatalf("%s: %d frames, the first of %d bytes", how, len(out.Sends), len(out.Sends[0].Bytes))
			}
			if !bytes.Equal(out.Sends[0].Bytes, frame) {
				broken++
			}
			if how == "huge" {
				break
			}
		}
		if !bytes.Equal(frame, kept) || broken == 0 || how != "huge" && broken < 45 {
			t.Errorf("%s: %d of 50 broken", how, broken)
		}
	}
}

// A wrong signature, and nothing else, is wrong.
func TestSign(t *testing.T) {
	vote := append([]byte{0x11}, make([]byte, 114)...)
	for _, c := range []struct {
		frame []byte
		at    int // the byte that changes; -1 = none
	}{
		{vote, 51},
		{append([]byte{0x10}, make([]byte, 300)...), 51},
		{append([]byte{0x14}, make([]byte, 299)...), 236},
		{append([]byte{0x15}, make([]byte, 299)...), 236},
		{append([]byte{0x01}, make([]byte, 299)...), 236},
		{append([]byte{0x16}, make([]byte, 299)...), -1},
		{append([]byte{0x18}, make([]byte, 299)...), -1},
		{[]byte{0x10, 1}, -1},
		{[]byte{0x11, 1}, -1},
		{nil, -1},
	} {
		before := slices.Clone(c.frame)
		p := play(t, fakeEnv(t, 4, "pbft"), func(consensus.Burst) consensus.Output {
			return consensus.Output{Sends: []consensus.Send{{To: consensus.ReplicaPeer(1), Bytes: c.frame}}}
		}, "sign")
		want := slices.Clone(c.frame)
		if c.at >= 0 {
			want[c.at] ^= 0xff
		}
		if got := p.step().Sends[0].Bytes; !bytes.Equal(got, want) || !bytes.Equal(c.frame, before) {
			t.Errorf("kind %x: %x, want %x", before[:min(1, len(before))], got, want)
		}
	}
}

func TestFlood(t *testing.T) {
	for _, of := range floods {
		p := play(t, fakeEnv(t, 4, "pbft"), chatter(), "flood 20 of="+of+" to=1,2")
		if n := len(p.step().Sends); n != 3 {
			t.Errorf("%s: %d messages without a tick", of, n)
		}
		out := p.step(consensus.Tick{})
		if len(out.Sends) != 3+40 {
			t.Errorf("%s: %d messages", of, len(out.Sends))
		}
		same, large := 0, 0
		for _, s := range out.Sends[3:] {
			if s.To.Replica == 3 || s.To.Kind != consensus.PeerReplica {
				t.Errorf("%s: %v is no victim", of, s.To)
			}
			if string(s.Bytes) == "\x10001" || string(s.Bytes) == "\x10002" {
				same++
			}
			if len(s.Bytes) == consensus.MaxFrame {
				large++
			}
		}
		if of == "valid" && same != 40 || of == "huge" && large != 1 || of != "huge" && large != 0 {
			t.Errorf("%s: %d true frames, %d large", of, same, large)
		}
	}
	p := play(t, fakeEnv(t, 4, "pbft"), chatter(), "flood 1000")
	if n := len(p.step(slices.Repeat([]consensus.Event{consensus.Tick{}}, 500)...).Sends); n != 3+maxFlood {
		t.Errorf("%d messages in one step", n)
	}
	b := append([]byte{0x11}, make([]byte, 60)...)
	if f := future(p.env.Rand("x"), b); len(f) != len(b) || bytes.Equal(f, b) || !bytes.Equal(f[17:], b[17:]) || b[1] != 0 {
		t.Errorf("%x becomes %x", b, f)
	}
}

// A censor hears nothing of a client, and says nothing of it; of others it does.
func TestCensor(t *testing.T) {
	env := fakeEnv(t, 4, "pbft")
	var rs []*consensus.Request
	for i := range 3 {
		rs = append(rs, consensus.SignRequest(crypto.NewSigner([32]byte{100, byte(i)}), env.Genesis.ID(), consensus.Sequence{Epoch: 1, Counter: 1}, [][]byte{{1}}))
	}
	say := func(consensus.Burst) (out consensus.Output) {
		for _, r := range rs {
			out.Sends = append(out.Sends, consensus.Send{To: consensus.ReplicaPeer(1), Bytes: r.Raw})
		}
		return out
	}
	for text, left := range map[string][]int{"censor 1": {0, 2}, "censor 0,2": {1}, "censor": nil, "censor " + rs[2].Client.String()[:9]: {0, 1}} {
		p := play(t, env, say, text)
		out := p.step(consensus.Submit{Request: rs[0]}, consensus.Submit{Request: rs[1]}, consensus.Submit{Request: rs[2]}, consensus.Tick{})
		if len(out.Sends) != len(left) || len(p.inner.heard[0].Events) != len(left)+1 {
			t.Errorf("%s: hears %d events, says %d", text, len(p.inner.heard[0].Events), len(out.Sends))
			continue
		}
		for i, k := range left {
			if &out.Sends[i].Bytes[0] != &rs[k].Raw[0] || p.inner.heard[0].Events[i].(consensus.Submit).Request != rs[k] {
				t.Errorf("%s: not request %d", text, k)
			}
		}
	}
}

// A silent replica refuses no client either.
func TestSilentTowardsClients(t *testing.T) {
	say := func(consensus.Burst) consensus.Output {
		return consensus.Output{Refusals: make([]consensus.Refusal, 1)}
	}
	for text, want := range map[string]int{"silent": 0, "silent to=1": 1, "silent kind=COMMIT": 1, "silent after=1s": 1} {
		if got := len(play(t, fakeEnv(t, 4, "pbft"), say, text).step().Refusals); got != want {
			t.Errorf("%s: %d refusals", text, got)
		}
	}
}
