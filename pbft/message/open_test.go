package message

import (
	"bytes"
	"fmt"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

var digestD = crypto.Hash([]byte("d"))

// PROTOCOL.md §2: the signer is what the signature proves; it is a member, the
// one that the body names, and in the role that the kind asks for.
func TestVotesAreBoundToTheirSigner(t *testing.T) {
	c := newCluster(t, 4)
	outsider := crypto.NewSimSigner(c.ring, seed(99))
	sign := func(s crypto.Signer, v Vote) []byte { return encoded(c.SignVote(s, v)) }
	honest := c.vote(PrepareKind, 1, 0, 1, digestD)
	edit := func(f func(*Vote)) []byte { v := honest; f(&v); return encoded(v) }
	for _, tc := range []struct {
		name  string
		frame []byte
		want  consensus.Reason
	}{
		{"true", encoded(honest), ""},
		{"signed by 2 in the name of 1 [B3]", sign(c.replicas[2], Vote{Kind: PrepareKind, Seq: 1, Digest: digestD, Replica: 1}), ReasonSignature},
		{"an outsider's key [B4]", sign(outsider, Vote{Kind: PrepareKind, Seq: 1, Digest: digestD, Replica: 1}), ReasonSignature},
		{"an outsider's id [B4]", sign(outsider, Vote{Kind: PrepareKind, Seq: 1, Digest: digestD, Replica: 4}), ReasonNotMember},
		{"PREPARE of the primary [B2]", encoded(c.vote(PrepareKind, 0, 0, 1, digestD)), ReasonWrongRole},
		{"kind changed", edit(func(v *Vote) { v.Kind = CommitKind }), ReasonSignature},
		{"view changed", edit(func(v *Vote) { v.View = 4 }), ReasonSignature},
		{"seq changed [B1]", edit(func(v *Vote) { v.Seq = 2 }), ReasonSignature},
		{"digest changed", edit(func(v *Vote) { v.Digest[31] ^= 1 }), ReasonSignature},
		{"seq 0", encoded(c.vote(CommitKind, 1, 0, 0, digestD)), ReasonMalformed},
		{"CHECKPOINT with a view", encoded(c.vote(CheckpointKind, 1, 1, 2, digestD)), ReasonMalformed},
		{"a vote with something behind it", append(encoded(honest), 0), ReasonMalformed},
		{"nothing", nil, ReasonMalformed},
		{"unknown kind", []byte{0xee}, ReasonUnknown},
		{"oversized", make([]byte, consensus.MaxFrame+1), ReasonOversized},
	} {
		if o := c.open(1, tc.frame); o.Reason != tc.want || (o.Event != nil) != (tc.want == "") {
			t.Errorf("%s: reason %q, event %v; want %q", tc.name, o.Reason, o.Event, tc.want)
		}
	}
}

func TestProposals(t *testing.T) {
	c := newCluster(t, 4)
	propose := func(id consensus.ReplicaID, view consensus.View, b *consensus.Batch) []byte {
		return c.NewPrePrepare(c.replicas[id], Vote{View: view, Seq: 1, Digest: b.Digest(), Replica: id}, b).Frame
	}
	one, two := c.request(0, 1, "a"), c.request(1, 1, "b")
	stranger := consensus.SignRequest(crypto.NewSimSigner(c.ring, seed(98)), c.Cluster, consensus.Sequence{Epoch: 1, Counter: 1}, [][]byte{{1}})
	forged := c.request(2, 1, "c")
	forged.Raw[len(forged.Raw)-1] ^= 1
	forged, _ = consensus.DecodeRequest(forged.Raw)
	old := consensus.SignOldRequest(c.clients[2], c.Cluster, consensus.Sequence{Epoch: 1, Counter: 1}, [][]byte{[]byte("c")})
	otherForm := bytes.Clone(old.Raw)
	otherForm[0] = consensus.KindRequest
	misfit, _ := consensus.DecodeRequest(otherForm)
	long := bytes.Repeat([]byte("x"), 65)
	medium := bytes.Repeat([]byte("x"), 64)
	big := consensus.SignRequest(c.clients[0], c.Cluster, consensus.Sequence{Epoch: 1, Counter: 9}, [][]byte{medium, medium, medium, medium})
	bigs := []*consensus.Request{big}
	for i := range uint64(3) {
		bigs = append(bigs, consensus.SignRequest(c.clients[1], c.Cluster, consensus.Sequence{Epoch: 1, Counter: i + 1}, [][]byte{medium, medium, medium, medium}))
	}
	if size := c.batch(big).Size(); size <= c.Genesis.Limits.BatchBytes {
		t.Fatalf("a batch of %d bytes is not over the limit", size)
	}
	swapped := propose(0, 0, c.batch(one))
	copy(swapped[len(swapped)-len(two.Raw):], two.Raw)
	for _, tc := range []struct {
		name  string
		frame []byte
		want  consensus.Reason
	}{
		{"two requests", propose(0, 0, c.batch(one, two)), ""},
		{"a request of the old form", propose(0, 0, c.batch(one, old)), ""},
		{"a signature of the old form under the new kind", propose(0, 0, c.batch(one, misfit)), ReasonOtherBatch},
		{"the empty batch", propose(0, 0, c.batch()), ""},
		{"one request over the batch limit alone", propose(0, 0, c.batch(big)), ""},
		{"by a backup", propose(1, 0, c.batch(one)), ReasonWrongRole},
		{"body of another batch", swapped, ReasonDigest},
		{"body cut off", propose(0, 0, c.batch(one))[:VoteSize], ReasonMalformed},
		{"trailing byte", append(propose(0, 0, c.batch(one)), 0), ReasonMalformed},
		{"a request twice", propose(0, 0, c.batch(one, two, one)), ReasonBatch},
		{"two requests under one sequence", propose(0, 0, c.batch(one, c.request(0, 1, "other"))), ReasonBatch},
		{"a stranger's request", propose(0, 0, c.batch(stranger)), ReasonBatch},
		{"an operation over the limit", propose(0, 0, c.batch(c.request(0, 2, string(long)))), ReasonBatch},
		{"too many requests", propose(0, 0, c.batch(one, two, c.request(2, 2, "c"), c.request(2, 3, "d"), c.request(2, 4, "e"))), ReasonBatch},
		{"several requests over the batch limit", propose(0, 0, c.batch(bigs...)), ReasonBatch},
		{"a forged request", propose(0, 0, c.batch(one, forged)), ReasonOtherBatch},
	} {
		o := c.open(0, tc.frame)
		if o.Reason != tc.want || (o.Event != nil) != (tc.want == "") {
			t.Errorf("%s: reason %q, event %v; want %q", tc.name, o.Reason, o.Event, tc.want)
		}
		// Whatever is wrong with a batch is charged to the primary who
		// sent it, and no client hears of it.
		if o.Blame != (tc.want != "") || o.Refusal != nil {
			t.Errorf("%s: blame %v, refusal %v", tc.name, o.Blame, o.Refusal)
		}
	}
}

// A bad frame spoils nothing for the others of its group.
func TestGroupIsJudgedFrameByFrame(t *testing.T) {
	c := newCluster(t, 4)
	bad := encoded(c.vote(CommitKind, 2, 0, 1, digestD))
	bad[VoteSize-1] ^= 1
	batch := c.batch(c.request(0, 1, "a"), c.request(1, 1, "b"))
	frames := [][]byte{
		encoded(c.vote(CommitKind, 1, 0, 1, digestD)), bad,
		c.NewPrePrepare(c.replicas[0], Vote{Seq: 1, Digest: batch.Digest()}, batch).Frame, nil, bad,
		c.viewChange(3, 1, 2).Frame, (&Rejoin{Nonce: 1}).Encode(), encoded(c.vote(CommitKind, 3, 0, 1, digestD)),
	}
	var in []consensus.Frame
	for _, f := range frames {
		in = append(in, consensus.Frame{From: consensus.ReplicaPeer(2), Bytes: f})
	}
	out := c.Open(c.verifier, nil, in)
	want := []consensus.Reason{"", ReasonSignature, "", ReasonMalformed, ReasonSignature, "", "", ""}
	if len(out) != len(want) {
		t.Fatalf("%d answers to %d frames", len(out), len(in))
	}
	for i, o := range out {
		if o.Reason != want[i] || (o.Event == nil) != (want[i] != "") {
			t.Errorf("frame %d: reason %q, event %v; want %q", i, o.Reason, o.Event, want[i])
		}
	}
}

// What is authentic by its channel only needs a member's channel; what proves
// itself may be relayed; observers may fetch.
func TestChannels(t *testing.T) {
	c := newCluster(t, 4)
	specimens := c.specimens()
	client := consensus.ClientPeer(c.clients[0].Public())
	observer := consensus.Peer{Kind: consensus.PeerObserver, Key: c.clients[1].Public()}
	topic := consensus.Peer{Kind: consensus.Topic}
	for _, tc := range []struct {
		specimen string
		from     consensus.Peer
		want     consensus.Reason
	}{
		{"request", client, ""},
		{"request", topic, ""},
		{"request", consensus.ReplicaPeer(1), ""},
		{"request", observer, ReasonChannel},
		{"request", consensus.ClientPeer(c.clients[1].Public()), ReasonChannel},
		{"status", consensus.ReplicaPeer(1), ""},
		{"status", observer, ReasonChannel},
		{"status", client, ReasonChannel},
		{"status", topic, ReasonNotAsked},
		{"commit", consensus.ReplicaPeer(3), ""},
		{"commit", topic, ReasonNotAsked},
		{"commit", observer, ReasonChannel},
		{"fetch batch", observer, ""},
		{"fetch batch", client, ReasonChannel},
		{"given checkpoint", observer, ReasonChannel},
	} {
		if o := c.openAt(nil, tc.from, specimens[tc.specimen]); o.Reason != tc.want || (o.Event != nil) != (tc.want == "") {
			t.Errorf("%s from %s: reason %q, event %v; want %q", tc.specimen, tc.from, o.Reason, o.Event, tc.want)
		}
	}
}

// Requests reach the engine with the way they came, and only the owner of a
// client's channel is ever answered before a signature is proven.
func TestRequestsAndRefusals(t *testing.T) {
	c := newCluster(t, 4)
	key := c.clients[0].Public()
	good := c.request(0, 1, "put").Raw
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	stranger := crypto.NewSimSigner(c.ring, seed(97))
	strange := consensus.SignRequest(stranger, c.Cluster, consensus.Sequence{Counter: 1}, [][]byte{{1}}).Raw
	for _, tc := range []struct {
		name  string
		from  consensus.Peer
		frame []byte
		want  consensus.RefusalCode
	}{
		{"a forged signature", consensus.ClientPeer(key), forged, consensus.RefusedSignature},
		{"a stranger", consensus.ClientPeer(stranger.Public()), strange, consensus.RefusedUnknownClient},
		{"garbage", consensus.ClientPeer(key), good[:20], consensus.RefusedMalformed},
		{"over a limit", consensus.ClientPeer(key), c.request(0, 1, string(make([]byte, 65))).Raw, consensus.RefusedTooLarge},
		{"forged, forwarded by a replica", consensus.ReplicaPeer(1), forged, 0},
		{"a stranger's, from the topic", consensus.Peer{Kind: consensus.Topic}, strange, 0},
	} {
		o := c.openAt(nil, tc.from, tc.frame)
		var got consensus.RefusalCode
		if o.Refusal != nil {
			got = o.Refusal.Code
			if o.Refusal.Client != tc.from.Key {
				t.Errorf("%s: refused to %s", tc.name, o.Refusal.Client.Short())
			}
		}
		if o.Event != nil || got != tc.want {
			t.Errorf("%s: event %v, refusal %v; want %v", tc.name, o.Event, got, tc.want)
		}
	}
	for via, want := range map[consensus.Peer]consensus.Peer{
		consensus.ClientPeer(key): consensus.ClientPeer(key),
		{Kind: consensus.Topic}:   consensus.ClientPeer(key),
		consensus.ReplicaPeer(2):  consensus.ReplicaPeer(2),
	} {
		o := c.openAt(nil, via, good)
		if s, ok := o.Event.(consensus.Submit); !ok || s.Via != want || !bytes.Equal(s.Request.Raw, good) {
			t.Errorf("from %s: %+v", via, o)
		}
	}
}

// counting counts the claims that reach a verifier.
type counting struct {
	crypto.Verifier
	claims int
}

func (v *counting) Verify(claims []crypto.Claim) []bool {
	v.claims += len(claims)
	return v.Verifier.Verify(claims)
}

// What is settled is dropped before a verification is spent on it, and nothing
// else is.
func TestHorizon(t *testing.T) {
	c := newCluster(t, 4)
	inView := &Horizon{View: 5, Low: 4, High: 8, Prepared: NewBits(4), Committed: NewBits(4)}
	inView.Prepared.Set(0)  // slot 5
	inView.Committed.Set(1) // slot 6
	changing := &Horizon{View: 5, Changing: true, Low: 4, High: 8, Prepared: inView.Prepared, Committed: inView.Committed}
	vote := func(k Kind, view consensus.View, seq consensus.Seq) []byte {
		return encoded(c.vote(k, 3, view, seq, digestD))
	}
	batch := c.batch(c.request(0, 1, "a"))
	proposal := func(view consensus.View, seq consensus.Seq) []byte {
		p := c.System.Primary(view)
		return c.NewPrePrepare(c.replicas[p], Vote{View: view, Seq: seq, Digest: batch.Digest(), Replica: p}, batch).Frame
	}
	vcs := func(view consensus.View) []*ViewChange {
		return []*ViewChange{c.viewChange(0, view, 0), c.viewChange(1, view, 0), c.viewChange(2, view, 0)}
	}
	for _, tc := range []struct {
		name  string
		at    *Horizon
		frame []byte
		want  consensus.Reason
	}{
		{"no horizon", nil, vote(CommitKind, 0, 1), ""},
		{"in the window", inView, vote(CommitKind, 5, 8), ""},
		{"at the low mark", inView, vote(CommitKind, 5, 4), ReasonSettled},
		{"a little above the window", inView, vote(CommitKind, 5, 12), ""},
		{"far above the window", inView, vote(CommitKind, 5, 13), ReasonWindow},
		{"seq 2^64-1", inView, vote(CommitKind, 5, 1<<64-1), ReasonWindow},
		{"an old view", inView, vote(CommitKind, 4, 7), ReasonOldView},
		{"the next view", inView, vote(CommitKind, 6, 7), ""},
		{"two views ahead", inView, vote(CommitKind, 7, 7), ReasonFarView},
		{"view 2^64-1", inView, vote(CommitKind, 1<<64-1, 7), ReasonFarView},
		{"PREPARE of a prepared slot", inView, vote(PrepareKind, 5, 5), ReasonSettled},
		{"COMMIT of a prepared slot", inView, vote(CommitKind, 5, 5), ""},
		{"COMMIT of a committed slot", inView, vote(CommitKind, 5, 6), ReasonSettled},
		{"PREPARE of a prepared slot in the next view", inView, vote(PrepareKind, 6, 5), ""},
		{"COMMIT of a slot committed in the view before", changing, vote(CommitKind, 5, 6), ""},
		{"proposal", inView, proposal(5, 7), ""},
		{"proposal of a committed slot", inView, proposal(5, 6), ReasonSettled},
		{"CHECKPOINT at the low mark", inView, vote(CheckpointKind, 0, 4), ReasonSettled},
		{"CHECKPOINT above", inView, vote(CheckpointKind, 0, 6), ""},
		{"CHECKPOINT far above", inView, vote(CheckpointKind, 0, 6000), ""},
		{"VIEW-CHANGE for an old view", inView, c.viewChange(3, 4, 0).Frame, ReasonOldView},
		{"VIEW-CHANGE for the view we are in", inView, c.viewChange(3, 5, 0).Frame, ReasonOldView},
		{"VIEW-CHANGE for the view we go for", changing, c.viewChange(3, 5, 0).Frame, ""},
		{"VIEW-CHANGE for a later view", inView, c.viewChange(3, 9, 0).Frame, ""},
		{"NEW-VIEW of the view we are in", inView, c.newView(5, vcs(5)).Frame, ReasonOldView},
		{"NEW-VIEW of the view we go for", changing, c.newView(5, vcs(5)).Frame, ""},
		{"NEW-VIEW of a later view", inView, c.newView(9, vcs(9)).Frame, ""},
	} {
		v := &counting{Verifier: c.verifier}
		o := c.Open(v, tc.at, []consensus.Frame{{From: consensus.ReplicaPeer(2), Bytes: tc.frame}})[0] // passed on
		if o.Reason != tc.want || (o.Event != nil) != (tc.want == "") {
			t.Errorf("%s: reason %q, event %v; want %q", tc.name, o.Reason, o.Event, tc.want)
		}
		if (v.claims == 0) != (tc.want != "") {
			t.Errorf("%s: %d signatures checked", tc.name, v.claims)
		}
		if o.Blame {
			t.Errorf("%s: somebody is blamed for being late or early", tc.name)
		}
	}
}

// A PREPARE or COMMIT that its author's own channel brings goes to the engine
// unverified, unless that author has signed badly before. What somebody else
// brings, and a CHECKPOINT, is verified here.
func TestVotesOfTheirAuthors(t *testing.T) {
	c := newCluster(t, 4)
	at, liar := &Horizon{View: 5, Low: 4, High: 8, Liars: NewBits(4)}, &Horizon{View: 5, Low: 4, High: 8, Liars: NewBits(4)}
	liar.Liars.Set(3)
	vote := func(k Kind) []byte {
		if k == CheckpointKind {
			return encoded(c.vote(k, 3, 0, 8, digestD))
		}
		return encoded(c.vote(k, 3, 5, 8, digestD))
	}
	for _, tc := range []struct {
		name  string
		at    *Horizon
		from  consensus.Peer
		frame []byte
		said  bool
	}{
		{"PREPARE", at, consensus.ReplicaPeer(3), vote(PrepareKind), true},
		{"COMMIT", at, consensus.ReplicaPeer(3), vote(CommitKind), true},
		{"CHECKPOINT", at, consensus.ReplicaPeer(3), vote(CheckpointKind), false},
		{"passed on", at, consensus.ReplicaPeer(2), vote(CommitKind), false},
		{"of a liar", liar, consensus.ReplicaPeer(3), vote(CommitKind), false},
		{"nothing known yet", nil, consensus.ReplicaPeer(3), vote(CommitKind), false},
	} {
		for _, bad := range []bool{false, true} {
			frame := bytes.Clone(tc.frame)
			if bad {
				frame[VoteSize-1] ^= 1
			}
			v := &counting{Verifier: c.verifier}
			o := c.Open(v, tc.at, []consensus.Frame{{From: tc.from, Bytes: frame}})[0]
			if refused := bad && !tc.said; (o.Event == nil) != refused || refused && (o.Reason != ReasonSignature || !o.Blame) {
				t.Errorf("%s, badly signed %v: %+v", tc.name, bad, o)
				continue
			}
			received, _ := o.Event.(consensus.Receive)
			if _, said := received.Message.(*Said); said != tc.said || (v.claims == 0) != tc.said {
				t.Errorf("%s, badly signed %v: %T, %d signatures checked", tc.name, bad, received.Message, v.claims)
			}
		}
	}
}

// The other mutable frames: hints by channel, and answers that must match
// themselves.
func TestAnswersProveThemselves(t *testing.T) {
	c := newCluster(t, 4)
	batch := c.batch(c.request(0, 1, "a"))
	forged := c.batch(c.request(0, 1, "a"))
	forged.Requests[0] = c.request(0, 1, "a")
	forged.Requests[0].Raw[len(forged.Requests[0].Raw)-1] ^= 1
	forged.Requests[0], _ = consensus.DecodeRequest(forged.Requests[0].Raw)
	cert := c.certificate(CommittedCertificate, 0, 1, batch.Digest())
	checkpoint := c.certificate(CheckpointCertificate, 0, 2, digestD)
	for _, tc := range []struct {
		name  string
		frame []byte
		want  consensus.Reason
	}{
		{"another batch", (&FetchReply{What: WhatBatch, Digest: digestD, Batch: batch}).Encode(), ReasonDigest},
		{"a batch with a forged request", (&FetchReply{What: WhatBatch, Digest: forged.Digest(), Batch: forged}).Encode(), ReasonSignature},
		{"a certificate of another slot", (&FetchReply{What: WhatCommitted, Seq: 2, Digest: batch.Digest(), Batch: batch, Certificate: cert}).Encode(), ReasonMalformed},
		{"a certificate of another batch", (&FetchReply{What: WhatCommitted, Seq: 1, Digest: digestD, Batch: batch, Certificate: cert}).Encode(), ReasonMalformed},
		{"a checkpoint of another slot", (&FetchReply{What: WhatCheckpoint, Seq: 4, Digest: digestD, Certificate: checkpoint}).Encode(), ReasonMalformed},
		{"a checkpoint of another root", (&FetchReply{What: WhatCheckpoint, Seq: 2, Digest: batch.Digest(), Certificate: checkpoint}).Encode(), ReasonMalformed},
		{"a view, which has a frame of its own", append([]byte{byte(FetchReplyKind), byte(WhatView)}, make([]byte, 40)...), ReasonMalformed},
		{"a status with an unknown flag", append([]byte{byte(StatusKind), 0, 0, 0, 0, 0, 0, 0, 0, 4}, make([]byte, 17)...), ReasonMalformed},
		{"a status with unknown progress", (&Status{Slots: []Progress{allProgress + 1}}).Encode(), ReasonMalformed},
		{"a status of too many slots", (&Status{Slots: make([]Progress, MaxStatusSlots+1)}).Encode(), ReasonMalformed},
		{"a fetch of nothing", (&Fetch{What: 0}).Encode(), ReasonMalformed},
		{"a fetch of no parts", (&Fetch{What: WhatParts}).Encode(), ReasonMalformed},
		{"a rejoin answer with a forged view", (&RejoinAnswer{NewView: forge(c.newView(5, []*ViewChange{c.viewChange(0, 5, 0), c.viewChange(1, 5, 0), c.viewChange(2, 5, 0)}))}).Encode(), ReasonSignature},
	} {
		if o := c.open(3, tc.frame); o.Reason != tc.want || o.Event != nil || !o.Blame {
			t.Errorf("%s: %+v, want %q", tc.name, o, tc.want)
		}
	}
}

func forge(nv *NewView) *NewView {
	nv.Frame[len(nv.Frame)-1] ^= 1
	return nv
}

// The kinds that no frame of ours begins with are all refused.
func TestUnknownKinds(t *testing.T) {
	c := newCluster(t, 4)
	for k := range 256 {
		if consensus.IsRequest([]byte{byte(k)}) || k == int(consensus.KindRead) || k >= int(PrePrepareKind) && k <= int(lastKind) {
			continue
		}
		frame := append([]byte{byte(k)}, make([]byte, 200)...)
		if o := c.open(1, frame); o.Reason != ReasonUnknown {
			t.Errorf("kind %d: %q", k, o.Reason)
		}
		if text := fmt.Sprint(Kind(k)); text != "?" {
			t.Errorf("kind %d is called %s", k, text)
		}
	}
}
