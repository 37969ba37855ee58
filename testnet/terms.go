package testnet

import (
	"quorate.dev/quorate/consensus/quorum"
)

// Terms are the words in which people speak of a protocol. A status has one set
// of fields for all of them: what it calls view and primary are Raft's term and
// leader.
type Terms struct {
	View    string // "view" or "term"
	Lead    string // who proposes: "primary" or "leader"
	Follow  string // who does not: "backup" or "follower"
	Between string // the role of one that is in no view: "changing view" or "no leader"
	Place   string // what a batch stands at: "sequence" or "index"
}

// TermsOf answers the words for a protocol, as package quorum names it; those of
// PBFT for one that it does not know.
func TermsOf(protocol string) Terms {
	if protocol == quorum.Raft {
		return Terms{View: "term", Lead: "leader", Follow: "follower", Between: "no leader", Place: "index"}
	}
	return Terms{View: "view", Lead: "primary", Follow: "backup", Between: "changing view", Place: "sequence"}
}
