package node

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// of is a protocol of this program.
func of(t *testing.T, name string) protocol.Protocol {
	t.Helper()
	p, err := protocol.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRaftIsReportedInItsOwnWords: logs and health speak of terms and leaders.
func TestRaftIsReportedInItsOwnWords(t *testing.T) {
	var text bytes.Buffer
	r := newReporter(slog.New(slog.NewTextHandler(&text, nil)), newMetrics(), of(t, protocol.Raft))
	r.report([]consensus.Note{
		{Kind: consensus.LeftView, View: 4, Reason: "unheard"}, {Kind: consensus.EnteredView, View: 5, Replica: 2}, {Kind: consensus.Alarm, View: 5, Text: "look"},
	})
	for _, want := range []string{`msg="entered term" term=5 leader=2 left_because=unheard`, "msg=alarm term=5"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	s := consensus.Status{View: 7, Changing: true, Heard: []consensus.ReplicaID{0, 1}}
	if why := unready(of(t, protocol.Raft), &s, 2); len(why) != 1 || why[0] != "it knows no leader; the last term was 7" {
		t.Errorf("got %q", why)
	}
}
