package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
)

// TestTransactionText: what the lines mean.
func TestTransactionText(t *testing.T) {
	got, err := parseTxn("# note\n\nif exists \"a b\"\nif value k != \"\\x00\"\nif revision k > 7\nthen put k \"\"\nthen del x\nelse get y\n")
	if err != nil {
		t.Fatal(err)
	}
	op, err := kv.Decode(kv.Txn(got.compares, encoded(got.then), encoded(got.otherwise)))
	if err != nil {
		t.Fatal(err)
	}
	if len(op.If) != 3 || string(op.If[0].Key) != "a b" || string(op.If[1].Value) != "\x00" || op.If[2].Revision != 7 || op.If[2].Relation != kv.Greater {
		t.Errorf("conditions %+v", op.If)
	}
	if len(op.Then) != 2 || op.Then[0].Kind != kv.KindPut || len(op.Then[0].Value) != 0 || op.Then[1].Kind != kv.KindDelete || len(op.Else) != 1 {
		t.Errorf("operations %+v, else %+v", op.Then, op.Else)
	}
	for script, want := range map[string]string{
		"": "no operation", "when x\n": "begins with if, then or else", "then put k": "write: put KEY VALUE",
		"if value k ~ v\nthen get k": "write: exists KEY", "if revision k = x\nthen get k": "not a revision", "then get \"k": "does not end",
	} {
		if _, err := parseTxn(script); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", script, err, want)
		}
	}
}

// FuzzTransactionText: no text makes it panic, and what it accepts the store
// can decode.
func FuzzTransactionText(f *testing.F) {
	f.Add("if exists a\nthen put \"b c\" \"\\x00\"\nelse get d\n")
	f.Add("then del \"\\u00e4\"")
	f.Fuzz(func(t *testing.T, script string) {
		got, err := parseTxn(script)
		if err != nil || len(script) > 1000 {
			return
		}
		if _, err := kv.Decode(kv.Txn(got.compares, encoded(got.then), encoded(got.otherwise))); err != nil {
			t.Errorf("%q: %v", script, err)
		}
	})
}

// FuzzPlainText: entries stay on their line, whatever bytes they hold, and can
// be read back.
func FuzzPlainText(f *testing.F) {
	for _, s := range []string{"", "plain", "tab\tand\nline", `back\slash "quoted"`, "\x00\xff", "grüße", "\uFFFD"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		text := plainText(b)
		if strings.ContainsAny(text, "\t\n\r") || !utf8.ValidString(text) {
			t.Errorf("%q breaks its line: %q", b, text)
		}
		back, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
		if err != nil || back != string(b) {
			t.Errorf("%q reads back as %q: %v", text, back, err)
		}
	})
}

