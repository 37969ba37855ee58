package check

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// story is a small real run as its four replicas and one client wrote it down:
// every process has executed for itself.
type story struct {
	*run
	logs     [][]Entry // by replica, then the client's
	machines []*app.Machine
	batches  []*consensus.Batch
	now      consensus.Time
	calls    uint64
}

// tell makes the story of the given operations, one call after the other, each
// in a batch of its own.
func tell(t *testing.T, ops ...[]byte) *story {
	t.Helper()
	s := &story{run: newRun(t), logs: make([][]Entry, 5), now: 1e9}
	for id := range s.signers {
		m, err := app.Open(state.NewMemory(), kv.Store{}, s.Rules.Genesis, app.Options{Replica: consensus.ReplicaID(id)})
		if err != nil {
			t.Fatal(err)
		}
		s.machines = append(s.machines, m)
		s.write(id, Entry{Kind: EntryStarted})
	}
	for _, op := range ops {
		s.call(t, op)
	}
	return s
}

const clientLog = 4

// write appends to a process's log, a moment later.
func (s *story) write(log int, e Entry) {
	s.now++
	e.At = s.now
	s.logs[log] = append(s.logs[log], e)
}

func (s *story) call(t *testing.T, op []byte) {
	t.Helper()
	s.calls++
	s.write(clientLog, Entry{Kind: EntryInvoked, Number: s.calls, Bytes: op})
	b := &consensus.Batch{Stamp: consensus.Time(s.calls), Requests: []*consensus.Request{s.request(0, op)}}
	s.batches = append(s.batches, b)
	seq := consensus.Seq(len(s.batches))
	everyone := consensus.Peer{Kind: consensus.Everyone}
	for id := range s.machines {
		s.write(id, Entry{Kind: EntrySent, Peer: everyone, Bytes: s.vote(message.CommitKind, consensus.ReplicaID(id), 0, seq, b.Digest())})
	}
	var reply consensus.Reply
	for id := range s.machines {
		reply = s.execute(t, id, seq, b)
	}
	s.write(clientLog, Entry{Kind: EntryReturned, Number: s.calls, Seq: seq, Result: reply.Results[0]})
}

