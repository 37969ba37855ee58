package byzantine

import "quorate.dev/quorate/consensus"

// Outbound is a frame on its way to one peer. Its bytes are shared with other
// messages and with the log: change a copy.
type Outbound struct {
	To    consensus.Peer // a replica or a client; Topic stays one message
	Class consensus.Class
	Bytes []byte
	Early bool // promises nothing: may leave before records are durable
}

// Outbox is what leaves a traitor in one step, one message for each destination,
// so that victims can be told apart.
//
// An Interceptor may do what it likes with Messages: they are those that its
// Spec selects by victim, kind, moment and chance. Rest are the others, to be
// read and left alone. Out is the rest of the engine's output.
type Outbox struct {
	Messages []Outbound
	Rest     []Outbound
	Out      *consensus.Output
	Heard    []consensus.Frame     // what came in from other replicas, in this step, before any interceptor; read-only
	Victims  []consensus.ReplicaID // other replicas that the Spec selects; read-only
	Act      bool                  // the moment has come, and the dice agree: interceptors that add messages do it now
}

// unpack makes messages of an output: a frame for everyone becomes one message
// for each other replica.
func unpack(e *Env, out *consensus.Output) *Outbox {
	o := &Outbox{Out: out}
	for _, s := range out.Early {
		o.spread(e, s, true)
	}
	for _, s := range out.Sends {
		o.spread(e, s, false)
	}
	return o
}

func (o *Outbox) spread(e *Env, s consensus.Send, early bool) {
	if s.To.Kind != consensus.Everyone {
		o.Messages = append(o.Messages, Outbound{To: s.To, Class: s.Class, Bytes: s.Bytes, Early: early})
		return
	}
	for id := range e.Genesis.Replicas {
		if to := consensus.ReplicaID(id); to != e.Self {
			o.Messages = append(o.Messages, Outbound{To: consensus.ReplicaPeer(to), Class: s.Class, Bytes: s.Bytes, Early: early})
		}
	}
}

// pack writes the messages back into the output.
func (o *Outbox) pack() {
	o.Out.Early, o.Out.Sends = nil, nil
	for _, m := range o.Messages {
		s := consensus.Send{To: m.To, Class: m.Class, Bytes: m.Bytes}
		if m.Early {
			o.Out.Early = append(o.Out.Early, s)
		} else {
			o.Out.Sends = append(o.Out.Sends, s)
		}
	}
}

// Add adds a frame for one replica.
func (o *Outbox) Add(to consensus.ReplicaID, class consensus.Class, frame []byte) {
	o.Messages = append(o.Messages, Outbound{To: consensus.ReplicaPeer(to), Class: class, Bytes: frame})
}
