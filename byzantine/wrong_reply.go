package byzantine

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// unfairness is toward clients.
func unfairness() []Profile {
	return []Profile{
		{
			Name: "censor", Group: "P-CENSOR", AtF: SafeLive, AtF1: MayStop, AtCrash: MayStop,
			Sentence: "ignores the requests of some clients", Params: []Param{client},
			Needs: Primary, Intercept: newCensor,
		},
		{
			Name: "lie", Aliases: []string{"wrong-reply"}, Group: "R-LIE", AtF: SafeLive, AtF1: Deceives, AtCrash: MayDeceive,
			Sentence: "sends clients wrong replies, the same as every other traitor",
			Params:   []Param{{"how", "result", OneOf(wrongReplyWays)}, client},
			Needs:    Election, Drawn: []string{"", "seq", "view", "replica", "sequence", "request", "withheld"}, replies: newWrongReply, findings: newWrongFinding,
		},
	}
}

// wrongReplies are the ways to answer a client wrongly. Each is a function of the true
// reply alone, so that those who lie the same way lie the same.
var wrongReplies = map[string]func(consensus.Reply) consensus.Reply{
	"result":   wrongResults,
	"seq":      func(r consensus.Reply) consensus.Reply { r.Seq++; return r },
	"view":     func(r consensus.Reply) consensus.Reply { r.View += 7; return r },
	"replica":  func(r consensus.Reply) consensus.Reply { r.Replica++; return r },
	"sequence": func(r consensus.Reply) consensus.Reply { r.Sequence.Counter++; return r },
	"request":  func(r consensus.Reply) consensus.Reply { r.Request[0] ^= 1; return r },
}

// wrongResults turns what was done into something else: the last byte of the
// data is another, and where there are no data there are some.
func wrongResults(r consensus.Reply) consensus.Reply {
	r.Results = slices.Clone(r.Results)
	for i := range r.Results {
		d := slices.Clone(r.Results[i].Data)
		if len(d) == 0 {
			d = []byte{1}
		} else {
			d[len(d)-1] ^= 1
		}
		r.Results[i].Data = d
	}
	return r
}

// wrongReplyWays lists the ways, in order, and the one that is silence.
var wrongReplyWays = []string{"result", "seq", "view", "replica", "sequence", "request", "withheld"}

func newWrongReply(e *Env, s Spec) (replyFunc, error) {
	how, err := s.Word("", wrongReplyWays...)
	if err != nil {
		return nil, err
	}
	meant, err := s.Clients(e, "client")
	if err != nil {
		return nil, err
	}
	return func(rs []consensus.Reply) []consensus.Reply {
		var said []consensus.Reply
		for _, r := range rs {
			switch {
			case !meant(r.Client):
				said = append(said, r)
			case how != "withheld":
				said = append(said, wrongReplies[how](r))
			}
		}
		return said
	}, nil
}

// newWrongFinding is the same lie to those who read without an order, as far as
// it can be told to them.
func newWrongFinding(e *Env, s Spec) (findingFunc, error) {
	how, err := s.Word("", wrongReplyWays...)
	if err != nil {
		return nil, err
	}
	if how != "result" && how != "withheld" {
		return func(fs []consensus.Finding) []consensus.Finding { return fs }, nil
	}
	meant, err := s.Clients(e, "client")
	return misreading(how, meant), err
}

// censor knows nothing of some clients' requests.
type censor struct {
	meant func(crypto.PublicKey) bool
}

func newCensor(e *Env, s Spec) (Interceptor, error) {
	meant, err := s.Clients(e, "")
	return &censor{meant: meant}, err
}

func (c *censor) Incoming(b *consensus.Burst, _ int) {
	b.Events = slices.DeleteFunc(b.Events, func(e consensus.Event) bool {
		s, ok := e.(consensus.Submit)
		return ok && c.meant(s.Request.Client)
	})
}

// Outgoing keeps it from passing on what it proposed before it became a traitor.
func (c *censor) Outgoing(_ *consensus.Burst, m *Outbox) {
	m.Messages = slices.DeleteFunc(m.Messages, func(l Outbound) bool {
		if !consensus.IsRequest(l.Bytes) {
			return false
		}
		r, err := consensus.DecodeRequest(l.Bytes)
		return err == nil && c.meant(r.Client)
	})
}
