package check

import (
	"cmp"
	"fmt"
	"slices"

	"quorate.dev/quorate/check/linear"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/internal/noun"
)

// Verdict judges the run as a whole, and adds what only its end shows. To be
// called once, when nothing more will be told.
func (j *Judge) Verdict(at consensus.Time) Verdict {
	j.settleAccepted()
	j.settleReads()
	for _, c := range j.deceived() {
		j.violate(c.ended, Deceived, "%s", j.lie(c))
	}
	if c := j.missing(); c != nil {
		j.violate(at, Lost, "client %d believes of call %d a result of height %d, which nobody executed", c.id.Client, c.id.Number, c.seq)
	}
	if c := j.denied(); c != nil {
		j.violate(at, Denied, "client %d was told that call %d was not executed, and it was", c.id.Client, c.id.Number)
	}
	v := Verdict{}
	v.Linearizable, v.Why = j.linearizable(at)
	if j.members == 0 {
		v.Unjudged = nobodyHonest
	}
	if j.investigated() {
		j.accountable(at, &v)
	}
	v.Violations, v.Forked, v.ForkAt = slices.Clone(j.violations), j.forkAt != 0, j.forkAt
	return v
}

// lie says what a client was told, and what it should have been told.
func (j *Judge) lie(c *call) string {
	if c.unordered {
		return j.misread(c)
	}
	if j.cfg.words == nil {
		return fmt.Sprintf("client %d believes of call %d a result of height %d that no honest replica gave", c.id.Client, c.id.Number, c.seq)
	}
	asked, answered := j.cfg.words(c.op, &c.result)
	agreed := "no such call"
	for _, t := range j.ledger.of(c.client, c.op).answers {
		_, agreed = j.cfg.words(c.op, &consensus.Result{Code: t.code, Data: []byte(t.data)})
		if agreed += fmt.Sprintf(" (at %d)", t.seq); t.seq == c.seq {
			break
		}
	}
	return fmt.Sprintf("client %s asked %s and was told %s (at %d); the agreed history has %s", c.client.Short(), asked, answered, c.seq, agreed)
}

// misread says what a client was told without an order, and which states should have
// shown it.
func (j *Judge) misread(c *call) string {
	lacks := fmt.Sprintf("which no state of the agreed history has, from %d to %d", c.from, c.to)
	if !j.readable(c) {
		lacks = "which no honest replica found"
	}
	if j.cfg.words == nil {
		return fmt.Sprintf("client %d was told without an order what call %d asked, %s", c.id.Client, c.id.Number, lacks)
	}
	asked, answered := j.cfg.words(c.op, &c.result)
	return fmt.Sprintf("client %s asked %s and was told without an order %s, %s", c.client.Short(), asked, answered, lacks)
}

// linearizable decides the history of every key, or says why it cannot.
func (j *Judge) linearizable(at consensus.Time) (Answer, []string) {
	if j.cfg.Model == nil {
		return Unknown, []string{"nobody said what operations do"}
	}
	calls := j.history()
	report := linear.Check(*j.cfg.Model, calls, j.cfg.Budget)
	if j.partial && len(report.Bad) > 0 {
		return Unknown, []string{noun.Several(len(report.Bad), "key") + " would need writes that nobody has told of"}
	}
	for _, key := range report.Bad {
		j.violate(at, Nonlinear, "no order of the calls on %s gives the results that were believed", noun.Quote(key))
	}
	switch {
	case len(report.Bad) > 0:
		return No, nil
	case len(report.Open) > 0 && !j.ordered():
		return Unknown, []string{noun.Several(len(report.Open), "key") + " could not be decided: a transaction wrote to them, or the search took too long"}
	}
	return Yes, nil
}

// ordered reports whether the history that was executed again is itself the order
// that is looked for: it gives every result that was believed, and whoever asked
// after an answer comes behind it.
func (j *Judge) ordered() bool {
	return j.again > 0 && !j.partial && !j.accepted.unordered && j.accepted.highest <= j.again && len(j.accepted.doubted) == 0 && j.count[Lost] == 0
}

