package raft

import (
	"slices"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/enginetest"
)

// lab moves replicas by hand. A test may say anything in a member's name.
type lab struct {
	*enginetest.Lab[*replica]
}

type (
	desk  = enginetest.Replica[*replica]
	frame = enginetest.Frame
)

const labTick = enginetest.Tick

var only = enginetest.Only

func newLab(t testing.TB, n int, change ...func(*Config)) *lab {
	l := &lab{enginetest.New[*replica](t, "raft", n)}
	l.Genesis.Limits.BatchRequests, l.SameView = 4, true
	l.Open(func(i int) (consensus.Protocol, error) {
		c := DefaultConfig(l.Genesis, consensus.ReplicaID(i))
		c.Election, c.Heartbeat, c.Pipeline, c.CheckEachStep = 10, 2, 4, true
		for _, f := range change {
			f(&c)
		}
		return New(c)
	})
	return l
}

// say lets a member say one of the library's messages to another.
func (l *lab) say(from, to int, m pb.Message) consensus.Reason {
	m.From, m.To = uint64(from+1), uint64(to+1)
	return l.Give(to, consensus.ReplicaPeer(consensus.ReplicaID(from)), EncodeMessage(&m))
}

// elect lets time pass at one replica only, until it leads.
func (l *lab) elect(i int, keep ...func(frame) bool) {
	l.T.Helper()
	for range 60 {
		if l.Replicas[i].Engine.leading() {
			l.Deliver(keep...)
			return
		}
		l.Ticks(1, []int{i}, keep...)
	}
	l.T.Fatalf("R%d is not elected: %+v", i, l.Replicas[i].Engine.Status())
}

// agree lets n requests be executed by way of replica i.
func (l *lab) agree(i, n int, keep ...func(frame) bool) {
	for range n {
		l.Submit(l.Request(), i)
		l.Deliver(keep...)
	}
}

func (l *lab) leader() int {
	for i, d := range l.Replicas {
		if d.Up && d.Engine.leading() {
			return i
		}
	}
	return -1
}

func (l *lab) term(i int) uint64 { return l.Replicas[i].Engine.node.BasicStatus().Term }

// heard are the library's messages of one kind that wait to be delivered.
func (l *lab) heard(kind pb.MessageType) (list []*pb.Message) {
	for _, m := range l.Sent {
		if m.Bytes[0] != MessageKind {
			continue
		}
		if p, err := DecodeMessage(m.Bytes); err == nil && p.Type == kind {
			list = append(list, p)
		}
	}
	return list
}

// asked are the jobs of one type that a replica has put out.
func asked[J consensus.Job](d *desk) (list []J) {
	for _, j := range d.AllJobs {
		if j, ok := j.(J); ok {
			list = append(list, j)
		}
	}
	return list
}

// without loses the library's messages of these kinds.
func without(kinds ...pb.MessageType) func(frame) bool {
	return func(m frame) bool {
		p, err := DecodeMessage(m.Bytes)
		return err != nil || !slices.Contains(kinds, p.Type)
	}
}
