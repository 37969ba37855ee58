package main

// checkpointBugs: checkpoints, water marks, catching up, and forks.
var checkpointBugs = []Bug{
	{
		Name: "checkpoint-by-f+1", From: "B31", What: "f+1 CHECKPOINTs make stable",
		Edits: edit("checkpoint/tracker.go", "r.certificate(v, t.rules.System.Quorum())", "r.certificate(v, t.rules.System.Weak())"),
		Rule:  Rule{"checkpoint", "TestQuorumMakesStable"}, Sim: true,
	},
	{
		Name: "checkpoint-of-any-root", From: "B7", What: "CHECKPOINTs are counted whatever root they name",
		Edits: edit("checkpoint/tracker.go", "		if o.Digest == v.Digest && len(c.Signed) < q {", "		if len(c.Signed) < q {"),
		Rule:  Rule{"checkpoint", "TestVotesThatDoNotCount|TestTrackerAgreesWithTheModel"}, Sim: true,
	},
	{
		Name: "checkpoint-votes-repeat", From: "B31", What: "a second CHECKPOINT of one signer counts as well",
		Edits: edit("checkpoint/tracker.go", "	if first := t.find(v.Replica, v.Seq); first != nil {", "	if first := t.find(v.Replica, v.Seq); first != nil && first.Digest == v.Digest {"),
		Rule:  Rule{"checkpoint", "TestVotesThatDoNotCount"}, Sim: true,
	},
	{
		Name: "log-cut-before-the-disk", From: "§5", What: "the log is cut at the stable checkpoint, on disk or not",
		Edits: edit("pbft/execute.go", "	n := min(r.low(), r.exec.kept)\n	if n <= r.exec.forgotten", "	n := r.low()\n	if n <= r.exec.forgotten"),
		Rule:  Rule{"sim", "TestPowerLossAtEveryPoint"}, Sim: true,
	},
	{
		Name: "log-never-cut", From: "§5", What: "nothing is ever forgotten",
		Edits: edit("pbft/execute.go", "	r.out.Forget = n\n", ""),
		Rule:  Rule{"pbft", "TestLeftViewIsStillKnown"}, Sim: true,
	},
	{
		Name: "divergence-overlooked", From: "B31", What: "a replica does not compare its root with the certified one",
		Edits: edit("pbft/execution.go", "		if own && root != next.Digest {\n			return nil, next\n		}\n", "		_ = root\n"),
		Rule:  Rule{"pbft", "TestDivergedIsRepaired"},
	},
	{
		Name: "votes-while-diverged", From: "§5", What: "who had to be repaired signs for the slots of its wrong state",
		Edits: edit("pbft/execute.go", "	r.exec.mute = max(r.exec.mute, c.Seq, r.exec.handed)\n", ""),
		Rule:  Rule{"pbft", "TestDivergedIsRepaired"},
	},
	{
		Name: "fork-repaired-away", From: "§5", What: "a certificate that contradicts another stops nobody",
		Edits: edit("pbft/execute.go", "	if other == nil || other.Digest == c.Digest {\n", "	if other == nil || other.Seq == c.Seq {\n"),
		Rule:  Rule{"pbft", "TestForkHalts"},
	},
	{
		Name: "stale-target-of-a-fetch", From: "B32", What: "a fetch whose state nobody serves any more is not turned to a newer one",
		Edits: edit("pbft/restore.go", "		if r.state.needTarget && c.Seq > r.state.Target().Seq {", "		if r.state.needTarget && c.Seq == 0 {"),
		Rule:  Rule{"pbft", "TestFetchTurnsToANewerState"}, Sim: true,
	},
	{
		Name: "nobody-falls-far-behind", From: "§5", What: "a replica far behind waits for slots that nobody has",
		Edits: edit("pbft/restore.go", "	if lags || r.exec.farBehind(r.low(), r.exec.handed) {", "	if lags && r.tick < 0 {"),
		Rule:  Rule{"sim", "TestGoldenPBFT"}, Sim: true,
	},
	{
		Name: "parts-unverified", From: "B32", What: "the parts of a state are not held against the certified root",
		Edits: edit("app/state/restore.go", "ok = crypto.Hash(part) == item.Hash; ok && wanted {", "ok = len(part) > 0; ok && wanted {"),
		Rule:  Rule{"app/state", "TestRestoreRefusesBadParts"}, Sim: true,
	},
	{
		Name: "bad-source-kept", From: "B32", What: "who served a bad part is asked again and again",
		Edits: edit("consensus/transfer/fetcher.go", "		f.leave(src, scoreBad)\n", "		_ = src\n"),
		Rule:  Rule{"consensus/transfer", "TestFetchLeavesLiar"}, Sim: true,
	},
	{
		Name: "silent-source-kept", From: "B32", What: "who stalls is waited for",
		Edits: edit("consensus/transfer/schedule.go", "src.silent++; src.silent >= patience {", "src.silent++; src.silent >= patience && src.asks < 0 {"),
		Rule:  Rule{"consensus/transfer", "TestFetchEndsWithOneHonestSource"}, Sim: true,
	},
	{
		Name: "evidence-frames-repetition", From: "§9", What: "the same words twice convict",
		Edits: edit("evidence/contradiction.go", "first.place != second.place || first.digest == second.digest", "first.place != second.place"),
		Rule:  Rule{"evidence", "TestTwoSignaturesUnderTheSameWordsConvictNobody|TestHonestPairsConvictNobody"},
	},
	{
		Name: "evidence-frames-the-honest", From: "§9", What: "two votes in different slots convict",
		Edits: edit("evidence/contradiction.go", "first.place != second.place || first.digest == second.digest", "first.digest == second.digest"),
		Rule:  Rule{"evidence", "TestHonestPairsConvictNobody"},
	},
	{
		Name: "evidence-without-signatures", From: "§9", What: "evidence is not held against its signatures",
		Edits: edit("evidence/contradiction.go", "	if err := j.signed(&first, &second); err != nil {\n		return Fault{}, err\n	}\n", ""),
		Rule:  Rule{"evidence", "TestEveryFlippedByteIsRejected"},
	},
}