// history is what the clients saw. Calls without an answer that nobody honest
// executed have not happened; what was executed for clients whose calls nobody
// told may have happened at any time.
func (j *Judge) history() []linear.Call {
	var calls []linear.Call
	told := map[*operation]int{}
	for _, c := range j.accepted.order {
		o := j.ledger.of(c.client, c.op)
		told[o]++
		call := linear.Call{Client: c.id.Client, Op: c.op, Began: c.began, Ended: c.ended}
		if c.returned {
			call.Result = &c.result
		} else if len(o.places) == 0 && !j.partial {
			continue
		}
		calls = append(calls, call)
	}
	var others []place
	asked := j.keysOf(calls)
	for name, o := range j.ledger.operations {
		if told[o] >= len(o.places) || !slices.ContainsFunc(j.cfg.Model.Read([]byte(name[keySize:])).Keys, func(k string) bool { return asked[k] }) {
			continue // nobody was told anything of its keys
		}
		for i := told[o]; i < len(o.places); i++ {
			p := o.places[i]
			p.name = name
			others = append(others, p)
		}
	}
	slices.SortFunc(others, func(a, b place) int { return cmp.Compare(a.order, b.order) })
	for _, p := range others {
		calls = append(calls, linear.Call{Client: -1, Op: []byte(p.name[keySize:])})
	}
	return calls
}

// keysOf are the keys that calls are about.
func (j *Judge) keysOf(calls []linear.Call) map[string]bool {
	keys := map[string]bool{}
	for i := range calls {
		for _, k := range j.cfg.Model.Read(calls[i].Op).Keys {
			keys[k] = true
		}
	}
	return keys
}

// accuse judges the evidence that an honest replica reports: against whom it
// is, and that it holds.
func (j *Judge) accuse(at consensus.Time, r consensus.ReplicaID, n *consensus.Note) {
	if j.honest(n.Replica) {
		j.violate(at, Framed, "R%d has evidence against the honest R%d: %s", r, n.Replica, n)
		return
	}
	fault, err := evidence.VerifyWith(j.cfg.Verifier, &j.cfg.Genesis, n.Bytes)
	if err != nil || fault.Replica != n.Replica {
		j.violate(at, Framed, "R%d reports evidence against R%d that does not hold: %v", r, n.Replica, err)
		return
	}
	j.transcript.proofs = append(j.transcript.proofs, n.Bytes)
}

// investigated reports whether the transcripts are to be read for evidence: if
// there is a fork or a traitor, or if the caller wants to see that nobody is
// named for nothing.
func (j *Judge) investigated() bool {
	return j.convicts && (j.forkAt != 0 || j.traitors() > 0 || j.cfg.Investigate)
}

// accountable names the culprits, and judges that they are enough after a fork
// and that nobody honest is among them.
func (j *Judge) accountable(at consensus.Time, v *Verdict) {
	i := j.transcript.flush(j)
	for _, p := range j.transcript.proofs {
		i.Proof(p)
	}
	for _, c := range i.Conflicts() {
		if j.forkAt == 0 || c.Seq < j.forkAt {
			j.fork(at, c.Seq, "%s", c)
		}
	}
	v.Culprits, v.Evidence = i.Culprits(), i.Entries()
	for _, id := range v.Culprits {
		if j.honest(id) {
			j.violate(at, Framed, "evidence names the honest R%d", id)
		}
	}
	want, possible := j.named()
	if j.forkAt != 0 && possible && len(v.Culprits) < want {
		j.violate(at, Unnamed, "after the fork at %d evidence names %v, of at least %d culprits", j.forkAt, v.Culprits, want)
	}
}

// named is how many culprits there must be after a fork: those in whom two
// quorums meet, f+1 if the quorum is the right one. It cannot be told if all
// are said to be honest, or if so many lie that they make quorums of their own
// with f of the others.
func (j *Judge) named() (want int, possible bool) {
	n, f := len(j.cfg.Genesis.Replicas), evidence.Faults(&j.cfg.Genesis)
	want = max(0, min(f+1, 2*j.ballots.quorum-n))
	return want, j.traitors() > 0 && j.traitors() <= max(1, 2*f)
}

// transcript is what everybody sent that is signed, until it is read.
type transcript struct {
	waiting      []evidenceItem
	proofs       [][]byte
	investigator *evidence.Investigator
}

// evidenceItem is a frame, or a certificate that stands alone.
type evidenceItem struct {
	bytes []byte
	alone bool
}

// maxTranscript bounds what waits to be read.
const maxTranscript = 1 << 16

func (t *transcript) keep(j *Judge, e evidenceItem) {
	if t.waiting = append(t.waiting, e); len(t.waiting) > maxTranscript {
		t.flush(j)
	}
}

// flush lets the investigator read what waits.
func (t *transcript) flush(j *Judge) *evidence.Investigator {
	if t.investigator == nil {
		t.investigator = evidence.NewInvestigator(&j.cfg.Genesis, j.verifier)
	}
	for _, e := range t.waiting {
		if e.alone {
			t.investigator.Certificates(e.bytes)
		} else {
			t.investigator.Frame(e.bytes)
		}
	}
	t.waiting = nil
	return t.investigator
}
