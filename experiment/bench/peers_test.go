package bench

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestExampleOfPeers: the file that the documents show is one.
func TestExampleOfPeers(t *testing.T) {
	p, err := ReadPeers("../../examples/bench/peers.json")
	if err != nil || len(p.Peers) < 2 || p.Note == "" {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestPeersAreRead strictly.
func TestPeersAreRead(t *testing.T) {
	const round = `{"operations_per_second": 5}`
	peer := func(rest string) string { return `{"peers": [{"name": "x", "clients": 1, ` + rest + `}]}` }
	if p, err := parsePeers(strings.NewReader(peer(`"rounds": [` + round + `]`))); err != nil || p.Peers[0].Rounds[0].P99 != nil {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []string{
		"", "[]", "{}", `{"peers": []}`, peer(`"rounds": []`), peer(`"rounds": [` + round + `], "protocol": "zab"`), peer(`"rounds": [` + round + `], "throughput": 5`),
		peer(`"rounds": [{}]`), peer(`"rounds": [{"operations_per_second": -1}]`), peer(`"rounds": [{"operations_per_second": 1, "p50_ms": -1}]`),
		peer(`"rounds": [`+round+`]`) + "{}", peer(`"rounds": [` + round + strings.Repeat(","+round, maxPeerRounds) + `]`),
		`{"note": "` + strings.Repeat("x", maxPeerText+1) + `", "peers": [{"name": "x", "clients": 1, "rounds": [` + round + `]}]}`,
		`{"peers": [{"name": "", "clients": 1, "rounds": [` + round + `]}]}`, `{"peers": [{"name": "x", "rounds": [` + round + `]}]}`,
		fmt.Sprintf("%*s", maxPeersBytes+1, "{}"),
	} {
		if p, err := parsePeers(strings.NewReader(bad)); !errors.Is(err, errPeers) {
			t.Errorf("%.200s is read as %+v, %v", bad, p, err)
		}
	}
	if _, err := ReadPeers("nowhere"); !errors.Is(err, errPeers) {
		t.Errorf("%v", err)
	}
}

// TestPeersThatCannotBeRead: why is told in our words, with the line.
func TestPeersThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		" \n": "it is empty", "{\n\"peers\": [\n,]}": `line 3: no JSON has "," there`, "\xff": "line 1: no JSON has hex ff there", "€": `line 1: no JSON has "€" there`,
		"{\n\"peers\": [": "line 2: it ends before it is complete", "{}\n{}": `line 2: no JSON has "{" there`, "{\"note\": \"a\nb\"}": `line 1: no JSON has "\n" there`,
		"[]": "line 1: the whole must be an object, not a list", "{\n\"peers\": 3}": "line 2: peers must be a list, not a number",
		"{\"peers\": [\n{\"clients\":\n\"many\"}]}": "line 3: peers.clients must be a whole number, not a text", `{"note": 1}`: "line 1: note must be a text, not a number",
		`{"peers": [{"clients": 1.5}]}`: "line 1: peers.clients must be a whole number, not 1.5", `{"peers": [{"rounds": [{"p50_ms": true}]}]}`: "line 1: peers.rounds.p50_ms must be a number, not true or false",
		"{\"note\": \"speed\",\n\"speed\" : 5}": `line 2: unknown field "speed"`,
	} {
		if _, err := parsePeers(strings.NewReader(text)); !errors.Is(err, errPeers) || err.Error() != errPeers.Error()+": "+want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
