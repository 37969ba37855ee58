package evidence_test

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/pbft"
	"quorate.dev/quorate/pbft/message"
)

// play hands one side's frames to one honest replica and returns its
// transcript, what it executed, and with which certificates.
func play(t *testing.T, s *evidence.Scene, id consensus.ReplicaID, frames [][]byte) (transcript [][]byte, commits []consensus.Commit) {
	t.Helper()
	verifier := crypto.NewVerifier(nil)
	protocol, err := pbft.New(pbft.DefaultConfig(s.Rules.Genesis, id, s.Signers[id], verifier))
	if err != nil {
		t.Fatal(err)
	}
	var own []consensus.Record // what it has said in an earlier life: proposals of a primary, a VIEW-CHANGE
	for _, frame := range frames {
		if m, err := s.Rules.Decode(frame); err == nil {
			if nv, ok := m.(*message.NewView); ok {
				for _, vc := range nv.ViewChanges {
					if vc.Replica == id {
						own = append(own, consensus.Record{Bytes: vc.Frame})
					}
				}
			}
		}
		if signer, slot, err := evidence.Proposes(&s.Rules.Genesis, frame); err == nil && signer == id && slot > 0 {
			own = append(own, consensus.Record{Slot: slot, Bytes: frame})
			transcript = append(transcript, frame)
		}
	}
	engine, err := protocol.New(consensus.Recovered{Now: 1, Records: own})
	if err != nil {
		t.Fatal(err)
	}
	for _, frame := range frames {
		signer, _, err := evidence.Proposes(&s.Rules.Genesis, frame)
		if err != nil {
			t.Fatal(err)
		}
		if signer == id {
			continue // it will say so itself
		}
		o := protocol.Open(verifier, engine.Horizon(), []consensus.Frame{{From: consensus.ReplicaPeer(signer), Bytes: frame}})[0]
		if o.Event == nil {
			continue // settled already
		}
		transcript = append(transcript, frame)
		out := engine.Step(consensus.Burst{Now: 1, Events: []consensus.Event{o.Event}})
		for _, send := range out.Sends {
			transcript = append(transcript, send.Bytes)
		}
		for _, job := range out.Jobs {
			if c, ok := job.(consensus.Commit); ok {
				commits = append(commits, c)
			}
		}
	}
	return transcript, commits
}

// PROTOCOL.md §9: real replicas execute two histories, and what they have heard
// and said names the f+1 who made them do it, and nobody else. One transcript
// of each side is enough.
func TestDeceivedReplicasNameTheirDeceivers(t *testing.T) {
	for _, s := range evidence.Scenes(t) {
		t.Run(s.Name, func(t *testing.T) {
			all := evidence.NewInvestigator(&s.Rules.Genesis, nil)
			two := evidence.NewInvestigator(&s.Rules.Genesis, nil)
			for side := range s.Sides {
				first := true
				for _, id := range s.Sides[side] {
					if slices.Contains(s.Lied, id) {
						continue
					}
					transcript, commits := play(t, &s, id, s.Frames[side])
					if len(commits) != 1 || commits[0].Seq != 1 || commits[0].Digest != s.Batches[side] {
						t.Fatalf("replica %d executes %v", id, commits)
					}
					for _, frame := range transcript {
						all.Frame(frame)
						if first {
							two.Frame(frame)
						}
					}
					if first {
						two.Certificates(commits[0].Certificate)
					}
					first = false
				}
			}
			for name, i := range map[string]*evidence.Investigator{"all": all, "two": two} {
				if got := i.Culprits(); !slices.Equal(got, s.Lied) {
					t.Errorf("by the transcripts of %s: culprits %v, want %v", name, got, s.Lied)
				}
				if got := i.Conflicts(); len(got) != 1 || got[0].Seq != 1 {
					t.Errorf("by the transcripts of %s: conflicts %v", name, got)
				}
			}
		})
	}
}
