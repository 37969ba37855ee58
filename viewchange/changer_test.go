package viewchange

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// PROTOCOL.md §6: a VIEW-CHANGE is fixed once sent and re-sent word for word,
// until a later one is sent or a view at or above it is entered [B14].
func TestOwnViewChangeIsFixed(t *testing.T) {
	c := newCluster(t, 4)
	ch := c.changer(1)
	if ch.Mine() != nil {
		t.Fatal("a VIEW-CHANGE before leaving")
	}
	first := ch.Leave(3, nil, []cert{c.prepared(0, 2, a), c.prepared(0, 1, a)})
	if again := ch.Leave(3, c.stable(2), nil); again != first {
		t.Error("left twice for one view with two messages")
	}
	if earlier := ch.Leave(2, nil, nil); earlier != first {
		t.Error("went back to an earlier view")
	}
	if ch.Mine() != first {
		t.Error("what is re-sent is not what was sent")
	}
	got := c.opened(t, first.Frame).(*message.ViewChange)
	if got.View != 3 || got.Replica != 1 || len(got.Prepared) != 2 || got.Prepared[0].Seq != 1 {
		t.Errorf("sent %+v", got)
	}
	ch.Entered(2)
	if ch.Mine() != first {
		t.Error("forgotten although a lower view was entered")
	}
	ch.Entered(3)
	if ch.Mine() != nil {
		t.Error("still re-sent in the view that it asked for")
	}
	later := ch.Leave(4, c.stable(2), []cert{c.prepared(0, 2, a), c.prepared(3, 3, b)})
	if len(later.Prepared) != 1 || later.Low != 2 {
		t.Errorf("h=%d with %d entries, of which one lies at h", later.Low, len(later.Prepared))
	}
	c.opened(t, later.Frame)
}

// After a restart the log's VIEW-CHANGE stands, not one made anew.
func TestRestoredViewChangeStands(t *testing.T) {
	c := newCluster(t, 4)
	before := c.changer(1).Leave(3, nil, []cert{c.prepared(0, 1, a)})
	ch := c.changer(1)
	ch.Restore(c.viewChange(1, 2, 0))
	ch.Restore(before)
	ch.Restore(c.viewChange(1, 1, 0))
	if ch.Mine() != before || ch.Leave(3, nil, nil) != before {
		t.Error("another VIEW-CHANGE than before the restart")
	}
	if got := ch.Senders(3); !slices.Equal(got, []consensus.ReplicaID{1}) {
		t.Errorf("it does not count: %v", got)
	}
}

func TestFirstViewChangeOfASenderCounts(t *testing.T) {
	c := newCluster(t, 4)
	ch := c.changer(0)
	first := c.viewChange(2, 1, 0, c.prepared(0, 1, a))
	for range 2 {
		if ch.Add(first) != nil {
			t.Error("the same words twice contradict each other")
		}
	}
	again := *first
	again.Frame = bytes.Clone(first.Frame)
	again.Frame[len(again.Frame)-1] ^= 1
	if ch.Add(&again) != nil {
		t.Error("another signature under the same words contradicts them")
	}
	if got := ch.Add(c.viewChange(2, 1, 0)); got != first {
		t.Errorf("two VIEW-CHANGEs for one view: %v", got)
	}
	if got := ch.Asking(1); len(got) != 1 || got[0] != first {
		t.Errorf("counted %v", got)
	}
	// The other place of a sender is guarded alike.
	far := c.viewChange(2, 7, 0)
	ch.Add(far)
	if got := ch.Add(c.viewChange(2, 7, 2)); got != far {
		t.Errorf("two VIEW-CHANGEs for a later view: %v", got)
	}
}

