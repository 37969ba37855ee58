package pending

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// workConfig lets a request wait for 200 ticks, and a slow machine execute 10 KiB
// in one.
var workConfig = Config{Replicas: 4, Count: 1000, Bytes: 64 << 20, Retell: 5, Ask: 10, Patience: 200, Speed: 10 << 10}

func batchOf(requests ...*consensus.Request) *consensus.Batch {
	return &consensus.Batch{Requests: requests}
}

func ticks(p *Pool, n int) {
	for range n {
		p.Tick()
	}
}

// The clock of what waits stands still for as long as what is executed meanwhile
// takes a slow machine, and runs on when nothing is.
func TestWorkStopsTheClock(t *testing.T) {
	p := New(workConfig)
	e := p.add(poolRequest(1, 1, 10), 4, 0)
	ticks(p, 50)
	if got := p.Waited(e); got != 50 {
		t.Fatalf("waited %d ticks, want 50", got)
	}
	big := poolRequest(2, 1, 1<<20) // 103 ticks of a slow machine
	p.Ordered(1, batchOf(big))
	ticks(p, 102)
	if got := p.Waited(e); got != 50 {
		t.Errorf("waited %d ticks while others were executed, want 50", got)
	}
	ticks(p, 50)
	if got := p.Waited(e); got < 97 || got > 100 {
		t.Errorf("waited %d ticks, of which the work accounts for 102", got)
	}
	p.Restart(0)
	if got := p.Waited(e); got != 0 {
		t.Errorf("waited %d ticks in a new view", got)
	}
}

// What is credited is bounded, and what was executed while nobody waited earns
// nothing: a liar saves up no time.
func TestCreditIsBounded(t *testing.T) {
	p := New(workConfig)
	for range 100 {
		p.Ordered(1, batchOf(poolRequest(2, 1, 1<<20)))
	}
	p.Tick()
	e := p.add(poolRequest(1, 1, 10), 4, 0)
	ticks(p, 20)
	if got := p.Waited(e); got != 20 {
		t.Errorf("waited %d of 20 ticks: work before its time counts", got)
	}
	for range 100 {
		p.Ordered(1, batchOf(poolRequest(2, 1, 1<<20)))
	}
	ticks(p, 2*workConfig.Patience+30)
	if got := p.Waited(e); got != 20+30 {
		t.Errorf("waited %d ticks, want 50: at most twice the patience is credited", got)
	}
}

// How long a request has waited is said when it is executed, and its own size is
// part of what accounts for it.
func TestExecutedSaysHowLongItWaited(t *testing.T) {
	p := New(workConfig)
	small, big := poolRequest(1, 1, 10), poolRequest(2, 1, 1<<20)
	p.add(small, 4, 0)
	ticks(p, 150)
	p.add(big, 4, 150)
	if got := p.Ordered(1, batchOf(small)); got != 150 {
		t.Errorf("waited %d ticks, want 150", got)
	}
	ticks(p, 120)
	if got := p.Ordered(1, batchOf(big)); got < 10 || got > 20 {
		t.Errorf("the large one waited %d ticks, want 120 without the 103 that it is", got)
	}
	if got := p.Ordered(1, batchOf(poolRequest(3, 1, 10))); got != 0 {
		t.Errorf("one that never waited here waited %d ticks", got)
	}
	if p.work.held != 0 {
		t.Errorf("%d bytes wait in an empty pool", p.work.held)
	}
}

// A proposal begins a request's patience anew, and not what it is known to have
// waited.
func TestProposedIsNotSilence(t *testing.T) {
	p := New(workConfig)
	e := p.add(poolRequest(1, 1, 10), 4, 0)
	ticks(p, 90)
	p.Proposed(batchOf(e.Request, poolRequest(9, 9, 1)))
	ticks(p, 15)
	if p.Silent(e) != 15 || p.Waited(e) != 105 {
		t.Errorf("silent for %d ticks, waited for %d: want 15 and 105", p.Silent(e), p.Waited(e))
	}
}