// execute has one replica commit and execute a batch, and answer.
func (s *story) execute(t *testing.T, id int, seq consensus.Seq, b *consensus.Batch) consensus.Reply {
	t.Helper()
	c := consensus.Commit{Seq: seq, Digest: b.Digest(), Batch: b}
	s.write(id, Entry{Kind: EntryCommitted, Seq: seq, Digest: c.Digest, Batch: b, Bytes: s.certificate(seq, c.Digest, 0, 1, 2).Encode()})
	out, err := s.machines[id].Do(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range out.Events {
		if e, ok := e.(consensus.Rooted); ok {
			s.write(id, Entry{Kind: EntryRoot, Seq: e.Seq, Digest: e.Root})
		}
	}
	s.write(id, Entry{Kind: EntrySent, Peer: consensus.ClientPeer(out.Replies[0].Client), Bytes: out.Replies[0].Encode()})
	return out.Replies[0]
}

// find is the first entry of a log of a kind that holds.
func (s *story) find(log int, k EntryKind, holds func(*Entry) bool) *Entry {
	for i := range s.logs[log] {
		if e := &s.logs[log][i]; e.Kind == k && (holds == nil || holds(e)) {
			return e
		}
	}
	panic(fmt.Sprintf("log %d has no such entry of kind %d", log, k))
}

// files are the logs in bytes. A log of nothing is left out.
func (s *story) files(t *testing.T) []Log {
	t.Helper()
	var list []Log
	for i, entries := range s.logs {
		if len(entries) == 0 {
			continue
		}
		h := Header{Cluster: s.Cluster, Replica: consensus.ReplicaID(i), Life: 1}
		if i == clientLog {
			h.Client, h.Replica, h.Key = true, 0, s.clients[0].Public()
		}
		list = append(list, Log{Name: fmt.Sprintf("log-%d", i), From: bytes.NewReader(logOf(t, h, entries...))})
	}
	return list
}

func (s *story) judge(t *testing.T, suspects ...consensus.ReplicaID) Verdict {
	t.Helper()
	v, err := Replay(Case{Genesis: s.Rules.Genesis, Application: kv.Store{}, Suspects: suspects, Model: Store()}, s.files(t))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var tale = [][]byte{putA, get, putB, get, kv.Delete([]byte("k")), get, kv.CompareAndSwap([]byte("k"), kv.None, kv.Some([]byte("c"))), get}

func TestReplayOfAGoodRun(t *testing.T) {
	v := tell(t, tale...).judge(t)
	if !v.Safe() || v.Linearizable != Yes || v.Executed != 8 || len(v.Culprits) > 0 {
		t.Errorf("%+v", v)
	}
}

// Each thing that can be wrong with a run shows in its logs.
func TestReplayBites(t *testing.T) {
	isReply := func(e *Entry) bool { return e.Bytes[0] == consensus.KindReply }
	for _, c := range []struct {
		name     string
		suspects []consensus.ReplicaID
		change   func(*story)
		want     []Kind
		linear   Answer
	}{
		{"a root that execution does not give", nil, func(s *story) {
			for id := range 4 {
				s.find(id, EntryRoot, nil).Digest = digestA
			}
		}, []Kind{Divergence}, Yes},
		{"a reply that execution does not give", nil, func(s *story) {
			for id := range 4 {
				e := s.find(id, EntrySent, isReply)
				e.Bytes = bytes.Clone(e.Bytes)
				e.Bytes[len(e.Bytes)-1] ^= 1
			}
		}, []Kind{Divergence}, Yes},
		{"a fork", nil, func(s *story) {
			e := s.find(2, EntryCommitted, func(e *Entry) bool { return e.Seq == 3 })
			e.Digest, e.Batch, e.Bytes = consensus.NullDigest, nil, nil
		}, []Kind{Fork}, Yes},
		{"a suspect's fork", []consensus.ReplicaID{2}, func(s *story) {
			e := s.find(2, EntryCommitted, func(e *Entry) bool { return e.Seq == 3 })
			e.Digest, e.Batch, e.Bytes = consensus.NullDigest, nil, nil
		}, nil, Yes},
		{"a fork of certificates, told by one witness", []consensus.ReplicaID{0, 3}, func(s *story) {
			for _, id := range []consensus.ReplicaID{0, 2, 3} {
				s.write(1, Entry{Kind: EntryReceived, Peer: consensus.ReplicaPeer(0), Bytes: s.vote(message.CommitKind, id, 0, 9, digestA)})
			}
			s.write(1, Entry{Kind: EntryNote, Note: &consensus.Note{Kind: consensus.EnteredView}})
			given := message.FetchReply{What: message.WhatCommitted, Seq: 9, Digest: digestB, Certificate: s.certificate(9, digestB, 0, 1, 3)}
			s.write(1, Entry{Kind: EntryReceived, Peer: consensus.ReplicaPeer(3), Bytes: given.Encode()})
		}, []Kind{Fork}, Yes},
		{"a request that nobody signed", nil, func(s *story) {
			b := s.batches[0]
			raw := bytes.Clone(b.Requests[0].Raw)
			raw[len(raw)-1] ^= 1
			q, err := consensus.DecodeRequest(raw)
			if err != nil {
				panic(err)
			}
			forged := batchOf(q)
			for id := range 4 {
				e := s.find(id, EntryCommitted, nil)
				e.Batch, e.Digest, e.Bytes = forged, forged.Digest(), nil
				s.logs[id] = slices.DeleteFunc(s.logs[id], func(e Entry) bool { return e.Kind == EntryRoot })
			}
			s.logs[clientLog] = nil
		}, []Kind{Fork, Validity}, Unknown},
		{"two promises", nil, func(s *story) {
			s.write(1, Entry{Kind: EntryStarted})
			s.write(1, Entry{Kind: EntrySent, Peer: consensus.ReplicaPeer(0), Bytes: s.vote(message.CommitKind, 1, 0, 1, digestB)})
		}, []Kind{Contradiction, Framed}, Yes},
		{"a client believes what nobody answered", nil, func(s *story) {
			s.find(clientLog, EntryReturned, func(e *Entry) bool { return e.Seq == 2 }).Result = app.OK([]byte(record(1, "b")))
		}, []Kind{Deceived, Nonlinear}, No},
		{"a client believes of a height what nobody executed", nil, func(s *story) {
			s.find(clientLog, EntryReturned, func(e *Entry) bool { return e.Seq == 2 }).Seq = 70
		}, []Kind{Deceived}, Yes},
		{"a read without an order", nil, readAs(3, record(3, "b")), nil, Yes},
		{"... of what is there no more", nil, readAs(3, record(1, "a")), []Kind{Deceived, Nonlinear}, No},
		{"... of what was never there", nil, readAs(5, record(7, "x")), []Kind{Deceived, Nonlinear}, No},
		{"... of what is asked for later", nil, readAs(1, record(3, "b")), []Kind{Deceived, Nonlinear}, No},
		{"... of the past, in the future", nil, readAs(8, record(3, "b")), []Kind{Deceived, Nonlinear}, No},
		{"... of a height that nobody has, and right", nil, func(s *story) {
			readAs(3, record(3, "b"))(s)
			s.find(clientLog, EntryFound, nil).Seq = 1 << 62
		}, nil, Yes},
		{"... that was wrong, of batches that nobody told of", nil, func(s *story) {
			readAs(3, record(1, "a"))(s)
			for id := range 4 {
				s.logs[id] = slices.DeleteFunc(s.logs[id], func(e Entry) bool { return e.Kind == EntryCommitted && e.Seq == 1 })
			}
		}, nil, Unknown},
		{"... when all logs have ended", nil, func(s *story) {
			s.write(clientLog, Entry{Kind: EntryInvoked, Number: 99, Bytes: get})
			s.write(clientLog, Entry{Kind: EntryReturned, Number: 99, Seq: 9, Result: app.OK([]byte(record(7, "c")))})
		}, nil, Yes},
		{"a gap", nil, func(s *story) {
			s.logs[3] = slices.DeleteFunc(s.logs[3], func(e Entry) bool { return e.Kind == EntryCommitted && e.Seq == 4 })
		}, []Kind{Divergence}, Yes},
		{"a restart from the disk", nil, func(s *story) {
			s.write(3, Entry{Kind: EntryStarted, Seq: 6})
			s.write(3, *s.find(3, EntryCommitted, func(e *Entry) bool { return e.Seq == 7 }))
		}, nil, Yes},
		{"a restored root", nil, func(s *story) { s.write(3, Entry{Kind: EntryRestored, Seq: 2, Digest: digestA}) }, []Kind{Divergence}, Yes},
		{"evidence against the honest", nil, func(s *story) {
			s.write(0, Entry{Kind: EntryNote, Note: &consensus.Note{Kind: consensus.EvidenceNote, Replica: 1}})
		}, []Kind{Framed}, Yes},
		{"only some logs", nil, func(s *story) { s.logs[0], s.logs[3] = nil, nil }, nil, Yes},
		{"only the client's", nil, func(s *story) { s.logs = [][]Entry{nil, nil, nil, nil, s.logs[clientLog]} }, nil, Yes},
		{"beginnings that were dropped", nil, func(s *story) {
			for id := range 4 {
				s.logs[id] = s.logs[id][len(s.logs[id])/2:]
			}
		}, nil, Yes},
		{"digests only", nil, func(s *story) {
			for id := range 4 {
				for i := range s.logs[id] {
					s.logs[id][i].Batch = nil
				}
			}
		}, nil, Yes},
		{"digests only, and a fork", []consensus.ReplicaID{0, 3}, func(s *story) {
			for id := range 4 {
				for i := range s.logs[id] {
					s.logs[id][i].Batch = nil
				}
			}
			e := s.find(2, EntryCommitted, nil)
			e.Digest, e.Bytes = digestB, s.certificate(1, digestB, 0, 2, 3).Encode()
		}, []Kind{Fork, Framed}, Yes},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tell(t, tale...)
			c.change(s)
			v := s.judge(t, c.suspects...)
			if got := v.kinds(); !slices.Equal(got, c.want) || v.Linearizable != c.linear {
				t.Errorf("got %v, %s, want %v, %s: %v", got, v.Linearizable, c.want, c.linear, v.Violations)
			}
			if v.Forked && len(c.suspects) == 2 && !slices.Contains(v.Culprits, 0) {
				t.Errorf("culprits %v", v.Culprits)
			}
		})
	}
}

