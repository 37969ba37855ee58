package consensus

import "quorate.dev/quorate/crypto"

// The reasons for which Members refuses a frame, beside those of Door.
const (
	ReasonOversized Reason = "frame over the limit"
	ReasonTopic     Reason = "from the topic only requests are taken"
	ReasonUnsigned  Reason = "batch holds a request that is not authentic"
)

// Members opens frames for protocols whose members believe each other: what one says
// is authentic by its channel, and what is verified are the clients' signatures, in
// what members say as well as in requests. Read-only once made.
type Members struct {
	Door
	Fetch byte // the kind that observers may send as well
	// Open decodes what one member says, and lists the signatures in it. A reason
	// refuses the frame.
	Open func(Frame) (message any, claims []crypto.Claim, why Reason)
}

// opening is a frame between decoding and verification.
type opening struct {
	Opened
	request *Request // of a frame that is one
}

// OpenAll opens frames, with all their signatures at once. Safe to call concurrently
// if v is.
func (d *Members) OpenAll(v crypto.Verifier, in []Frame) []Opened {
	openings := make([]opening, len(in))
	claims := make([][]crypto.Claim, len(in))
	for i, f := range in {
		openings[i], claims[i] = d.open(f)
	}
	out := make([]Opened, len(in))
	for i, bad := range crypto.FirstFalse(v, claims) {
		o := &openings[i]
		switch {
		case bad < 0 || o.Event == nil:
		case o.request != nil:
			o.Opened = d.Denied(in[i], o.request)
		default:
			o.Opened = blamed(ReasonUnsigned)
		}
		out[i] = o.Opened
	}
	return out
}

func blamed(why Reason) Opened { return Opened{Reason: why, Blame: true} }

// open decodes one frame and lists what has to be verified of it.
func (d *Members) open(f Frame) (opening, []crypto.Claim) {
	switch {
	case len(f.Bytes) == 0:
		return opening{Opened: blamed(ReasonMalformed)}, nil
	case len(f.Bytes) > MaxFrame:
		return opening{Opened: blamed(ReasonOversized)}, nil
	case IsRequest(f.Bytes):
		req, o := d.OpenRequest(f)
		if req == nil {
			return opening{Opened: o}, nil
		}
		return opening{Opened: o, request: req}, []crypto.Claim{req.Claim(d.Cluster)}
	case f.Bytes[0] == KindRead:
		return opening{Opened: d.OpenQuery(f)}, nil
	case f.From.Kind == Topic:
		return opening{Opened: blamed(ReasonTopic)}, nil
	case f.From.Kind == PeerClient:
		o := blamed(ReasonChannel)
		o.Refusal = &Refusal{Client: f.From.Key, Code: RefusedMalformed}
		return opening{Opened: o}, nil
	case f.From.Kind != PeerReplica && f.Bytes[0] != d.Fetch:
		return opening{Opened: blamed(ReasonChannel)}, nil
	}
	m, claims, why := d.Open(f)
	if why != "" {
		return opening{Opened: blamed(why)}, nil
	}
	return opening{Opened: Opened{Event: Receive{From: f.From, Message: m}}}, claims
}