// PROTOCOL.md §6, join rule, and B20: one replica cannot drag others, neither
// far nor near.
func TestJoin(t *testing.T) {
	c := newCluster(t, 7) // f = 2, w = 3
	type vc struct {
		from consensus.ReplicaID
		view consensus.View
	}
	const huge = 1<<64 - 1
	for _, tc := range []struct {
		name    string
		said    []vc
		current consensus.View
		want    consensus.View // 0 is none
	}{
		{"nobody", nil, 0, 0},
		{"two of three", []vc{{1, 1}, {2, 1}}, 0, 0},
		{"one of them often", []vc{{1, 1}, {1, 2}, {1, 3}, {2, 1}}, 0, 0},
		{"three", []vc{{1, 1}, {2, 1}, {3, 1}}, 0, 1},
		{"three for different views: the smallest", []vc{{1, 5}, {2, 3}, {3, 9}}, 0, 3},
		{"two liars name a huge view", []vc{{1, huge}, {2, huge}}, 0, 0},
		{"... and an honest one the next", []vc{{1, huge}, {2, huge}, {3, 1}}, 0, 1},
		{"for the view that I am in", []vc{{1, 4}, {2, 4}, {3, 4}}, 4, 0},
		{"one of three is not above mine", []vc{{1, 4}, {2, 5}, {3, 5}}, 4, 0},
		{"my own does not count", []vc{{0, 5}, {1, 5}, {2, 5}}, 0, 0},
		{"a liar below the others does not hold me up", []vc{{1, 5}, {2, 5}, {3, 5}, {4, 1}}, 0, 5},
		{"each with its highest", []vc{{1, 1}, {2, 1}, {1, 6}, {2, 6}, {3, 6}}, 0, 6},
	} {
		ch := c.changer(0)
		for _, s := range tc.said {
			if s.from == 0 {
				ch.Leave(s.view, nil, nil)
				continue
			}
			ch.Add(c.viewChange(s.from, s.view, 0))
		}
		if got, ok := ch.Join(tc.current); got != tc.want || ok != (tc.want > 0) {
			t.Errorf("%s: %d, %v; want %d", tc.name, got, ok, tc.want)
		}
	}
}

// Whoever asks, what Join returns is the end of following the paper's rule
// again and again: w others are at or above it, and fewer than w above it.
func TestJoinIsTheEndOfFollowingTheSmallest(t *testing.T) {
	c := newCluster(t, 7)
	w := c.System.Weak()
	rapid.Check(t, func(t *rapid.T) {
		ch := c.changer(0)
		var views []consensus.View
		for id := consensus.ReplicaID(1); id < 7; id++ {
			if v := consensus.View(rapid.IntRange(0, 5).Draw(t, "view")); v > 0 {
				ch.Add(c.viewChange(id, v, 0))
				views = append(views, v)
			}
		}
		at := consensus.View(rapid.IntRange(0, 5).Draw(t, "current"))
		got, joined := ch.Join(at)
		for {
			above := slices.DeleteFunc(slices.Clone(views), func(v consensus.View) bool { return v <= at })
			if len(above) < w {
				break
			}
			at = slices.Min(above)
			if !joined {
				t.Fatalf("%v: should have joined %d", views, at)
			}
		}
		if joined && got != at {
			t.Fatalf("%v: joined %d, following ends at %d", views, got, at)
		}
	})
}

// PROTOCOL.md §6: n=4, R0 timed out to view 4 and its VIEW-CHANGE for 3 was
// lost, R3 fell silent. R1 and R2 hold two for 3 each; counting only those,
// they would wait for ever without a clock running.
func TestPatienceCountsLaterViews(t *testing.T) {
	c := newCluster(t, 4)
	ch := c.changer(1)
	ch.Leave(3, nil, nil)
	ch.Add(c.viewChange(2, 3, 0))
	if got := ch.Reaching(3); got != 2 {
		t.Fatalf("%d reach view 3", got)
	}
	ch.Add(c.viewChange(0, 4, 0))
	if got := ch.Reaching(3); got != c.System.Quorum() {
		t.Errorf("%d reach view 3, a quorum does", got)
	}
	if got := ch.Senders(3); !slices.Equal(got, []consensus.ReplicaID{0, 1, 2}) {
		t.Errorf("senders %v", got)
	}
	if got := ch.Senders(4); !slices.Equal(got, []consensus.ReplicaID{0}) {
		t.Errorf("senders for 4: %v", got)
	}
}

// A liar's later VIEW-CHANGE, of however high a view, does not shadow its own
// for the view at hand, in whichever order they come [B16, B20].
func TestLaterViewChangeShadowsNothing(t *testing.T) {
	c := newCluster(t, 4)
	for _, views := range [][]consensus.View{{1, 1<<64 - 1}, {1<<64 - 1, 1}} {
		ch := c.changer(1)
		for _, v := range views {
			ch.Add(c.viewChange(3, v, 0))
		}
		ch.Add(c.viewChange(0, 1, 0))
		ch.Leave(1, nil, nil)
		if got := len(ch.Asking(1)); got != 3 {
			t.Errorf("%v: %d VIEW-CHANGEs for view 1", views, got)
		}
		if got := ch.Latest(3); got == nil || got.View != 1<<64-1 {
			t.Errorf("%v: latest is %v", views, got)
		}
		if _, _, ok := ch.Open(1, everyBody); !ok {
			t.Errorf("%v: view 1 does not open", views)
		}
	}
	if c.changer(0).Latest(99) != nil {
		t.Error("an outsider has said something")
	}
}

