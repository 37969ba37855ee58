package message

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Horizon is what an engine has settled: Open drops what lies beyond it before
// spending a verification. It may be out of date by a few steps, which costs
// verifications and never correctness. Immutable once published.
type Horizon struct {
	View      consensus.View
	Changing  bool
	Asleep    bool          // rejoining, or awake and undecided: nobody else has a use for a REJOIN-ANSWER
	Low       consensus.Seq // h
	High      consensus.Seq // h+L
	Prepared  Bits          // slots above Low that are prepared here in View
	Committed Bits          // slots above Low that are committed here
	Liars     Bits          // replicas that have signed badly: nothing of theirs is taken unverified
}

// Said is a PREPARE or COMMIT that came by its author's own channel. So it is
// known who said it, and not yet whether it can be shown to others: that is
// verified when votes are enough (Rules.Claim).
type Said struct{ Vote }

// Bits is a set of small numbers: slots, as offsets from a horizon's Low minus
// one, or replicas.
type Bits []uint64

// NewBits returns an empty set for numbers below n.
func NewBits(n int) Bits { return make(Bits, (n+63)/64) }

// Set adds offset i.
func (b Bits) Set(i int) { b[i/64] |= 1 << (i % 64) }

// has reports whether offset i is in the set.
func (b Bits) has(i int) bool { return i >= 0 && i/64 < len(b) && b[i/64]>>(i%64)&1 == 1 }

// The reasons for which Open refuses a frame.
const (
	ReasonMalformed                   = consensus.ReasonMalformed
	ReasonSignature                   = consensus.ReasonSignature
	ReasonNotMember  consensus.Reason = "signer is not a member"
	ReasonWrongRole  consensus.Reason = "signer may not say this in this view"
	ReasonNoQuorum   consensus.Reason = "certificate without a quorum"
	ReasonDigest     consensus.Reason = "batch does not match its digest"
	ReasonBatch      consensus.Reason = "batch breaks a limit or repeats a request"
	ReasonChannel                     = consensus.ReasonChannel
	ReasonSettled    consensus.Reason = "settled before it came"
	ReasonOldView    consensus.Reason = "view is over"
	ReasonFarView    consensus.Reason = "view is too far ahead"
	ReasonWindow     consensus.Reason = "outside the window"
	ReasonRefused                     = consensus.ReasonRefused
	ReasonUnknown    consensus.Reason = "unknown kind"
	ReasonNotAsked   consensus.Reason = "from the topic only requests are taken"
	ReasonOversized  consensus.Reason = "frame over the limit"
	ReasonOtherBatch consensus.Reason = "batch holds a request that is not authentic"
)

var (
	errNotMember    = errors.New("signer is not a member")
	errWrongRole    = errors.New("signer may not say this in this view")
	errNoQuorum     = errors.New("not a quorum of distinct members")
	errWrongDigest  = errors.New("batch does not match its digest")
	errBadSignature = errors.New("bad signature")
	errChannel      = errors.New("not valid from this channel")
	errUnknownKind  = errors.New("unknown kind")
	errTopic        = errors.New("not valid from the topic")
	errOversized    = errors.New("frame over the limit")
)

var reasons = []struct {
	err    error
	reason consensus.Reason
}{
	{errNotMember, ReasonNotMember}, {errWrongRole, ReasonWrongRole}, {errNoQuorum, ReasonNoQuorum},
	{errWrongDigest, ReasonDigest}, {consensus.ErrBatch, ReasonBatch}, {errChannel, ReasonChannel},
	{errUnknownKind, ReasonUnknown}, {errTopic, ReasonNotAsked}, {errOversized, ReasonOversized},
}

func reasonOf(err error) consensus.Reason {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return ReasonMalformed
}

// opening is a frame between decoding and verification.
type opening struct {
	event   consensus.Event
	request *consensus.Request // of a frame that is one
	claims  []crypto.Claim
	author  consensus.Peer // who signed the outermost layer
	reason  consensus.Reason
	refusal *consensus.Refusal
}

