package sim

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/raft"
)

// The verbs with which a traitor of Raft lies. It sends under its own name only,
// as the channels make it. A frame is written as traces print it:
//
//	forge 2->1 MsgApp t=2 after=1/1 commit=2 entries=C0#2,null
//	forge 2->0 MsgAppResp t=1 n=2           fields: t, after or last or n (place or place/term),
//	forge 2->1 MsgSnap t=2 n=4/1            commit, entries, reject=yes
//	forge 2->C0 REPLY C0#1 n=9 result=...   an answer to a client
//	rewrite 0->2 MsgApp entries=C0#2        changes what waits on the way from a traitor
//	fable 2 C0#2,null,null,null             a history that R2 made up, one entry a word: its state is
//	                                        what R2's MsgSnap names and what R2 serves
//
// An entry holds a request that a client of the script has submitted: members
// verify its signature, and no liar can make one.

// errScript is what is wrong with a line of a script.
var errScript = errors.New("cannot be done")

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errScript, fmt.Sprintf(format, args...))
}

// said turns an error into what the script shows.
func said(out string, err error) string {
	if err != nil {
		return err.Error() + "\n"
	}
	return out
}

// traitor finds one by name: the honest do not lie.
func (s *Script) traitor(name string) (*replica, error) {
	rs, err := s.replicas(name)
	switch {
	case err != nil:
		return nil, err
	case len(rs) != 1 || rs[0].honest():
		return nil, wrong("%s is honest: name one traitor when the cluster is made", name)
	}
	return rs[0], nil
}

// elect lets the patience of one replica end before that of all others, so that
// it is elected, if anybody can be.
func (s *Script) elect(a args) string {
	rs, err := s.replicas(strings.Join(a.positional(), ","))
	if err != nil || len(rs) != 1 {
		return said("", wrong("elect wants one replica"))
	}
	ticks := strconv.Itoa(2 * s.world.cfg.Timing.Patience)
	out := indent(s.tick(args{words: []string{ticks, strconv.Itoa(int(rs[0].id))}}))
	return out + s.pass(1, "")
}

// forge lets a traitor send a frame that its engine never would.
func (s *Script) forge(a args) string { return said(s.forgery(a)) }

func (s *Script) forgery(a args) (string, error) {
	words := a.positional()
	if len(words) < 2 {
		return "", wrong("forge wants from->to and a kind")
	}
	from, to, _ := strings.Cut(words[0], "->")
	liar, err := s.traitor(from)
	if err != nil {
		return "", err
	}
	w := s.world
	began := len(w.net.pool)
	for end := range w.net.ends {
		if !selects(to, w.name(endpoint(end))) || end == int(liar.end) {
			continue
		}
		frame, err := s.frame(liar, endpoint(end), words[1:], a)
		if err != nil {
			return "", err
		}
		w.checks.sent(liar, frame)
		w.launch(packet{from: liar.end, to: endpoint(end), class: consensus.Votes, bytes: frame})
	}
	return s.list(w.net.pool[began:]), nil
}

// frame makes what a traitor says to one end.
func (s *Script) frame(liar *replica, to endpoint, words []string, a args) ([]byte, error) {
	if words[0] == "REPLY" {
		return s.answer(liar, words, a)
	}
	kind, known := pb.MessageType_value[words[0]]
	if !known || int(to) >= len(s.world.replicas) {
		return nil, wrong("replicas say REPLY to clients, and to each other what raftpb names, MsgApp say")
	}
	m := &pb.Message{Type: pb.MessageType(kind), From: uint64(liar.id) + 1, To: uint64(to) + 1}
	if err := s.fill(m, liar, a); err != nil {
		return nil, err
	}
	return raft.EncodeMessage(m), nil
}