// What waits is bounded by what the measured rate executes in half of the
// patience. A single request is always let in, and a slow machine's rate always
// assumed.
func TestAdmissionFollowsTheRate(t *testing.T) {
	p := New(workConfig)
	clients := 0
	fresh := func(size int) *consensus.Request {
		clients++
		signer := crypto.NewSigner([32]byte{byte(clients), byte(clients >> 8)})
		return consensus.SignRequest(signer, crypto.Digest{}, consensus.Sequence{Epoch: 1, Counter: 1}, [][]byte{make([]byte, size)})
	}
	admitted := func(size int) (n int) {
		for range min(200, 20<<20/size) {
			q := fresh(size)
			if _, fate, code := p.admit(q, consensus.ClientPeer(q.Client), 0); fate == Waits {
				n++
			} else if code != consensus.RefusedBusy {
				t.Fatalf("refused with %v", code)
			}
		}
		return n
	}
	serve := func(windows, perTick int) {
		for range windows * workConfig.Patience {
			p.Tick()
			for range perTick {
				if e := p.Oldest(); e != nil {
					p.Ordered(1, batchOf(e.Request))
					p.add(e.Request, 4, 0)
				}
			}
		}
	}
	const size = 100 << 10
	if n := admitted(size); n != 200 {
		t.Errorf("%d of 200 let in before anything was measured", n)
	}
	serve(2, 1) // 100 KiB in a tick: 100 requests in half the patience
	if n := admitted(size); n != 0 {
		t.Errorf("%d let in beyond what can be served in time", n)
	}
	for p.Len() > 50 {
		p.Remove(KeyOf(p.Oldest().Request))
	}
	if n := admitted(size); n < 40 || n > 52 {
		t.Errorf("%d let in beside 50, want what makes about 100", n)
	}
	for p.Len() > 0 {
		p.Remove(KeyOf(p.Oldest().Request))
	}
	p.work.rate = 1
	if n := admitted(size); n != 10 {
		t.Errorf("%d let in at no rate, want what a slow machine does, 9, and one more", n)
	}
	for p.Len() > 0 {
		p.Remove(KeyOf(p.Oldest().Request))
	}
	if n := admitted(8 << 20); n != 1 {
		t.Errorf("%d large ones let in, want one", n)
	}
}

// A large request is told again as seldom as it is large.
func TestLargeRequestsAreToldSeldom(t *testing.T) {
	p := New(workConfig)
	p.add(poolRequest(1, 1, 10), 4, 0)
	p.add(poolRequest(2, 1, 4<<20), 4, 0)
	told := map[int]int{}
	for tick := range 2000 {
		for e := range p.Due(tick, 50, MaxForwards) {
			e.Told = tick
			told[len(e.Request.Raw)>>20]++
		}
	}
	if told[0] != 39 || told[4] != 4 {
		t.Errorf("told %v in 2000 ticks", told)
	}
}

// One client that hands in without end leaves room for others: who has little
// waiting is not told that the cluster is busy because another one has much.
func TestOverloadOfOneClientIsNotOthers(t *testing.T) {
	p := New(workConfig)
	p.work.rate = 1
	flood := func() (n int) {
		for c := range uint64(250) {
			if _, fate, _ := p.admit(poolRequest(1, c+1, 8<<10), consensus.Peer{Kind: consensus.PeerClient}, 0); fate == Waits {
				n++
			}
		}
		return n
	}
	if n := flood(); n < 100 || n > 115 {
		t.Fatalf("%d of a flood let in", n)
	}
	for client := byte(2); client < 10; client++ {
		for c := range uint64(3) {
			if _, fate, code := p.admit(poolRequest(client, c+1, 10<<10), consensus.Peer{Kind: consensus.PeerClient}, 0); fate != Waits {
				t.Errorf("request %d of client %d: %v", c+1, client, code)
			}
		}
	}
	if n := flood(); n != 0 {
		t.Errorf("%d more of the flood let in", n)
	}
	p = New(workConfig)
	p.work.rate = 1
	for c := range uint64(250) {
		p.admit(poolRequest(byte(c%2+1), c+1, 8<<10), consensus.Peer{Kind: consensus.PeerClient}, 0)
	}
	if _, fate, code := p.admit(poolRequest(3, 1, 8<<10), consensus.Peer{Kind: consensus.PeerClient}, 0); fate != Waits {
		t.Errorf("beside two that flood: %v", code)
	}
}

