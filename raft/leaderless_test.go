package raft

import (
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
)

// A replica that has been without a leader for long tells clients so: what is
// new is not taken, what was taken before may yet be decided. With a leader in
// sight it takes requests again.
func TestWithoutALeaderClientsAreTold(t *testing.T) {
	ps, client, g := members(t)
	r := engineOf(t, ps[1], consensus.Recovered{Now: 1, Nonce: 1})
	via := consensus.ClientPeer(client.Public())
	request := func(counter uint64) *consensus.Request {
		return consensus.SignRequest(client, g.ID(), consensus.Sequence{Epoch: 1, Counter: counter}, [][]byte{[]byte("op")})
	}
	submit := func(q *consensus.Request) []consensus.Refusal {
		return r.Step(consensus.Burst{Now: 2, Events: []consensus.Event{consensus.Submit{Request: q, Via: via}}}).Refusals
	}
	early, late := request(1), request(2)
	if got := submit(early); len(got) != 0 {
		t.Fatalf("a replica that has just started refuses: %v", got)
	}
	told := 0
	for range 4 * r.cfg.Election {
		for _, x := range r.Step(consensus.Burst{Now: 3, Events: []consensus.Event{consensus.Tick{}}}).Refusals {
			if x.Request != early.Digest || x.Code != consensus.RefusedUndecided || x.Client != client.Public() {
				t.Fatalf("refusal %+v", x)
			}
			told++
		}
	}
	if told < 2 {
		t.Errorf("the client of a request that waits was told %d times that there is no majority", told)
	}
	if got := submit(late); len(got) != 1 || got[0].Code != consensus.RefusedNoLeader || r.requests.Len() != 1 {
		t.Errorf("a new request: %v, %d wait", got, r.requests.Len())
	}
	if got := submit(early); len(got) != 1 || got[0].Code != consensus.RefusedUndecided {
		t.Errorf("a request that waits, once more: %v", got)
	}
	// What another replica forwards is that one's to answer for.
	forwarded := consensus.Burst{Now: 4, Events: []consensus.Event{consensus.Submit{Request: request(3), Via: consensus.ReplicaPeer(2)}}}
	if out := r.Step(forwarded); len(out.Refusals) != 0 {
		t.Errorf("a forwarded request: %v", out.Refusals)
	}
	r.Step(consensus.Burst{Now: 5, Events: []consensus.Event{heartbeat(r)}})
	r.Step(consensus.Burst{Now: 5, Events: []consensus.Event{consensus.Tick{}}})
	if got := submit(request(4)); len(got) != 0 {
		t.Errorf("with a leader: %v", got)
	}
}

// heartbeat is a word of replica 0 as the leader of a later term.
func heartbeat(r *replica) consensus.Event {
	return consensus.Receive{From: consensus.ReplicaPeer(0), Message: &pb.Message{
		Type: pb.MsgHeartbeat, From: 1, To: id(r.id), Term: r.node.BasicStatus().Term + 1,
	}}
}