// answer makes a reply to a request, with a result of the traitor's own.
func (s *Script) answer(liar *replica, words []string, a args) ([]byte, error) {
	request := s.asked[words[len(words)-1]]
	if request == nil {
		return nil, wrong("REPLY wants a request that was submitted")
	}
	result := consensus.Result{Data: []byte(first(a.value("result")))}
	r := consensus.Reply{
		Client: request.Client, Request: request.Digest, Sequence: request.Sequence, Seq: consensus.Seq(a.number("n", 1)),
		Results: []consensus.Result{result}, Replica: liar.id,
	}
	return r.Encode(), nil
}

// fill sets the fields of a message that the words name.
func (s *Script) fill(m *pb.Message, liar *replica, a args) error {
	for _, word := range a.words {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			continue
		}
		number, term, err := place(value)
		switch key {
		case "t":
			m.Term = number
		case "commit":
			m.Commit = number
		case "after", "last", "n":
			m.Index, m.LogTerm = number, term
		case "reject":
			m.Reject, err = value == "yes", nil
		case "entries":
			m.Entries, err = s.entries(m, liar, value)
		}
		if err != nil {
			return err
		}
	}
	if m.Type == pb.MsgSnap {
		return s.offerHistory(m, liar)
	}
	return nil
}

// place reads a number, or a place in the log and its term.
func place(text string) (index, term uint64, err error) {
	left, right, both := strings.Cut(text, "/")
	index, err = strconv.ParseUint(left, 10, 64)
	if err == nil && both {
		term, err = strconv.ParseUint(right, 10, 64)
	}
	if err != nil {
		return 0, 0, wrong("%q is no number", text)
	}
	return index, term, nil
}

// entries makes what follows a message's place in the log, in its term.
func (s *Script) entries(m *pb.Message, liar *replica, list string) ([]pb.Entry, error) {
	var out []pb.Entry
	for _, word := range strings.Split(list, ",") {
		b, err := s.batch(liar, word)
		if err != nil {
			return nil, err
		}
		e := pb.Entry{Term: m.Term, Index: m.Index + 1 + uint64(len(out))}
		if b != nil {
			e.Data = b.Append(nil)
		}
		out = append(out, e)
	}
	return out, nil
}

// batch holds one request, or is the null batch.
func (s *Script) batch(liar *replica, word string) (*consensus.Batch, error) {
	if word == "null" {
		return nil, nil
	}
	request := s.asked[word]
	if request == nil {
		return nil, wrong("no client has submitted %q", word)
	}
	return &consensus.Batch{Stamp: liar.now(), Requests: []*consensus.Request{request}}, nil
}

// rewrite changes what waits on its way from a traitor.
func (s *Script) rewrite(a args) string { return said(s.falsify(a)) }

func (s *Script) falsify(a args) (string, error) {
	f := parseFilter(a.positional())
	liar, err := s.traitor(f.from)
	if err != nil {
		return "", err
	}
	var changed []packet
	for i := range s.world.net.pool {
		p := &s.world.net.pool[i]
		if !f.matches(s.world, *p) {
			continue
		}
		m, err := raft.DecodeMessage(p.bytes)
		if err != nil {
			return "", err
		}
		if err := s.fill(m, liar, a); err != nil {
			return "", err
		}
		p.bytes = raft.EncodeMessage(m)
		p.sum = crc32.Checksum(p.bytes, castagnoli)
		s.world.checks.sent(liar, p.bytes)
		changed = append(changed, *p)
	}
	return s.list(changed), nil
}

// forgedHistory is a history that a traitor made up, with the state that it leads
// to: what the verb fable makes.
type forgedHistory struct {
	executor *executor
	last     consensus.Rooted
}

// makeHistory lets a traitor execute a history that nobody agreed on.
func (s *Script) makeHistory(a args) string { return said(s.newHistory(a)) }

