package consensus

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/crypto"
)

// Reasons for which every protocol's Open refuses a client's frame.
const (
	ReasonMalformed Reason = "malformed"
	ReasonSignature Reason = "bad signature"
	ReasonChannel   Reason = "not valid from this channel"
	ReasonRefused   Reason = "request refused"
)

// ErrBatch is what CheckBatch wraps: a batch that no honest primary makes.
var ErrBatch = errors.New("batch breaks a limit or repeats a request")

// Door judges what clients say by the genesis alone. It is what the Opens of
// all protocols share. Read-only once made.
type Door struct {
	Genesis *Genesis
	Roles   Roles
	Cluster crypto.Digest
}

// NewDoor makes the door of a cluster.
func NewDoor(g *Genesis) Door { return Door{Genesis: g, Roles: g.Roles(), Cluster: g.ID()} }

// OpenRequest judges a frame of KindRequest, whichever way it came, by all but
// its signature. With an Event, the claim of the request is still to be
// verified; if that fails, Denied says what becomes of the frame. A client's
// channel carries that client's requests only.
func (d *Door) OpenRequest(f Frame) (*Request, Opened) {
	direct := f.From.Kind == PeerClient
	req, err := DecodeRequest(f.Bytes)
	if err != nil {
		o := Opened{Reason: ReasonMalformed, Blame: true}
		if direct {
			o.Refusal = &Refusal{Client: f.From.Key, Code: RefusedMalformed}
		}
		return nil, o
	}
	if f.From.Kind == PeerObserver || direct && f.From.Key != req.Client {
		return nil, Opened{Reason: ReasonChannel, Blame: true}
	}
	if code := d.Genesis.CheckRequest(d.Roles, req); code != 0 {
		return nil, d.deny(f, req, ReasonRefused, code)
	}
	via := f.From
	if via.Kind != PeerReplica {
		via = ClientPeer(req.Client)
	}
	return req, Opened{Event: Submit{Via: via, Request: req}}
}

// Denied is what becomes of a request whose signature is bad.
func (d *Door) Denied(f Frame, req *Request) Opened {
	return d.deny(f, req, ReasonSignature, RefusedSignature)
}

// deny refuses a request. Before the signature is proven, only the owner of
// the channel may be answered: a refusal sent to whom a forged request names
// would let strangers speak to other clients in a replica's voice.
func (d *Door) deny(f Frame, req *Request, reason Reason, code RefusalCode) Opened {
	o := Opened{Reason: reason, Blame: true}
	if f.From.Kind == PeerClient {
		o.Refusal = &Refusal{Client: req.Client, Request: req.Digest, Sequence: req.Sequence, Code: code}
	}
	return o
}

// CheckBatch judges a batch by the genesis alone: size, number, each request's
// limits and client, and no request twice. Its errors wrap ErrBatch. Of the
// signatures it says nothing.
func (d *Door) CheckBatch(b *Batch) error {
	l := &d.Genesis.Limits
	if len(b.Requests) > l.BatchRequests || len(b.Requests) > 1 && b.Size() > l.BatchBytes {
		return fmt.Errorf("%d requests, %d bytes: %w", len(b.Requests), b.Size(), ErrBatch)
	}
	type id struct {
		client crypto.PublicKey
		seq    Sequence
	}
	seen := make(map[id]bool, len(b.Requests))
	for _, req := range b.Requests {
		k := id{req.Client, req.Sequence}
		if seen[k] {
			return fmt.Errorf("request of %s twice: %w", req.Client.Short(), ErrBatch)
		}
		seen[k] = true
		if code := d.Genesis.CheckRequest(d.Roles, req); code != 0 {
			return fmt.Errorf("request of %s: %s: %w", req.Client.Short(), code, ErrBatch)
		}
	}
	return nil
}