// Open decodes and authenticates a group of frames: membership and relevance
// first, then all signatures together, of each frame that of its author before
// what it holds. One Opened per frame, in order. Safe to call concurrently if v is.
func (r *Rules) Open(v crypto.Verifier, h *Horizon, in []consensus.Frame) []consensus.Opened {
	openings := make([]opening, len(in))
	claims := make([][]crypto.Claim, len(in))
	for i, f := range in {
		openings[i] = r.decode(h, f)
		claims[i] = openings[i].claims
	}
	out := make([]consensus.Opened, len(in))
	for i, bad := range crypto.FirstFalse(v, claims) {
		o := &openings[i]
		if bad >= 0 && o.reason == "" {
			o.reject(bad)
			if o.request != nil {
				o.refusal = r.door.Denied(in[i], o.request).Refusal
			}
			o.author = in[i].From // an honest replica relays only what it has opened itself
		}
		out[i] = consensus.Opened{Reason: o.reason, Refusal: o.refusal}
		if o.reason == "" {
			out[i].Event = o.event
			continue
		}
		out[i].Blame = o.author == in[i].From && o.reason != ReasonSettled && o.reason != ReasonOldView &&
			o.reason != ReasonFarView && o.reason != ReasonWindow
	}
	return out
}

// reject says what it means that the given claim is false. With a proposal the
// first is the primary's; a bad one after it is a request that the primary
// should not have proposed, and no word of the client that it names.
func (o *opening) reject(claim int) {
	o.reason = ReasonSignature
	if received, ok := o.event.(consensus.Receive); ok && claim > 0 {
		if _, proposal := received.Message.(*PrePrepare); proposal {
			o.reason = ReasonOtherBatch
		}
	}
}

// decode turns a frame into a message and the list of what must be verified.
func (r *Rules) decode(h *Horizon, f consensus.Frame) opening {
	o := opening{author: f.From}
	if len(f.Bytes) == 0 || len(f.Bytes) > consensus.MaxFrame {
		o.reason = ReasonOversized
		if len(f.Bytes) == 0 {
			o.reason = ReasonMalformed
		}
		return o
	}
	if consensus.IsRequest(f.Bytes) {
		return r.decodeRequest(o, f)
	}
	if f.Bytes[0] == consensus.KindRead {
		q := r.door.OpenQuery(f)
		o.event, o.reason, o.refusal = q.Event, q.Reason, q.Refusal
		return o
	}
	if f.From.Kind == consensus.Topic || f.From.Kind == consensus.PeerClient {
		o.reason = ReasonNotAsked
		if f.From.Kind == consensus.PeerClient {
			o.reason = ReasonChannel
			o.refusal = &consensus.Refusal{Client: f.From.Key, Code: consensus.RefusedMalformed}
		}
		return o
	}
	m, err := r.decodeMessage(h, f, &o)
	if err != nil {
		o.reason = reasonOf(err)
	}
	o.event = consensus.Receive{From: f.From, Message: m}
	return o
}

// decodeRequest opens a client's request, whichever way it came.
func (r *Rules) decodeRequest(o opening, f consensus.Frame) opening {
	req, opened := r.door.OpenRequest(f)
	o.event, o.reason, o.refusal = opened.Event, opened.Reason, opened.Refusal
	if req != nil {
		o.request, o.claims = req, []crypto.Claim{req.Claim(r.Cluster)}
	}
	return o
}

// decodeMessage decodes a frame from a member or an observer. With a settled
// message it fills in o.reason and asks for no verification.
func (r *Rules) decodeMessage(h *Horizon, f consensus.Frame, o *opening) (any, error) {
	kind := Kind(f.Bytes[0])
	if f.From.Kind != consensus.PeerReplica && kind != FetchKind {
		return nil, fmt.Errorf("%s from %s: %w", kind, f.From, errChannel)
	}
	var err error
	switch kind {
	case Kind(consensus.KindClock):
		if c, err := consensus.DecodeClock(f.Bytes); err == nil {
			return c, nil
		}
	case PrePrepareKind:
		return r.decodePrePrepare(h, f, o)
	case PrepareKind, CommitKind, CheckpointKind:
		var v Vote
		if len(f.Bytes) != VoteSize {
			return nil, fmt.Errorf("%s of %d bytes: %w", kind, len(f.Bytes), consensus.ErrMalformed)
		}
		if v, err = r.decodeVote(f.Bytes); err != nil {
			return nil, err
		}
		o.author = consensus.ReplicaPeer(v.Replica)
		if o.reason = h.settled(&v); o.reason == "" {
			if h.believes(f.From, &v) {
				return &Said{v}, nil
			}
			o.claims = []crypto.Claim{r.claim(kind, v.Replica, f.Bytes[:voteBody], v.Sig)}
		}
		return &v, nil
	case ViewChangeKind, NewViewKind:
		return r.decodeViewMessage(h, f, o)
	case StatusKind:
		return decodeStatus(f.Bytes)
	case FetchKind:
		return decodeFetch(f.Bytes)
	case RejoinKind:
		return decodeRejoin(f.Bytes)
	case FetchReplyKind:
		var g *FetchReply
		g, o.claims, err = r.decodeFetchReply(f.Bytes)
		return g, err
	case RejoinAnswerKind:
		if h != nil && !h.Asleep {
			o.reason = ReasonSettled // a NEW-VIEW in it is not worth its signatures
			return nil, nil
		}
		var m *RejoinAnswer
		m, o.claims, err = r.decodeRejoinAnswer(f.Bytes)
		return m, err
	}
	return nil, fmt.Errorf("kind %d: %w", kind, errUnknownKind)
}

