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
		"", "[]", "{}", `{"peers": []}`, peer(`"rounds": []`), peer(`"rounds": [` + round + `], "protocol": "paxos"`), peer(`"rounds": [` + round + `], "throughput": 5`),
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
