package byzantine

import "quorate.dev/quorate/consensus"

// Letter is one frame to one end. Its bytes are shared with other letters and
// with the log: who changes them changes a copy.
type Outbound struct {
	To    consensus.Peer // a replica or a client; Topic stays one letter
	Class consensus.Class
	Bytes []byte
	Early bool // promises nothing: may leave before records are durable
}

// Mail is what leaves a traitor in one step, one letter for each destination,
// so that victims can be told apart.
//
// A mask may do with Letters what it likes: they are those that its Spec
// selects by victim, kind, moment and chance. Rest are the others, to be read
// and left alone. Out is the rest of the engine's output.
type Outbox struct {
	Messages []Outbound
	Rest     []Outbound
	Out      *consensus.Output
	Heard    []consensus.Frame     // what came in from other replicas, in this step, before any mask; read-only
	Victims  []consensus.ReplicaID // other replicas that the Spec selects; read-only
	Act      bool                  // the moment has come, and chance has struck: masks that invent letters do it now
}

// unpack makes letters of an output: a frame for everyone becomes one letter
// for each other replica.
func unpack(e *Env, out *consensus.Output) *Outbox {
	m := &Outbox{Out: out}
	for _, s := range out.Early {
		m.spread(e, s, true)
	}
	for _, s := range out.Sends {
		m.spread(e, s, false)
	}
	return m
}

func (m *Outbox) spread(e *Env, s consensus.Send, early bool) {
	if s.To.Kind != consensus.Everyone {
		m.Messages = append(m.Messages, Outbound{To: s.To, Class: s.Class, Bytes: s.Bytes, Early: early})
		return
	}
	for id := range e.Genesis.Replicas {
		if to := consensus.ReplicaID(id); to != e.Self {
			m.Messages = append(m.Messages, Outbound{To: consensus.ReplicaPeer(to), Class: s.Class, Bytes: s.Bytes, Early: early})
		}
	}
}

// pack writes the letters back into the output.
func (m *Outbox) pack() {
	m.Out.Early, m.Out.Sends = nil, nil
	for _, l := range m.Messages {
		s := consensus.Send{To: l.To, Class: l.Class, Bytes: l.Bytes}
		if l.Early {
			m.Out.Early = append(m.Out.Early, s)
		} else {
			m.Out.Sends = append(m.Out.Sends, s)
		}
	}
}

// Post adds a frame for one replica.
func (m *Outbox) Add(to consensus.ReplicaID, class consensus.Class, frame []byte) {
	m.Messages = append(m.Messages, Outbound{To: consensus.ReplicaPeer(to), Class: class, Bytes: frame})
}