// decodePrePrepare checks all of a proposal that does not depend on a
// replica's position (PROTOCOL.md §4): digest, limits, authentic requests, no
// request twice.
func (r *Rules) decodePrePrepare(h *Horizon, f consensus.Frame, o *opening) (any, error) {
	v, err := r.decodeVote(f.Bytes)
	if err != nil {
		return nil, err
	}
	o.author = consensus.ReplicaPeer(v.Replica)
	if o.reason = h.settled(&v); o.reason != "" {
		return &PrePrepare{Vote: v}, nil
	}
	s := cryptobyte.String(f.Bytes[VoteSize:])
	b, err := r.readGivenBatch(&s, v.Digest)
	if err != nil {
		return nil, err
	}
	if !s.Empty() {
		return nil, fmt.Errorf("PRE-PREPARE: trailing bytes: %w", consensus.ErrMalformed)
	}
	if err := r.door.CheckBatch(b); err != nil {
		return nil, err
	}
	o.claims = append(make([]crypto.Claim, 0, 1+len(b.Requests)), r.claim(PrePrepareKind, v.Replica, f.Bytes[:voteBody], v.Sig))
	o.claims = r.batchClaims(o.claims, b)
	return &PrePrepare{Vote: v, Batch: b, Frame: f.Bytes}, nil
}

func (r *Rules) batchClaims(dst []crypto.Claim, b *consensus.Batch) []crypto.Claim {
	for _, req := range b.Requests {
		dst = append(dst, req.Claim(r.Cluster))
	}
	return dst
}

// decodeViewMessage opens VIEW-CHANGE and NEW-VIEW. Their nested signatures
// are many, so they are checked only if the message could still count.
func (r *Rules) decodeViewMessage(h *Horizon, f consensus.Frame, o *opening) (any, error) {
	if Kind(f.Bytes[0]) == ViewChangeKind {
		vc, err := r.decodeViewChange(f.Bytes)
		if err != nil {
			return nil, err
		}
		o.author = consensus.ReplicaPeer(vc.Replica)
		if h != nil && (vc.View < h.View || vc.View == h.View && !h.Changing) {
			o.reason = ReasonOldView
			return vc, nil
		}
		o.claims = r.viewChangeClaims(nil, vc)
		return vc, nil
	}
	nv, err := r.decodeNewView(f.Bytes)
	if err != nil {
		return nil, err
	}
	o.author = consensus.ReplicaPeer(nv.Replica)
	if h != nil && (nv.View < h.View || nv.View == h.View && !h.Changing) {
		o.reason = ReasonOldView
		return nv, nil
	}
	o.claims = r.newViewClaims(nil, nv)
	return nv, nil
}

// believes reports whether a vote may be handed on unverified: its author said
// it, and has not signed badly before. CHECKPOINTs are few.
func (h *Horizon) believes(from consensus.Peer, v *Vote) bool {
	return h != nil && v.Kind != CheckpointKind && from == consensus.ReplicaPeer(v.Replica) && !h.Liars.has(int(v.Replica))
}

// settled says why a vote can no longer matter, or "" if it may. Votes of one
// view ahead and a little above the window may matter soon (PROTOCOL.md §4).
func (h *Horizon) settled(v *Vote) consensus.Reason {
	if h == nil {
		return ""
	}
	if v.Seq <= h.Low {
		return ReasonSettled
	}
	if v.Kind == CheckpointKind {
		return ""
	}
	switch {
	case v.View < h.View:
		return ReasonOldView
	case v.View > h.View+1:
		return ReasonFarView
	case v.Seq-h.Low > 2*(h.High-h.Low):
		return ReasonWindow
	case v.View > h.View || h.Changing:
		return ""
	}
	i := int(v.Seq - h.Low - 1)
	if h.Committed.has(i) || v.Kind == PrepareKind && h.Prepared.has(i) {
		return ReasonSettled
	}
	return ""
}
