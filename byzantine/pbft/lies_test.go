package pbft

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// deposed loses what replica 0 proposes in view 0, so that others come to open
// views. What it has prepared before stays in their VIEW-CHANGEs.
func deposed(l *lab) {
	l.work(1)
	l.lose = func(m frame) bool {
		return m.From == 0 && message.Kind(m.Bytes[0]) == message.PrePrepareKind
	}
	l.work(4)
	l.ticks(4 * labPatience)
	l.lose = nil
}

// halfway loses the COMMITs of view 0, so that slots prepare there and do not
// commit, and VIEW-CHANGEs have something to say.
func halfway(l *lab) { uncommitted(0)(l) }

// uncommitted loses the COMMITs of all views up to last.
func uncommitted(last consensus.View) func(*lab) {
	return func(l *lab) {
		l.work(1)
		l.lose = func(m frame) bool {
			v, err := l.rules.Decode(m.Bytes)
			commit, ok := v.(*message.Vote)
			return err == nil && ok && commit.Kind == message.CommitKind && commit.View <= last
		}
		l.work(2)
		l.ticks(int(4<<last) * labPatience)
		l.lose = nil
	}
}

// left keeps a replica out of everything for longer than logs reach.
func left(id consensus.ReplicaID) func(*lab) {
	return func(l *lab) {
		l.lose = func(m frame) bool { return m.From == id || m.To == id }
		l.work(12)
		l.lose = nil
		l.ticks(20)
	}
}

// told is one behaviour in one cluster and what the honest have to say of it.
type told struct {
	behaviour string
	traitor   int
	setting   func(*lab)
	reasons   []consensus.Reason
}

