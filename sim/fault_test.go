package sim

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// withFault is a quiet cluster of Raft with one fault at a fixed moment.
func withFault(n int, f Fault) Config {
	c := WithoutTraitors(1)
	c.Hazards, c.Flood = nil, false
	c.Network = NetworkModel{Delay: Millisecond, Jitter: Millisecond}
	c = c.crashFaults(protocol.Raft)
	c.Replicas, c.Trust, c.Faults = n, Trust{}, []Fault{f}
	return c
}

// TestApart: those who are apart do not reach each other, and everybody else.
func TestApart(t *testing.T) {
	pairs := map[[2]string]bool{}
	began := false
	c := withFault(5, Fault{At: Second, Lasts: Second, Kind: FaultApart, Replicas: []consensus.ReplicaID{1, 2, 3}})
	c.Watch = func(s Step) {
		switch {
		case s.Kind == StepFault:
			began = !began
		case began && s.Kind == StepDeliver:
			pairs[[2]string{s.From, s.To}] = true
		}
	}
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if r := w.Run(); !r.Live || len(r.Violations) > 0 {
		t.Errorf("live %v, %v", r.Live, r.Violations)
	}
	if pairs[[2]string{"R1", "R2"}] || pairs[[2]string{"R3", "R1"}] || len(pairs) == 0 {
		t.Errorf("who reached whom: %v", pairs)
	}
}

// TestLostProposal: the first proposal after the beginning reaches nobody until the
// fault ends, however often it is sent, and nothing else is lost.
func TestLostProposal(t *testing.T) {
	var came, sent int
	var slot consensus.Seq
	lasts := Second / 10
	c := withFault(3, Fault{At: Second, Lasts: lasts, Kind: FaultLostProposal, Replicas: []consensus.ReplicaID{0, 1, 2}})
	var w *World
	c.Watch = func(s Step) {
		if s.At < Second || s.At > Second+lasts || s.Kind != StepSend && s.Kind != StepDeliver {
			return
		}
		said, ok := w.codec.Summary(s.Frame)
		if !ok || said.Topic != protocol.Proposal || said.Seq == 0 {
			return
		}
		if slot == 0 && s.Kind == StepSend {
			slot = said.Seq
		}
		switch {
		case s.Kind == StepSend:
			sent++
		case said.Seq == slot:
			came++
		}
	}
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if r := w.Run(); !r.Live || len(r.Violations) > 0 {
		t.Errorf("live %v, %v", r.Live, r.Violations)
	}
	if slot == 0 || came > 0 || sent == 0 {
		t.Errorf("slot %d: sent %d times, came %d times", slot, sent, came)
	}
}