// Of each replica at most two VIEW-CHANGEs are kept, whatever it sends.
func TestMemoryIsBounded(t *testing.T) {
	c := newCluster(t, 4)
	ch := c.changer(0)
	for v := consensus.View(1); v < 200; v++ {
		ch.Add(c.viewChange(3, v, 0))
		ch.Add(c.viewChange(3, 300-v, 0))
	}
	kept := 0
	for v := consensus.View(0); v < 400; v++ {
		kept += len(ch.Asking(v))
	}
	if kept > 2 {
		t.Errorf("%d VIEW-CHANGEs of one replica", kept)
	}
	ch.Entered(400)
	if ch.Latest(3) != nil || ch.Reaching(1) != 0 {
		t.Error("kept what the entered view has settled")
	}
	if ch.Add(c.viewChange(3, 400, 0)); ch.Latest(3) != nil {
		t.Error("took one for the view that was entered")
	}
}

// The road through a view change, as the engine goes it.
func TestOpenAndAccept(t *testing.T) {
	c := newCluster(t, 4)
	all := c.changers()
	said := vcs{
		all[0].Leave(1, nil, []cert{c.prepared(0, 1, a), c.prepared(0, 3, b)}),
		all[1].Leave(1, c.stable(2), nil),
		all[2].Leave(1, nil, nil),
		all[3].Leave(1, nil, []cert{c.prepared(0, 4, a)}),
	}
	for _, vc := range said[2:] {
		all[1].Add(vc)
		if _, _, ok := all[0].Open(1, everyBody); ok {
			t.Fatal("a backup opened the view")
		}
	}
	nv, start, ok := all[1].Open(1, everyBody)
	if !ok {
		t.Fatal("the primary does not open the view with a quorum")
	}
	if _, _, again := all[1].Open(1, everyBody); again {
		t.Error("a view was opened twice")
	}
	if start.Min != 2 || start.Max() != 4 || start.Chosen[0].Digest != consensus.NullDigest || start.Chosen[1].Digest != a || len(start.Proposals) != 2 {
		t.Errorf("start %+v", start)
	}
	got := c.opened(t, nv.Frame).(*message.NewView)
	for _, ch := range all {
		theirs, err := ch.Accept(got)
		if err != nil || theirs.Min != start.Min || !slices.Equal(theirs.Proposals, start.Proposals) || theirs.Checkpoint.Seq != 2 {
			t.Errorf("replica %d: %+v, %v", ch.self, theirs, err)
		}
	}
	all[1].Entered(1)
	if _, _, again := all[1].Open(1, everyBody); again {
		t.Error("a view was opened after it was entered")
	}
}

// The primary takes its own VIEW-CHANGE and the lowest others, whoever else is there.
func TestOpenChoosesItsOwnAndTheLowest(t *testing.T) {
	c := newCluster(t, 7)
	ch := c.changer(6)
	ch.Leave(6, nil, nil)
	for id := range consensus.ReplicaID(6) {
		ch.Add(c.viewChange(id, 6, 0))
	}
	nv, _, ok := ch.Open(6, everyBody)
	if !ok {
		t.Fatal("not opened")
	}
	var ids []consensus.ReplicaID
	for _, vc := range nv.ViewChanges {
		ids = append(ids, vc.Replica)
	}
	if !slices.Equal(ids, []consensus.ReplicaID{0, 1, 2, 3, 6}) {
		t.Errorf("V of %v", ids)
	}
	// Without an own VIEW-CHANGE for exactly this view nothing opens.
	ch = c.changer(6)
	for id := range consensus.ReplicaID(6) {
		ch.Add(c.viewChange(id, 6, 0))
	}
	if _, _, ok := ch.Open(6, everyBody); ok {
		t.Error("opened a view without having asked for it")
	}
}