// TestWhatIsMissing: the reasons for standing still, in plain English.
func TestWhatIsMissing(t *testing.T) {
	lackOf := func(l consensus.Lack) string { return lack(l, speaks(t, protocol.PBFT)) }
	got := lackOf(consensus.Lack{What: "prepared certificate", InView: true, View: 2, Seq: 9, Have: []consensus.ReplicaID{0, 1}, Need: 3, Missing: []consensus.ReplicaID{2, 3}})
	if want := "the prepared certificate of sequence 9 in view 2: it has 2 of 3 (from 0,1); replica 2 or 3 could supply it"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got = lackOf(consensus.Lack{What: "clock of replica 2, which says that it is 1h0m0s ahead of most others", Missing: []consensus.ReplicaID{2}})
	if want := "the clock of replica 2, which says that it is 1h0m0s ahead of most others: set it right"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for want, l := range map[string]consensus.Lack{ // of no view
		"the checkpoint certificate of sequence 128: it has 2 of 3 (from 0,1); replica 2 or 3 could supply it": {What: "checkpoint certificate", Seq: 128, Have: []consensus.ReplicaID{0, 1}, Need: 3, Missing: []consensus.ReplicaID{2, 3}},
		"the parts of the state of sequence 64":                              {What: "parts of the state", Seq: 64},
		"the answers of replicas that did not lose their log: it has 0 of 3": {What: "answers of replicas that did not lose their log", Need: 3},
		"the PRE-PREPARE of sequence 1 in view 0":                            {What: "PRE-PREPARE", InView: true, Seq: 1},
	} {
		if got := lackOf(l); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	at := func(id int, v consensus.View, changing bool, waiting ...consensus.Lack) answer {
		return answer{Replica: id, Status: &consensus.Report{ClientProtocol: consensus.ClientProtocol, Status: consensus.Status{Replica: consensus.ReplicaID(id), View: v, Changing: changing, Pending: 1, Waiting: waiting}}}
	}
	rejoining := func(a answer) answer { a.Status.Rejoining = true; return a }
	system := quorum.Byzantine.System(4)
	for name, test := range map[string]struct {
		answers []answer
		want    []string
	}{
		"well":                 {[]answer{at(0, 1, false), at(1, 1, false), at(2, 1, false), at(3, 1, false)}, []string{"View 1, primary is replica 1.", "Idle: nothing is pending."}},
		"a lone liar":          {[]answer{at(0, 99, false), at(1, 1, false), at(2, 1, false), at(3, 1, false)}, []string{"View 1, primary is replica 1.", "Idle: nothing is pending."}},
		"the primary has left": {[]answer{at(0, 1, false), at(1, 2, true), at(2, 1, false), at(3, 1, false)}, []string{"View 1, primary is replica 1, which no longer leads.", "Idle: nothing is pending."}},
		"changing": {[]answer{at(0, 1, true), at(1, 1, true), at(2, 1, true, consensus.Lack{What: "NEW-VIEW", InView: true, View: 1, Need: 3}), at(3, 1, true)},
			[]string{"No view is known to be active.", "No progress until the next view begins: 0 of 4 replicas take part, 3 are needed; between views: 0, 1, 2, 3.", "Replica 2 waits for the NEW-VIEW in view 1: it has 0 of 3."}},
		"too few": {[]answer{{Replica: 0}, {Replica: 1}, at(2, 0, false), at(3, 0, false)},
			[]string{"View 0, primary is replica 0, which does not answer.", "No progress is possible: 2 of 4 replicas take part, 3 are needed; silent: 0, 1."}},
		"one dead, one rejoining": {[]answer{rejoining(at(0, 0, false)), at(1, 0, false), at(2, 0, false), {Replica: 3}},
			[]string{"View 0, primary is replica 0, which is rejoining and does not lead.", "No progress is possible: 2 of 4 replicas take part, 3 are needed; silent: 3; rejoining: 0."}},
	} {
		if got := explain(test.answers, system, speaks(t, protocol.PBFT)); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// speaks is a protocol by its name.
func speaks(t *testing.T, name string) protocol.Protocol {
	t.Helper()
	p, err := protocol.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRoles: a primary that cannot lead is called both.
func TestRoles(t *testing.T) {
	for want, s := range map[string]consensus.Status{
		"primary": {}, "backup": {Primary: 1}, "primary, rejoining": {Rejoining: true}, "rejoining": {Rejoining: true, Primary: 1},
		"changing view": {Changing: true}, "fetching state": {Fetching: 9, Primary: 1},
	} {
		if got := role(&s, speaks(t, protocol.PBFT)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestRaftInItsOwnWords: leaders and terms; whom the cluster follows is what its
// members say in the highest term, not what a number gives.
func TestRaftInItsOwnWords(t *testing.T) {
	at := func(id int, term consensus.View, leader int, waiting ...consensus.Lack) answer {
		s := consensus.Status{Protocol: protocol.Raft, Replica: consensus.ReplicaID(id), View: term, Primary: consensus.ReplicaID(max(leader, 0)), Changing: leader < 0, Waiting: waiting}
		return answer{Replica: id, Status: &consensus.Report{ClientProtocol: consensus.ClientProtocol, Status: s}}
	}
	rooted := func(a answer, root byte) answer { a.Status.RootSeq, a.Status.Root[0] = 64, root; return a }
	votes := consensus.Lack{What: "votes for a leader", InView: true, View: 4, Have: []consensus.ReplicaID{0}, Need: 2, Missing: []consensus.ReplicaID{1, 2}}
	for name, test := range map[string]struct {
		answers []answer
		want    []string
	}{
		"well":                   {[]answer{at(0, 3, 1), at(1, 3, 1), at(2, 3, 1)}, []string{"Term 3, leader is replica 1.", "Idle: nothing is pending."}},
		"just dead":              {[]answer{at(0, 3, 1), {Replica: 1}, at(2, 3, 1)}, []string{"Term 3, leader is replica 1, which does not answer.", "Idle: nothing is pending."}},
		"an old leader, cut off": {[]answer{at(0, 2, 0), at(1, 3, 1), at(2, 3, 1)}, []string{"Term 3, leader is replica 1.", "Idle: nothing is pending."}},
		"alone": {[]answer{at(0, 4, -1, votes), {Replica: 1}, {Replica: 2}},
			[]string{"No leader is known: the highest term is 4.", "No progress is possible: 1 of 3 replicas take part, 2 are needed; silent: 1, 2.",
				"Replica 0 waits for votes for a leader in term 4: it has 1 of 2 (from 0); replica 1 or 2 could supply it."}},
		"election": {[]answer{at(0, 4, -1), {Replica: 1}, at(2, 4, -1)},
			[]string{"No leader is known: the highest term is 4.", "No progress until a leader is elected: 0 of 3 replicas take part, 2 are needed; silent: 1; without a leader: 0, 2."}},
		"a vote given twice": {[]answer{at(0, 4, 0), at(1, 4, 1), at(2, 4, 0)},
			[]string{"Term 4 has more than one leader, replicas 0,1: a member voted twice, because it lies or has lost its disk.", "Idle: nothing is pending."}},
		"forked": {[]answer{rooted(at(0, 4, 0), 1), rooted(at(1, 4, 0), 2), rooted(at(2, 4, 0), 1)},
			[]string{"Term 4, leader is replica 0.", "THE STATES DIFFER: the root at index 64 is 01000000 at replica 0,2, and 02000000 at replica 1; run `quorate check`."}},
	} {
		if got := explain(test.answers, quorum.Crash.System(3), speaks(t, protocol.Raft)); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	p := speaks(t, protocol.Raft)
	for want, s := range map[string]consensus.Status{"leader": {}, "follower": {Primary: 1}, "no leader": {Changing: true}, "fetching state": {Fetching: 9, Primary: 1}} {
		if got := role(&s, p); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestIdleIsNotWaiting: who lacks a proposal that nobody asked for lacks nothing;
// what others than the primary owe is lacked all the same.
func TestIdleIsNotWaiting(t *testing.T) {
	for _, test := range []struct {
		pending, missing, need int
		inView                 bool
		want                   int
	}{{0, 2, 0, true, 0}, {1, 2, 0, true, 1}, {0, 1, 0, true, 1}, {0, 2, 0, false, 1}, {0, 2, 3, false, 1}} {
		s := consensus.Status{Primary: 2, Pending: test.pending, Waiting: []consensus.Lack{{
			What: "it", InView: test.inView, Need: test.need, Missing: []consensus.ReplicaID{consensus.ReplicaID(test.missing)},
		}}}
		withoutIdle(&s)
		if len(s.Waiting) != test.want {
			t.Errorf("%+v: waits for %v", test, s.Waiting)
		}
	}
}

// TestNamesForPrograms: one style, whatever the types are called.
func TestNamesForPrograms(t *testing.T) {
	for name, want := range map[string]string{"PeerID": "peer_id", "RootSeq": "root_seq", "InFlight": "in_flight", "View": "view", "peer_id": "peer_id", "seconds": "seconds"} {
		if got := snake(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	got := renamed(map[string]any{"Heard": nil, "Waiting": []any{map[string]any{"Need": json.Number("3")}}})
	if want := `map[heard:[] waiting:[map[need:3]]]`; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// TestQuotedLines: the corrected line is one that a shell reads as meant.
func TestQuotedLines(t *testing.T) {
	got := line([]string{"/some/path/quorate", "kv", "put", "--dir", "a b", "it's", "", "*", "x/y.z"})
	if want := `quorate kv put --dir 'a b' 'it'\''s' '' '*' x/y.z`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestNumbersAgreeWithTheirNouns: nobody has 1 replicas.
func TestNumbersAgreeWithTheirNouns(t *testing.T) {
	for n, want := range map[int]string{0: "0 callers", 1: "1 caller", 2: "2 callers"} {
		if got := noun.Several(n, "caller"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// TestErrorsInOurWords: what libraries put into errors is no explanation.
func TestErrorsInOurWords(t *testing.T) {
	for theirs, want := range map[string]string{
		"the cluster is not ready: context deadline exceeded":    "the cluster is not ready",
		"gave up waiting (context deadline exceeded): replica 0": "gave up waiting (time ran out): replica 0",
		"key: file does not exist":                               "key",
		"one: file does not exist\ntwo":                          "one\ntwo",
		"--file: open no/where: no such file or directory":       "--file: no/where does not exist",
		"mkdir /proc/x: no such file or directory":               "no directory can be made at /proc/x: choose another place",
		"read tree: is a directory":                              "tree is a directory, not a file",
		"lstat tree/file/x: not a directory":                     "tree/file/x is a file, or lies below one: choose a directory",
		`seed: strconv.ParseInt: parsing "1x": invalid syntax`:   `seed: "1x" is no number that is possible here`,
		`time: missing unit in duration "5"`:                     `"5" is no duration: write 500ms, 30s or 2m`,
		"replica 1: its log says that time ran out: ask later":   "replica 1: its log says that time ran out: ask later",
	} {
		if got := inOurWords(theirs); got != want {
			t.Errorf("%s: got %q, want %q", theirs, got, want)
		}
	}
}

// TestNearest: names that are spelled alike, and none where there is none.
func TestNearest(t *testing.T) {
	words := []string{"up", "down", "detach", "restart", "n"}
	for word, want := range map[string]string{"upp": "up", "pu": "up", "deatch": "detach", "restrat": "restart", "det": "detach", "bogus": "", "x": "", "": ""} {
		if got := nearest(word, words); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}
