package transfer

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// A mover sends what the fetcher asks, hands its jobs to the host, tells of bad
// parts, and leaves to its engine what is the engine's to decide.
func TestMover(t *testing.T) {
	var out consensus.Outbox
	m := NewMover(1, 3, Words{
		Fetch: func(a Ask) []byte { return []byte("fetch " + a.Items[0].ID) },
		Reply: func(c consensus.Chunk) []byte { return []byte("reply " + c.Parts[0].ID) },
	}, &out)
	root := crypto.Hash([]byte("root"))
	item := consensus.Item{ID: "a", Hash: crypto.Hash([]byte("part"))}
	part := consensus.Part{ID: "a", Bytes: []byte("part")}

	m.Start(Target{Seq: 8, Root: root})
	if got := out.Take(); len(got.Jobs) != 1 || !m.Active() || m.Begun() || m.Target().Seq != 8 {
		t.Fatalf("start: %+v", got)
	}
	m.OnStaged(consensus.Staged{Missing: []consensus.Item{item}})
	asked := out.Take().Early
	if len(asked) != 1 || string(asked[0].Bytes) != "fetch a" || asked[0].Class != consensus.Bodies || asked[0].To.Replica == 1 || !m.Begun() {
		t.Fatalf("asked: %+v", asked)
	}
	from := asked[0].To.Replica
	m.OnParts(from, 8, root, []consensus.Part{part}, false)
	if _, put := out.Take().Jobs[0].(consensus.RestorePut); !put {
		t.Fatal("the part is not handed in")
	}
	m.OnStaged(consensus.Staged{From: from, Put: true, Bad: []consensus.Item{item}})
	told := out.Take()
	if len(told.Notes) != 1 || told.Notes[0].Kind != consensus.BadPart || told.Notes[0].Replica != from || told.Notes[0].Seq != 8 {
		t.Fatalf("a bad part: %+v", told.Notes)
	}
	other := told.Early[0].To.Replica
	if other == from || other == 1 {
		t.Fatalf("asks %d after %d", other, from)
	}
	if d := m.OnParts(other, 8, root, nil, true); !d.NeedTarget || m.Rounds() != 1 {
		t.Fatalf("with nobody left: %+v after %d rounds", d, m.Rounds())
	}
	m.Retarget(Target{Seq: 12, Root: root})
	if begin, ok := out.Take().Jobs[0].(consensus.RestoreBegin); !ok || begin.Seq != 12 {
		t.Fatalf("retarget: %+v", begin)
	}
	m.OnStaged(consensus.Staged{})
	if _, end := out.Take().Jobs[0].(consensus.RestoreEnd); !end || !m.Ending() {
		t.Fatal("all is in place, and the restore does not end")
	}
	if d := m.OnRestored(consensus.Restored{Seq: 12, Root: root, OK: true}); !d.Finished || m.Active() || m.Ending() {
		t.Fatalf("restored: %+v", d)
	}
}

// The other side: what is asked is read, what is read is sent, and an abort
// goes to the host.
func TestMoverServes(t *testing.T) {
	var out consensus.Outbox
	m := NewMover(0, 2, Words{
		Fetch: func(Ask) []byte { return nil },
		Reply: func(c consensus.Chunk) []byte { return []byte(c.Parts[0].ID) },
	}, &out)
	m.OnFetch(consensus.ReplicaPeer(1), 4, crypto.Digest{}, []consensus.Item{{ID: "a"}})
	reads := out.Take().Reads
	if len(reads) != 1 || reads[0].To != consensus.ReplicaPeer(1) || reads[0].Seq != 4 {
		t.Fatalf("reads: %+v", reads)
	}
	m.OnChunk(consensus.Chunk{Read: reads[0], Parts: []consensus.Part{{ID: "a"}}})
	if sent := out.Take().Early; len(sent) != 1 || sent[0].Class != consensus.Bulk || sent[0].To != reads[0].To || string(sent[0].Bytes) != "a" {
		t.Fatalf("sent: %+v", sent)
	}
	if m.Abort(); len(out.Take().Jobs) != 0 {
		t.Fatal("aborts what was not begun")
	}
	m.Start(Target{Seq: 4})
	if m.Abort(); len(out.Take().Jobs) != 2 || m.Active() {
		t.Fatal("no abort")
	}
}
