package raft

import (
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
)

// A member that asks for the log a thousand times in a burst, in a few bytes
// each, is sent it a few times: a gigabyte would else wait to be sent.
func TestProvokedAppendsAreBounded(t *testing.T) {
	for name, m := range map[string]pb.Message{
		"heartbeats answered": {Type: pb.MsgHeartbeatResp, Term: 1},
		"entries refused":     {Type: pb.MsgAppResp, Term: 1, Reject: true},
	} {
		l := newLab(t, 3)
		l.elect(0)
		l.Sent = nil
		big := l.Numbered(1, string(make([]byte, 900<<10)))
		l.Submit(big, 0)
		l.Sent = nil
		l.say(1, 0, pb.Message{Type: pb.MsgAppResp, Term: 1, Index: 2, Reject: true}) // what was sent is lost
		l.Sent = nil
		known := l.Replicas[0].Engine.node.Status().Progress[2]
		m.Index = known.Next - 1
		var burst []consensus.Event
		for range 1000 {
			burst = append(burst, receive(1, 0, m))
		}
		out := l.Step(0, burst...)
		bytes := 0
		for _, s := range out.Early {
			bytes += len(s.Bytes)
		}
		if bytes > maxProvoked*(maxAppendBytes+1000) || bytes < 900<<10 {
			t.Errorf("%s: %d frames with %d bytes are sent", name, len(out.Early), bytes)
		}
		l.Sent = nil
		l.Ticks(20, l.All())
		l.WantExecuted(2, 0, 1, 2)
	}
}