// A request larger than all that may wait is let in beside others, as long as
// there is room at all: on a cluster that is never idle it would else be refused
// for ever.
func TestLargeRequestComesInBesideOthers(t *testing.T) {
	p := New(workConfig)
	p.work.rate = 1
	p.add(poolRequest(1, 1, 10), 4, 0)
	large := poolRequest(2, 1, 4<<20)
	if _, fate, code := p.admit(large, consensus.ClientPeer(large.Client), 0); fate != Waits {
		t.Errorf("refused beside a small one: %v", code)
	}
	for _, q := range []*consensus.Request{poolRequest(2, 2, 4<<20), poolRequest(3, 1, 4<<20)} {
		if _, fate, _ := p.admit(q, consensus.ClientPeer(q.Client), 0); fate == Waits {
			t.Error("two large ones are let in")
		}
	}
}

// What is on its way stops the clock by which patience runs out. Whoever sends
// what nobody executes is known for the wait in the end all the same; who sends a
// large request is not.
func TestOnlyWhatIsExecutedAccountsInTheEnd(t *testing.T) {
	for _, tc := range []struct {
		name string
		size int
		want int
	}{
		{"junk", 10, 100},
		{"a large request", 1 << 20, 0},
	} {
		p := New(workConfig)
		e := p.add(poolRequest(1, 1, tc.size), 4, 0)
		for range 100 {
			p.Coming(workConfig.Speed)
			p.Tick()
		}
		if p.Waited(e) != 0 || p.Silent(e) != 0 {
			t.Errorf("%s: waited %d ticks while something came", tc.name, p.Waited(e))
		}
		if got := p.Ordered(1, batchOf(e.Request)); got != tc.want {
			t.Errorf("%s: had waited %d ticks when it was executed, want %d", tc.name, got, tc.want)
		}
	}
}

// A window in which nearly nothing was executed, as in a view change, says little
// about the machine: what is measured falls by half.
func TestMeasuredRateFallsByHalf(t *testing.T) {
	p := New(workConfig)
	p.add(poolRequest(1, 1, 10), 4, 0)
	for range workConfig.Patience {
		p.Ordered(1, batchOf(poolRequest(2, 1, 100<<10)))
		p.Tick()
	}
	before := p.work.rate
	p.Ordered(1, batchOf(poolRequest(2, 1, 10)))
	ticks(p, workConfig.Patience)
	if before < 100<<10 || p.work.rate != before/2 {
		t.Errorf("%d bytes in a tick, and after a window without work %d", before, p.work.rate)
	}
}

// Time that was spared while others waited is none that a request waited which
// came later.
func TestSparedTimeOfOthersIsNotWaited(t *testing.T) {
	p := New(workConfig)
	first := poolRequest(1, 1, 10)
	p.add(first, 4, 0)
	p.Coming(100 * workConfig.Speed)
	ticks(p, 100)
	if got := p.Ordered(1, batchOf(first)); got != 100 {
		t.Errorf("waited %d ticks in the end, want 100", got)
	}
	p.Tick()
	second := poolRequest(2, 1, 10)
	p.add(second, 4, 0)
	ticks(p, 20)
	if got := p.Ordered(2, batchOf(second)); got != 20 {
		t.Errorf("the next waited %d ticks, want 20", got)
	}
}
