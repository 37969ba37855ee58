package main

// countingBugs: votes, quorums, and what a certificate proves.
var countingBugs = []Bug{
	{
		Name: "quorum-is-2f+1", From: "B8", What: "2f+1 is hard-coded, also where n is not 3f+1",
		Edits: edit("consensus/quorum/system.go", "quorum: (n + f + 2) / 2, replies", "quorum: 2*f + 1, replies"),
		Rule:  Rule{"consensus/quorum", "TestByzantineFollowsTheFormula"}, Sim: true, Quick: true,
	},
	{
		Name: "quorum-rounded-down", From: "B8", What: "(n+f+1)/2 without rounding up",
		Edits: edit("consensus/quorum/system.go", "quorum: (n + f + 2) / 2, replies", "quorum: (n + f + 1) / 2, replies"),
		Rule:  Rule{"internal/model", "TestQuorumArithmetic"}, Sim: true,
	},
	{
		Name: "weak-quorum-is-f", From: "§1", What: "f replicas count as one of which is honest",
		Edits: edit("consensus/quorum/system.go", "func (s System) Weak() int { return s.faults + 1 }", "func (s System) Weak() int { return max(1, s.faults) }"),
		Rule:  Rule{"viewchange", "TestJoin"}, Sim: true,
	},
	{
		Name: "votes-of-any-digest", From: "B1", What: "votes are counted by view and number alone",
		Edits: edit("pbft/slot.go", "	n := 0\n	for _, v := range b.votes {\n		if v != nil && v.Digest == d {", "	n := 0\n	for _, v := range b.votes {\n		if v != nil {"),
		Rule:  Rule{"pbft", "TestEquivocatingPrimary|TestCertifiedBatchIsExecuted"}, Sim: true,
	},
	{
		Name: "prepare-vote-short", From: "B2", What: "one PREPARE fewer prepares: the primary counts twice",
		Edits: edit("pbft/slot.go", "s.prepares.count(p.Digest) < q-1", "s.prepares.count(p.Digest) < q-2"),
		Rule:  Rule{"pbft", "TestEveryVoteIsNeeded"}, Sim: true,
	},
	{
		Name: "primary-prepares", From: "B2", What: "a PREPARE of the primary is let in",
		Edits: edit("pbft/message/vote.go", "v.Kind == PrePrepareKind && !primary || v.Kind == PrepareKind && primary", "v.Kind == PrePrepareKind && !primary"),
		Rule:  Rule{"pbft", "TestPrimaryDoesNotPrepare"}, Sim: true,
	},
	{
		Name: "commit-vote-short", From: "§4", What: "q-1 COMMITs commit",
		Edits: edit("pbft/slot.go", "d, ok := s.commits.majority(q)", "d, ok := s.commits.majority(q - 1)"),
		Rule:  Rule{"pbft", "TestEveryVoteIsNeeded"}, Sim: true,
	},
	{
		Name: "last-vote-counts", From: "B10", What: "a second vote of a signer replaces the first",
		Edits: edit("pbft/slot.go", "earlier = b.votes[v.Replica]; earlier == nil {", "earlier = b.votes[v.Replica]; earlier == nil || earlier.Digest != v.Digest {"),
		Rule:  Rule{"pbft", "TestFirstVoteStands"}, Sim: true,
	},
	{
		Name: "votes-outlive-their-view", From: "B6", What: "PREPAREs of the old view are still counted in the new one",
		Edits: edit("pbft/slot.go", "	s.prepares.clear()\n", ""),
		Rule:  Rule{"sim", "TestGoldenPBFT"}, Sim: true,
	},
	{
		Name: "certificate-signer-twice", From: "B5", What: "one signer may stand in a certificate twice",
		Edits: edit("pbft/message/certificate.go", "c.Signed[i-1].Replica >= sg.Replica", "c.Signed[i-1].Replica > sg.Replica"),
		Rule:  Rule{"pbft/message", "TestNoLyingCertificateIsOpened"}, Sim: true, Quick: true,
	},
	{
		Name: "certificate-of-outsiders", From: "B4", What: "the signers of a certificate need not be members",
		Edits: edit("pbft/message/certificate.go", "!r.member(sg.Replica) || i > 0", "i > 0"),
		Rule:  Rule{"pbft/message", "TestNoLyingCertificateIsOpened"}, Sim: true,
	},
	{
		Name: "certificate-without-quorum", From: "B33", What: "a certificate may have fewer signers",
		Edits: edit("pbft/message/certificate.go", "int(count) != r.System.Quorum()", "int(count) > r.System.Quorum()"),
		Rule:  Rule{"pbft/message", "TestCertificateQuorumForEveryClusterSize"}, Sim: true,
	},
	{
		Name: "certificate-without-proposal", From: "B5", What: "a prepared certificate needs no PRE-PREPARE",
		Edits: edit("pbft/message/certificate.go", "c.Kind == PreparedCertificate && !primary", "c.Kind > CheckpointCertificate && !primary"),
		Rule:  Rule{"pbft/message", "TestPreparedCertificateNeedsThePrimary"}, Sim: true,
	},
	{
		Name: "certificate-unverified", From: "B33", What: "the signatures of a slot's certificate given by a peer are not verified",
		Edits: edit("pbft/message/fetch.go", "	return r.claims(nil, g.Certificate), nil", "	return nil, nil"),
		Rule:  Rule{"pbft/message", "TestAnswersProveThemselves|TestNoLyingCertificateIsOpened"}, Sim: true,
	},
}
