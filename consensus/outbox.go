package consensus

// Outbox gathers the Output of one step. It is how engines put things out; its
// verbs add to the field that says when they become visible.
type Outbox struct{ Output }

// Take returns what was gathered, and begins anew.
func (o *Outbox) Take() Output {
	out := o.Output
	o.Output = Output{}
	return out
}

// Record makes b durable, until the log is cut at slot.
func (o *Outbox) Record(slot Seq, b []byte) {
	o.Records = append(o.Records, Record{Slot: slot, Bytes: b})
}

// RecordLazy is Record for what nothing that is sent depends on.
func (o *Outbox) RecordLazy(slot Seq, b []byte) {
	o.Records = append(o.Records, Record{Slot: slot, Bytes: b, Lazy: true})
}

// Send is for one peer, after what was recorded is durable.
func (o *Outbox) Send(to Peer, class Class, frame []byte) {
	o.Sends = append(o.Sends, Send{To: to, Class: class, Bytes: frame})
}

// Broadcast is Send to every other replica.
func (o *Outbox) Broadcast(class Class, frame []byte) { o.Send(Peer{Kind: Everyone}, class, frame) }

// SendEarly is for what promises nothing that is recorded here.
func (o *Outbox) SendEarly(to Peer, class Class, frame []byte) {
	o.Early = append(o.Early, Send{To: to, Class: class, Bytes: frame})
}

// Look has a READ executed, at index or above.
func (o *Outbox) Look(q *Query, index Seq) {
	o.Lookups = append(o.Lookups, Lookup{Query: q, Index: index})
}

// Do adds to the queue of execution.
func (o *Outbox) Do(jobs ...Job) { o.Jobs = append(o.Jobs, jobs...) }

// Note tells of a fact.
func (o *Outbox) Note(n Note) { o.Notes = append(o.Notes, n) }