// readAs has the client read k without an order after so many calls, and be told
// so.
func readAs(after int, told string) func(*story) {
	return func(s *story) {
		for _, log := range s.logs {
			for i := range log {
				log[i].At *= 10 // there is time for a call between two
			}
		}
		log := s.logs[clientLog]
		at := log[2*after-1].At
		read := []Entry{
			{Kind: EntryInvoked, Number: 50, Bytes: get, At: at + 1},
			{Kind: EntryFound, Number: 50, Seq: 1, Result: app.OK([]byte(told)), At: at + 2},
		}
		s.logs[clientLog] = slices.Insert(log, 2*after, read...)
		for id := range 4 {
			s.now = max(s.now, at+100)
			s.write(id, Entry{Kind: EntryNote, Note: &consensus.Note{Kind: consensus.EnteredView}})
		}
	}
}

// What is not a log of this cluster is named with its place.
func TestReplayRefuses(t *testing.T) {
	s := tell(t, putA)
	other := s.Rules.Genesis
	other.Name = "another"
	c := Case{Genesis: s.Rules.Genesis, Application: kv.Store{}}
	for name, tc := range map[string]struct {
		c    Case
		logs []Log
		want error
		text string
	}{
		"another cluster": {Case{Genesis: other, Application: kv.Store{}}, s.files(t), ErrLog, "log-0, offset 0: "},
		"no member":       {c, []Log{{Name: "x", From: bytes.NewReader(logOf(t, Header{Cluster: s.Cluster, Replica: 4}))}}, ErrLog, "x, offset 0: "},
		"garbage in the first entry": {c, []Log{{Name: "x", From: strings.NewReader(
			string(logOf(t, Header{Cluster: s.Cluster})) + strings.Repeat("\xff", 100))}}, ErrLog, fmt.Sprintf("x, offset %d: ", headerSize)},
		"no genesis": {Case{}, nil, consensus.ErrGenesis, ""},
	} {
		if _, err := Replay(tc.c, tc.logs); !errors.Is(err, tc.want) || !strings.HasPrefix(err.Error(), tc.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Replay(Case{Genesis: other, Application: kv.Store{}}, s.files(t)); err == nil || !strings.Contains(err.Error(), "move the file away") {
		t.Errorf("another cluster's log: %v: what is to be done?", err)
	}
}

// TestTooLittleIsNotSafe: who judged nobody, nothing, or too few to compare, says so
// and calls nothing safe; what is enough is.
func TestTooLittleIsNotSafe(t *testing.T) {
	for name, c := range map[string]struct {
		suspects []consensus.ReplicaID
		change   func(*story)
		want     string // of why it was too little; "" is enough
	}{
		"all logs":                        {nil, func(*story) {}, ""},
		"no log":                          {nil, func(s *story) { clear(s.logs) }, "none of the replicas"},
		"only the client's":               {nil, func(s *story) { clear(s.logs[:clientLog]) }, "none of the replicas"},
		"one replica's":                   {nil, func(s *story) { clear(s.logs[1:clientLog]) }, "R0 alone"},
		"two replicas'":                   {nil, func(s *story) { clear(s.logs[2:clientLog]) }, ""},
		"two replicas', one of a suspect": {[]consensus.ReplicaID{1}, func(s *story) { clear(s.logs[2:clientLog]) }, "R0 alone"},
		"the last honest one's":           {[]consensus.ReplicaID{1, 2, 3}, func(*story) {}, ""},
		"all are suspects":                {[]consensus.ReplicaID{0, 1, 2, 3}, func(*story) {}, "nobody is left"},
		"heads alone": {nil, func(s *story) {
			for id := range s.logs {
				s.logs[id] = s.logs[id][:1]
			}
			s.logs[clientLog] = nil
		}, "none of the replicas"},
		"votes alone": {nil, func(s *story) {
			for id := range clientLog {
				s.logs[id] = []Entry{{Kind: EntrySent, At: 1, Peer: consensus.Peer{Kind: consensus.Everyone}, Bytes: s.vote(message.CommitKind, consensus.ReplicaID(id), 0, 1, digestA)}}
			}
			s.logs[clientLog] = nil
		}, "no batch was agreed on"},
		"votes, and a call that nobody answers": {nil, func(s *story) {
			for id := range clientLog {
				s.logs[id] = []Entry{{Kind: EntrySent, At: 1, Peer: consensus.Peer{Kind: consensus.Everyone}, Bytes: s.vote(message.CommitKind, consensus.ReplicaID(id), 0, 1, digestA)}}
			}
			s.logs[clientLog] = s.logs[clientLog][:1]
		}, ""},
	} {
		s := tell(t, tale...)
		c.change(s)
		v := s.judge(t, c.suspects...)
		err := v.Enough()
		if (err == nil) != (c.want == "") || !strings.Contains(v.Unjudged, c.want) || v.Safe() != (err == nil) || err != nil && !errors.Is(err, ErrUnjudged) {
			t.Errorf("%s: safe %t, error %v, want %q: %v", name, v.Safe(), err, c.want, v.Violations)
		}
	}
}

// TestScopeSaysWhatWasJudged: and why linearizability is not known, if it is not.
func TestScopeSaysWhatWasJudged(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*story)
		want   Scope
		linear Answer
		why    string
	}{
		"all": {func(*story) {}, Scope{Batches: 8, First: 1, Last: 8, Calls: 8, Answered: 8, Held: 8}, Yes, ""},
		"a client that wrote nothing": {func(s *story) { s.logs[clientLog] = nil },
			Scope{Batches: 8, First: 1, Last: 8, Untold: 8}, Unknown, "no client wrote down"},
		"a call without an answer": {func(s *story) { s.logs[clientLog] = s.logs[clientLog][:15] },
			Scope{Batches: 8, First: 1, Last: 8, Calls: 8, Answered: 7, Held: 7}, Yes, ""},
		"beginnings that were dropped": {func(s *story) {
			for id := range clientLog {
				at := slices.IndexFunc(s.logs[id], func(e Entry) bool { return e.Kind == EntryCommitted && e.Seq == 3 })
				s.logs[id] = s.logs[id][at:]
			}
			s.find(clientLog, EntryReturned, func(e *Entry) bool { return e.Seq == 4 }).Result = app.OK(nil)
		}, Scope{Batches: 6, First: 3, Last: 8, Calls: 8, Answered: 8, Held: 5, Cut: 2}, Unknown, "batch 1 was not written down"},
		"digests only": {func(s *story) {
			for id := range clientLog {
				for i := range s.logs[id] {
					s.logs[id][i].Batch = nil
				}
			}
			s.find(clientLog, EntryReturned, func(e *Entry) bool { return e.Seq == 4 }).Result = app.OK(nil)
		}, Scope{Batches: 8, First: 1, Last: 8, Calls: 8, Answered: 8, Cut: 8}, Unknown, "digests of batches alone"},
	} {
		s := tell(t, tale...)
		c.change(s)
		v := s.judge(t)
		got := *v.Scope
		if len(got.Replicas) != 4 || len(got.Missing) != 0 {
			t.Errorf("%s: judged %v, missing %v", name, got.Replicas, got.Missing)
		}
		if got.Began < 1e9+1 || got.Began > s.now {
			t.Errorf("%s: it began at %d", name, got.Began)
		}
		got.Replicas, got.Missing, got.Began = nil, nil, 0
		if !reflect.DeepEqual(got, c.want) || v.Linearizable != c.linear || !strings.Contains(strings.Join(v.Why, "; "), c.why) {
			t.Errorf("%s: %+v, %s %q, want %+v, %s %q", name, got, v.Linearizable, v.Why, c.want, c.linear, c.why)
		}
	}
}

