package sim

import (
	"fmt"
	"slices"
	"strconv"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
)

// reading is one READ of a scripted client under way, and who has said what.
type reading struct {
	query *consensus.Query
	said  map[consensus.ReplicaID]*consensus.Finding
}

// read lets a client send one READ to all replicas, or to one, or its last one again
// with a floor.
func (s *Script) read(a args) string {
	w := s.world
	h := s.scripted[a.number("client", 0)%len(w.clients)]
	to := first(a.value("to"))
	if id, err := strconv.Atoi(to); to != "" && (err != nil || id < 0 || id >= len(w.replicas)) {
		return "there is no such replica to read from\n"
	}
	floor, again := a.value("floor")
	if !again {
		h.counter++
		op := token{client: h.client.index, counter: h.counter}.append([]byte{opRead, byte(a.number("key", 0))})
		w.checks.judge.Invoked(w.at(), check.CallID{Client: h.client.index, Number: h.counter}, h.client.signer.Public(), op)
		h.reading = &reading{
			query: &consensus.Query{Name: consensus.Sequence{Epoch: uint64(startTime), Counter: h.counter}, Operations: [][]byte{op}},
			said:  map[consensus.ReplicaID]*consensus.Finding{},
		}
	} else if n, err := strconv.ParseUint(floor, 10, 64); err == nil && h.reading != nil {
		h.reading.query.Floor = consensus.Seq(n)
	} else {
		return "floor is a height, and goes with a READ that is not answered\n"
	}
	frame := h.reading.query.Encode()
	h.client.reads.sent(frame)
	for i := range w.replicas {
		if to == "" || to == strconv.Itoa(i) {
			w.launch(packet{from: h.client.end, to: endpoint(i), class: consensus.Bodies, bytes: frame})
		}
	}
	return w.name(h.client.end) + "#" + strconv.FormatUint(h.reading.query.Name.Counter, 10) + "\n"
}

// finding counts an answer to a READ, by the rule of PROTOCOL.md §11 in its fewest
// words: of a quorum's answers, those with the lowest index, the largest index; and
// what f+1 replicas found there or above.
func (h *scriptedClient) finding(from consensus.ReplicaID, f *consensus.Finding) {
	c, a := h.client, h.reading
	if a == nil || a.query.Name != f.Name {
		return
	}
	a.said[from] = f
	var indexes []consensus.Seq
	for _, o := range a.said {
		indexes = append(indexes, o.Index)
	}
	q := c.world.system.Readers()
	if len(indexes) < q {
		return
	}
	slices.Sort(indexes)
	equal := map[string]int{}
	for _, o := range a.said {
		if o.Height < indexes[q-1] {
			continue
		}
		content := string(consensus.AppendResults(nil, o.Results))
		if equal[content]++; equal[content] < c.world.system.Replies() {
			continue
		}
		h.reading = nil
		c.world.checks.judge.ReturnedUnordered(c.world.at(), check.CallID{Client: c.index, Number: f.Name.Counter}, indexes[q-1], o.Results[0])
		c.world.say("", "%s believes #%d, read at %d or above: %s", c.world.name(c.end), f.Name.Counter, indexes[q-1], readText(o.Results[0]))
		return
	}
}

// readText is whose write a READ of a scripted client found: a value begins with
// the token of its write.
func readText(r consensus.Result) string {
	if r.Code != consensus.ResultOK || len(r.Data) < tokenSize {
		return "nothing"
	}
	return fmt.Sprintf("what C%d#%d wrote", r.Data[1], r.Data[9])
}