var toldTable = []told{
	{behaviour: "equivocate"},
	{behaviour: "equivocate order"},
	{behaviour: "equivocate subset"},
	{behaviour: "equivocate empty"},
	{behaviour: "equivocate body", reasons: []consensus.Reason{message.ReasonDigest}},
	{behaviour: "equivocate any to=1"},
	{behaviour: "select"},
	{behaviour: "select 2"},
	{behaviour: "slow-primary"},
	{behaviour: "starve"},
	{behaviour: "bad-batch signature", reasons: []consensus.Reason{message.ReasonOtherBatch}},
	{behaviour: "bad-batch altered", reasons: []consensus.Reason{message.ReasonOtherBatch}},
	{behaviour: "bad-batch malformed", reasons: []consensus.Reason{message.ReasonMalformed}},
	{behaviour: "bad-batch duplicate", reasons: []consensus.Reason{message.ReasonBatch}},
	{behaviour: "bad-batch digest", reasons: []consensus.Reason{message.ReasonDigest}},
	{behaviour: "bad-batch twice", reasons: []consensus.Reason{"request stands in another new proposal of this view"}},
	{behaviour: "bad-batch stranger", reasons: []consensus.Reason{message.ReasonBatch}},
	{behaviour: "bad-batch replay"},
	{behaviour: "bad-batch empty"},
	{behaviour: "bad-batch any"},
	{behaviour: "seq-jump gap"},
	{behaviour: "seq-jump far", reasons: []consensus.Reason{message.ReasonWindow}},
	{behaviour: "seq-jump huge", reasons: []consensus.Reason{message.ReasonWindow}},
	{behaviour: "seq-jump reuse"},
	{behaviour: "old-view", setting: deposed, reasons: []consensus.Reason{message.ReasonOldView, message.ReasonWrongRole, message.ReasonFarView}},
	{behaviour: "false-stamp ahead", reasons: []consensus.Reason{"stamp ahead of the clock, held back"}},
	{behaviour: "false-stamp behind", reasons: []consensus.Reason{"stamp too far behind the clock"}},
	{behaviour: "false-stamp still"},
	{behaviour: "unfair-order"},
	{behaviour: "double-vote", traitor: 3, reasons: []consensus.Reason{"contradicts an earlier message of its signer", consensus.Reason(consensus.EvidenceNote)}},
	{behaviour: "unknown-digest", traitor: 3, reasons: []consensus.Reason{"contradicts an earlier message of its signer"}},
	{behaviour: "withhold-votes", traitor: 3},
	{behaviour: "withhold-votes prepares", traitor: 3},
	{behaviour: "withhold-votes commits but=1", traitor: 3},
	{behaviour: "replay-votes", traitor: 2, setting: deposed, reasons: []consensus.Reason{message.ReasonSettled, message.ReasonOldView, message.ReasonSignature}},
	{behaviour: "impersonate", traitor: 3, reasons: []consensus.Reason{message.ReasonSignature, message.ReasonNotMember, message.ReasonWrongRole}},
	{behaviour: "bad-certificate", traitor: 3, reasons: []consensus.Reason{message.ReasonSignature, message.ReasonNoQuorum, message.ReasonMalformed}},
	{behaviour: "vc-spam", traitor: 3},
	{behaviour: "huge-view", traitor: 3, reasons: []consensus.Reason{message.ReasonMalformed, message.ReasonFarView}},
	{behaviour: "hide-prepared", traitor: 3, setting: halfway},
	{behaviour: "hide-prepared old", traitor: 1, setting: halfway},
	{behaviour: "hide-prepared prepared", traitor: 2, setting: halfway},
	{behaviour: "fake-prepared", traitor: 3, setting: halfway, reasons: []consensus.Reason{message.ReasonSignature, message.ReasonNoQuorum, message.ReasonMalformed}},
	{behaviour: "fake-prepared stale", traitor: 3, setting: uncommitted(1)},
	{behaviour: "bad-new-view", traitor: 1, setting: halfway, reasons: []consensus.Reason{"NEW-VIEW does not follow from its VIEW-CHANGEs"}},
	{behaviour: "bad-new-view few", traitor: 1, setting: deposed, reasons: []consensus.Reason{message.ReasonNoQuorum}},
	{behaviour: "bad-new-view twice", traitor: 1, setting: deposed, reasons: []consensus.Reason{message.ReasonNoQuorum}},
	{behaviour: "bad-new-view mixed", traitor: 1, setting: deposed, reasons: []consensus.Reason{message.ReasonNoQuorum}},
	{behaviour: "bad-new-view digest", traitor: 1, setting: halfway, reasons: []consensus.Reason{"NEW-VIEW does not follow from its VIEW-CHANGEs"}},
	{behaviour: "bad-new-view missing", traitor: 1, setting: halfway, reasons: []consensus.Reason{"NEW-VIEW does not follow from its VIEW-CHANGEs"}},
	{behaviour: "bad-new-view null", traitor: 1, setting: halfway, reasons: []consensus.Reason{"NEW-VIEW does not follow from its VIEW-CHANGEs"}},
	{behaviour: "bad-new-view low", traitor: 1, setting: halfway, reasons: []consensus.Reason{"NEW-VIEW does not follow from its VIEW-CHANGEs"}},
	{behaviour: "equivocate-new-view", traitor: 1, setting: halfway},
	{behaviour: "silent-new-view", traitor: 1, setting: deposed},
	{behaviour: "select-view-change", traitor: 2, setting: deposed},
	{behaviour: "lying-checkpoint", traitor: 3, reasons: []consensus.Reason{"checkpoint off the interval"}},
	{behaviour: "lying-checkpoint future", traitor: 3},
	{behaviour: "lying-checkpoint equivocate", reasons: []consensus.Reason{"second checkpoint vote with another root", consensus.Reason(consensus.EvidenceNote)}},
	{behaviour: "lying-checkpoint root", traitor: 3},
	{behaviour: "poison-transfer bytes", traitor: 0, setting: left(3), reasons: []consensus.Reason{consensus.Reason(consensus.BadPart)}},
	{behaviour: "poison-transfer claims", traitor: 1, setting: left(0)},
	{behaviour: "poison-transfer items", traitor: 1, setting: left(0)},
	{behaviour: "poison-transfer crumbs", traitor: 1, setting: left(0)},
	{behaviour: "poison-transfer silence", traitor: 1, setting: left(0)},
	{behaviour: "poison-transfer height", traitor: 1},
	{behaviour: "poison-transfer", traitor: 1, setting: left(0)},
	{behaviour: "rejoin-lies", traitor: 3, reasons: []consensus.Reason{"rejoined too lately"}},
	{behaviour: "fork"},
	{behaviour: "fork", traitor: 2},
	{behaviour: "fork-views", traitor: 1},
	{behaviour: "fork-views"},
	{behaviour: "poison-checkpoint", traitor: 3, reasons: []consensus.Reason{message.ReasonNoQuorum, message.ReasonSignature}},
}

// With f traitors of 3f+1 each lie is told, each is ignored for its reason, all
// honest replicas execute the same, and all requests in the end.
func TestLiesOfOne(t *testing.T) {
	for _, c := range toldTable {
		t.Run(c.behaviour, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, 4, map[int]string{c.traitor: c.behaviour})
			l.work(2)
			if c.setting != nil {
				c.setting(l)
			}
			l.work(10)
			l.wantAll(1500)
			l.wantSafe()
			if l.lies() == 0 {
				t.Error("no lie was told")
			}
			l.wantReason(c.reasons...)
		})
	}
}
