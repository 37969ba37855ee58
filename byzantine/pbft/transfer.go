package pbft

import (
	"bytes"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// transferProfiles are told to those who are behind.
func transferProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "poison-transfer", Group: "ST-POISON", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence: "serves bad states, and reports that it is ahead of everybody",
			Params:   byzantine.How("bytes, items (not asked for), claims (what it lacks), crumbs, silence, height, any", "any", "how"),
			Needs:    byzantine.Fetch, Intercept: stateful(poisonTransfer),
		},
		{
			Name: "fetch-flood", Group: "FLOOD", AtF: byzantine.SafeSlow, AtF1: byzantine.SafeSlow,
			Sentence: "requests everything from everybody, over and over, and reports that it is behind",
			Params:   []byzantine.Param{{Name: "each", Default: "16", Help: "FETCHes for each of the others in each tick"}},
			Drawn:    []string{"1", "1", "12"}, Intercept: stateful(fetchFlood),
		},
		{
			Name: "rejoin-lies", Group: "ST-POISON", AtF: byzantine.SafeSlow, AtF1: byzantine.MayStop,
			Sentence: "reports again and again that it has lost its disk, and misleads replicas that did lose theirs",
			Needs:    byzantine.Fetch, Intercept: eachStep(rejoinLies),
		},
	}
}

// alterParts changes the parts of a state that the engine gives. f gets what
// was to go out, and what the asker asked for last.
func (t *step) alterParts(f func(parts []consensus.Part, asked []consensus.Item) []consensus.Part) {
	alterOwn(t, func(to consensus.ReplicaID, g *message.FetchReply) ([][]byte, bool) {
		if g.What != message.WhatParts {
			return nil, false
		}
		w := *g
		w.Parts, w.Gone = f(g.Parts, t.asked[to]), false
		return [][]byte{w.Encode()}, true
	}, message.FetchReplyKind)
}

// learnFetch remembers what parts each replica has asked for last.
func (s *seen) learnFetch(from consensus.Peer, f *message.Fetch) {
	if f.What == message.WhatParts && from.Kind == consensus.PeerReplica {
		s.asked[from.Replica] = f.Items
	}
}

func spoilParts(parts []consensus.Part) []consensus.Part {
	bad := make([]consensus.Part, len(parts))
	for i, p := range parts {
		bad[i] = consensus.Part{ID: p.ID, Bytes: append(bytes.Clone(p.Bytes), 0xbd)}
	}
	return bad
}

var transferLies = []string{"bytes", "items", "claims", "crumbs", "silence", "height"}

// poisonTransfer serves states badly: other bytes, other parts than asked for,
// parts of states that it lacks, a crumb at a time, nothing at all; and reports
// that it is further than anybody can be.
func poisonTransfer(l *lie, s *byzantine.Spec) error {
	how, err := s.Word("", append([]string{"any"}, transferLies...)...)
	turn := uint64(0)
	l.act = func(t *step) {
		t.alterParts(func(parts []consensus.Part, asked []consensus.Item) []consensus.Part {
			turn++
			switch byzantine.InTurn(how, transferLies, turn) {
			case "items":
				return []consensus.Part{{ID: "never asked for", Bytes: []byte("poison")}}
			case "claims":
				return inventParts(asked)
			case "crumbs":
				return parts[:min(1, len(parts))]
			case "silence":
				return nil
			case "height":
				return parts
			}
			if len(parts) == 0 {
				return inventParts(asked)
			}
			return spoilParts(parts)
		})
		if how == "any" || how == "height" {
			t.alterStatus(func(st *message.Status) { st.Low, st.Executed = st.Low+1<<40, st.Executed+1<<40 })
		}
	}
	return err
}

// inventParts makes a part for each item that was asked for.
func inventParts(asked []consensus.Item) []consensus.Part {
	var parts []consensus.Part
	for _, it := range asked {
		parts = append(parts, consensus.Part{ID: it.ID, Bytes: []byte("poison")})
	}
	return parts
}

// alterStatus changes the engine's own STATUS frames.
func (t *step) alterStatus(f func(*message.Status)) {
	alterOwn(t, func(_ consensus.ReplicaID, st *message.Status) ([][]byte, bool) {
		w := *st
		f(&w)
		return [][]byte{w.Encode()}, true
	}, message.StatusKind)
}

// fetchFlood requests everything that there is, over and over, and reports that
// it lacks it.
func fetchFlood(l *lie, s *byzantine.Spec) error {
	most, err := s.Number("", 1, 1024)
	l.act = func(t *step) {
		t.alterStatus(func(st *message.Status) { st.Low, st.Executed, st.Slots = 0, 0, nil })
		if !t.Act || !t.every(1, t.burst) {
			return
		}
		asks := t.asks()
		for i := range most {
			t.sayAll(asks[i%len(asks)])
		}
	}
	return err
}

// asks are FETCHes for what others are sure to have.
func (s *seen) asks() [][]byte {
	var frames [][]byte
	add := func(f message.Fetch) { frames = append(frames, f.Encode()) }
	for _, d := range s.decided {
		if d.batch != nil {
			add(message.Fetch{What: message.WhatBatch, Seq: d.seq, Digest: d.digest})
		}
		add(message.Fetch{What: message.WhatCommitted, Seq: d.seq})
	}
	add(message.Fetch{What: message.WhatCheckpoint})
	add(message.Fetch{What: message.WhatView})
	if s.stable != nil {
		add(message.Fetch{What: message.WhatParts, Seq: s.stable.Seq, Digest: s.stable.Digest, Items: []consensus.Item{{ID: "", Hash: s.stable.Digest}}})
	}
	return frames
}

// alterAnswers changes the answers to those who rejoin.
func (t *step) alterAnswers(f func(*message.RejoinAnswer)) {
	alterOwn(t, func(_ consensus.ReplicaID, a *message.RejoinAnswer) ([][]byte, bool) {
		w := *a
		f(&w)
		return [][]byte{w.Encode()}, true
	}, message.RejoinAnswerKind)
}

// rejoinLies reports again and again that it has lost its disk, has others fill
// slots and leave views for it, and answers those who did lose theirs with views
// of the far future and no checkpoint.
func rejoinLies(t *step) {
	t.alterAnswers(func(a *message.RejoinAnswer) {
		a.Amnesiac, a.View, a.Checkpoint, a.NewView, a.Yours = false, message.MaxView, nil, nil, nil
	})
	t.alterStatus(func(st *message.Status) { st.Rejoining, st.Target = true, t.low+100*t.Rules.Genesis.Window })
	if !t.Act || !t.every(t.env.Patience/4, t.burst) {
		return
	}
	m := message.Rejoin{Nonce: t.dice.Uint64()}
	t.sayAll(m.Encode(), t.leave(t.view+2, t.self, t.stable).Frame)
}