// PROTOCOL.md §6: everyone recomputes O from V and accepts only an exact match.
func TestAcceptRefusesWhatDoesNotFollow(t *testing.T) {
	c := newCluster(t, 4)
	said := vcs{c.viewChange(0, 1, 2, c.prepared(0, 3, a)), c.viewChange(1, 1, 0), c.viewChange(2, 1, 0, c.prepared(0, 5, b))}
	null := consensus.NullDigest
	build := func(vs vcs, from consensus.Seq, o ...crypto.Digest) *message.NewView {
		nv := message.NewView{View: 1, ViewChanges: vs}
		for i, d := range o {
			nv.Proposals = append(nv.Proposals, c.SignVote(c.signers[1], message.Vote{Kind: message.PrePrepareKind, View: 1, Seq: from + consensus.Seq(i), Digest: d, Replica: 1}))
		}
		return c.NewNewView(c.signers[1], nv)
	}
	for _, tc := range []struct {
		name string
		nv   *message.NewView
		want error
	}{
		{"what follows", build(said, 3, a, null, b), nil},
		{"empty", build(said, 3), errProposals},
		{"one too few", build(said, 3, a, null), errProposals},
		{"one too many", build(said, 3, a, null, b, null), errProposals},
		{"from min-s on", build(said, 2, null, a, null, b), errProposals},
		{"shifted", build(said, 4, a, null, b), errProposals},
		{"another digest", build(said, 3, b, null, b), errProposals},
		{"null instead of what prepared", build(said, 3, null, null, b), errProposals},
		{"a batch instead of null", build(said, 3, a, b, b), errProposals},
		{"as if min-s were 0", build(said, 1, null, null, a, null, b), errProposals},
		{"V too small", build(said[:2], 3, a), errNoQuorum},
		{"V too large", build(append(slices.Clone(said), c.viewChange(3, 1, 0)), 3, a, null, b), errNoQuorum},
		{"V with one twice", build(vcs{said[0], said[0], said[2]}, 3, a, null, b), errNoQuorum},
		{"V with another view", build(vcs{said[0], c.viewChange(1, 5, 0), said[2]}, 3, a, null, b), errNoQuorum},
	} {
		start, err := c.changer(3).Accept(tc.nv)
		if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if err != nil && (len(start.Proposals) > 0 || start.View != 0) {
			t.Errorf("%s: refused with a start", tc.name)
		}
	}
}

// Whatever true VIEW-CHANGEs there are, what the primary opens is opened by
// message.Open and accepted by every replica, and leads all to one start.
func TestWhatOpensIsAccepted(t *testing.T) {
	c := newCluster(t, 4)
	stable := map[consensus.Seq]cert{0: nil, 2: c.stable(2), 4: c.stable(4)}
	entries := map[consensus.Seq][]cert{}
	for n := consensus.Seq(1); n <= 8; n++ {
		entries[n] = []cert{c.prepared(0, n, a), c.prepared(1, n, b), c.prepared(3, n, consensus.NullDigest)}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := consensus.View(rapid.IntRange(4, 7).Draw(t, "v"))
		all := c.changers()
		primary := all[c.System.Primary(v)]
		for _, ch := range all {
			low := rapid.SampledFrom([]consensus.Seq{0, 2, 4}).Draw(t, "h")
			var prepared []cert
			for n := low + 1; n <= low+c.Genesis.Window; n++ {
				if i := rapid.IntRange(0, 3).Draw(t, "entry"); i < 3 {
					prepared = append(prepared, entries[n][i])
				}
			}
			primary.Add(ch.Leave(v, stable[low], prepared))
		}
		nv, start, ok := primary.Open(v, everyBody)
		if !ok {
			t.Fatal("not opened")
		}
		o := c.Open(c.verifier, nil, []consensus.Frame{{From: consensus.ReplicaPeer(0), Bytes: nv.Frame}})[0]
		if o.Event == nil {
			t.Fatalf("not opened by others: %s", o.Reason)
		}
		for _, ch := range all {
			got, err := ch.Accept(o.Event.(consensus.Receive).Message.(*message.NewView))
			if err != nil {
				t.Fatal(err)
			}
			if got.View != v || got.Min != start.Min || got.Max() != start.Max() || !slices.Equal(got.Proposals, start.Proposals) {
				t.Fatalf("%+v, the primary's is %+v", got, start)
			}
		}
		if len(nv.Frame) > c.MaxFrame() {
			t.Fatalf("a NEW-VIEW of %d bytes, announced are %d", len(nv.Frame), c.MaxFrame())
		}
	})
}