func (s *Script) newHistory(a args) (string, error) {
	words := a.positional()
	if len(words) != 2 {
		return "", wrong("fable wants a traitor and a list of entries")
	}
	liar, err := s.traitor(words[0])
	if err != nil {
		return "", err
	}
	options := app.Options{Replica: liar.id, State: state.Config{SnapshotIdle: s.world.cfg.Window}}
	m, err := app.Open(state.NewMemory(), s.world.application(liar), s.world.genesis, options)
	if err != nil {
		return "", err
	}
	f := &forgedHistory{executor: &executor{replica: liar, machine: m}}
	for i, word := range strings.Split(words[1], ",") {
		b, err := s.batch(liar, word)
		if err != nil {
			return "", err
		}
		out, err := m.Do(consensus.Commit{Seq: consensus.Seq(i + 1), Digest: b.Digest(), Batch: b})
		if err != nil {
			return "", err
		}
		f.last = consensus.Rooted{}
		for _, e := range out.Events {
			if e, ok := e.(consensus.Rooted); ok {
				f.last = e
			}
		}
	}
	if f.last.Root.IsZero() {
		return "", wrong("a state is served at a checkpoint, every %d entries", s.world.cfg.Interval)
	}
	if _, err := m.Do(consensus.Stabilize{Seq: f.last.Seq, Root: f.last.Root}); err != nil {
		return "", err
	}
	s.histories[liar.id] = f
	return fmt.Sprintf("%v tells of a state at %d with root %s\n", liar, f.last.Seq, f.last.Root.Short()), nil
}

// offerHistory puts the handle of a made-up state into a snapshot message.
func (s *Script) offerHistory(m *pb.Message, liar *replica) error {
	f := s.histories[liar.id]
	if f == nil {
		return wrong("%v has no state to tell of: fable comes first", liar)
	}
	handle := raft.Fetch{Seq: f.last.Seq, Root: f.last.Root}
	var members pb.ConfState
	for i := range s.world.replicas {
		members.Voters = append(members.Voters, uint64(i)+1)
	}
	m.Snapshot = &pb.Snapshot{
		Data:     handle.Encode(raft.FetchKind)[1:][:8+len(f.last.Root)],
		Metadata: pb.SnapshotMetadata{Index: uint64(f.last.Seq), Term: m.LogTerm, ConfState: members},
	}
	m.Index, m.LogTerm = 0, 0
	return nil
}

// arrive hands a packet over. A traitor with a made-up state answers for itself
// who asks for parts of it.
func (s *Script) arrive(p packet) {
	if int(p.to) < len(s.world.replicas) && len(p.bytes) > 0 && p.bytes[0] == raft.FetchKind {
		liar := s.world.replicas[p.to]
		if f := s.histories[liar.id]; f != nil && liar.up() && s.serve(f, p) {
			return
		}
	}
	s.world.arrive(p)
}

// serve answers a Fetch from a forged history, if it asks for that.
func (s *Script) serve(f *forgedHistory, p packet) bool {
	w, liar := s.world, f.executor.replica
	asker := consensus.ReplicaPeer(consensus.ReplicaID(p.from))
	opened := liar.protocol.Open(w.keys.verifier, nil, []consensus.Frame{{From: asker, Bytes: p.bytes}})
	received, ok := opened[0].Event.(consensus.Receive)
	if !ok {
		return false
	}
	m, ok := received.Message.(*raft.Fetch)
	if !ok || m.Seq != f.last.Seq || m.Root != f.last.Root {
		return false
	}
	snapshot, err := f.executor.machine.Snapshot(m.Seq, m.Root)
	if err != nil {
		snapshot, err = f.executor.machine.Snapshot(m.Seq, m.Root) // the second time it is made servable
	}
	if err != nil {
		return false
	}
	c := chunk(consensus.ChunkRead{To: asker, Seq: m.Seq, Root: m.Root, Items: m.Items}, snapshot)
	g := raft.FetchReply{Seq: m.Seq, Root: m.Root, Parts: c.Parts, Gone: c.Gone}
	w.launch(packet{from: liar.end, to: p.from, class: consensus.Bulk, bytes: g.Encode(raft.FetchReplyKind)})
	return true
}