// TestALieIsNamed: what was asked, what was answered, and what the agreed history has.
func TestALieIsNamed(t *testing.T) {
	s := tell(t, kv.Put([]byte("k"), []byte("truth")), get)
	s.find(clientLog, EntryReturned, func(e *Entry) bool { return e.Seq == 2 }).Result = app.OK([]byte(record(1, "truti")))
	v := s.judge(t)
	want := `asked get "k" and was told "truti" of revision 1 (at 2); the agreed history has "truth" of revision 1 (at 2)`
	if len(v.Violations) == 0 || v.Violations[0].Kind != Deceived || !strings.Contains(v.Violations[0].Text, want) {
		t.Errorf("violations %v, want %s", v.Violations, want)
	}
}

// TestTransactionsAreDecidedByTheHistory: what no search of one key decides, the
// history that was executed again does.
func TestTransactionsAreDecidedByTheHistory(t *testing.T) {
	txn := kv.Txn(nil, [][]byte{putA}, nil)
	if v := tell(t, putB, txn, get).judge(t); v.Linearizable != Yes || !v.Safe() {
		t.Errorf("linearizable %s %v, %v", v.Linearizable, v.Why, v.Violations)
	}
}

// A torn log is judged as far as it goes.
func TestReplayOfATornLog(t *testing.T) {
	s := tell(t, tale...)
	files := s.files(t)
	whole := logOf(t, Header{Cluster: s.Cluster, Replica: 2, Life: 1}, s.logs[2]...)
	files[2].From = bytes.NewReader(whole[:len(whole)-5])
	v, err := Replay(Case{Genesis: s.Rules.Genesis, Application: kv.Store{}, Model: Store()}, files)
	if err != nil || !v.Safe() || v.Executed != 8 {
		t.Errorf("%+v, %v", v, err)
	}
}
