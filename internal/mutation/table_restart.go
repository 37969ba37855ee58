package main

// restartBugs: what a replica must still know after a crash, and what it must
// not say after a lost disk.
var restartBugs = []Bug{
	{
		Name: "law-broken", From: "§4", What: "nothing waits for the disk",
		Edits: edit("consensus/driver/driver.go", "			d.gate = d.last\n", "			d.gate = 0\n"),
		Rule:  Rule{"consensus/driver", "TestLaw|TestOutputWaitsForItsRecords"}, Sim: true, Quick: true,
	},
	{
		Name: "forget-released-early", From: "§5", What: "the log shrinks before what replaces it is on disk",
		Edits: edit("consensus/driver/driver.go", "	d.append(out.Records)\n", "	d.forget = max(d.forget, out.Forget)\n	d.append(out.Records)\n"),
		Rule:  Rule{"consensus/driver", "TestForgetFollowsItsOwnRecords"}, Sim: true,
	},
	{
		Name: "prepare-unrecorded", From: "B35", What: "a PREPARE is forgotten at a restart",
		Edits: edit("pbft/normal.go", "		b := v.Encode()\n		r.out.Record(s.seq, b)\n", "		b := v.Encode()\n"),
		Rule:  Rule{"pbft", "TestRestartDoesNotContradict|TestEveryVoteIsOnDisk"}, Sim: true,
	},
	{
		Name: "prepare-recorded-lazily", From: "B35", What: "a PREPARE leaves before it is on disk",
		Edits: edit("pbft/normal.go", "		b := v.Encode()\n		r.out.Record(s.seq, b)\n", "		b := v.Encode()\n		r.out.RecordLazy(s.seq, b)\n"),
		Rule:  Rule{"pbft", "TestEveryVoteIsOnDisk"}, Sim: true,
	},
	{
		Name: "commit-unrecorded", From: "B35", What: "a COMMIT is forgotten at a restart",
		Edits: edit("pbft/normal.go", "	r.out.Record(s.seq, c.Encode())\n	r.out.Record(s.seq, b)\n", "	r.out.Record(s.seq, c.Encode())\n"),
		Rule:  Rule{"pbft", "TestEveryVoteIsOnDisk"}, Sim: true,
	},
	{
		Name: "prepared-certificate-unrecorded", From: "§4", What: "what prepared is forgotten at a restart",
		Edits: edit("pbft/normal.go", "	r.out.Record(s.seq, c.Encode())\n	r.out.Record(s.seq, b)\n", "	r.out.Record(s.seq, b)\n"),
		Rule:  Rule{"pbft", "TestRestartedReplicaSaysWhatPrepared"}, Sim: true,
	},
	{
		Name: "proposal-unrecorded", From: "B35", What: "a primary forgets at a restart what it proposed",
		Edits: edit("pbft/normal.go", "	r.out.Record(n, pp.Frame)\n", ""),
		Rule:  Rule{"pbft", "TestRestartedPrimaryDoesNotProposeTwice|TestEveryVoteIsOnDisk"}, Sim: true,
	},
	{
		Name: "body-unrecorded", From: "§4", What: "a backup votes for a batch that it has not on disk",
		Edits: edit("pbft/normal.go", "	if frame != nil {\n		r.out.Record(s.seq, frame)\n	}\n", ""),
		Rule:  Rule{"pbft", "TestRestartDoesNotContradict|TestAllRestart"}, Sim: true,
	},
	{
		Name: "checkpoint-unrecorded", From: "B35", What: "a CHECKPOINT is forgotten at a restart",
		Edits: edit("pbft/execute.go", "		r.out.Record(n, v.Encode())\n", ""),
		Rule:  Rule{"pbft", "TestEveryVoteIsOnDisk"}, Sim: true,
	},
	{
		Name: "view-change-unrecorded", From: "B14", What: "a VIEW-CHANGE is forgotten at a restart",
		Edits: edit("pbft/view.go", "		r.out.Record(at, vc.Frame)\n", ""),
		Rule:  Rule{"pbft", "TestViewChangeWordForWord"}, Sim: true,
	},
	{
		Name: "new-view-unrecorded", From: "§5", What: "the view that was entered is forgotten at a restart",
		Edits: edit("pbft/view.go", "		r.out.Record(at, r.view.newView.Frame)\n", ""),
		Rule:  Rule{"pbft", "TestLeftViewIsStillKnown|TestVotesBeforeARewrittenNewView"}, Sim: true,
	},
	{
		Name: "votes-replayed-first", From: "§4", What: "the log is replayed in the order in which it was written",
		Edits: edit("pbft/recover.go", "	for _, take := range []func([]byte) error{past.position, past.slot} {", "	for _, take := range []func([]byte) error{func(b []byte) error { return errors.Join(past.position(b), past.slot(b)) }} {"),
		Rule:  Rule{"pbft", "TestVotesBeforeARewrittenNewView"}, Sim: true,
	},
	{
		Name: "damage-overlooked", From: "B36", What: "a record that fails its checksum is taken for whole",
		Edits: edit("storage/recover.go", "f.seq != r.seq+1 || f.synced > r.seq || chainOf(r.chain, head[:], body) != f.chain", "f.seq != r.seq+1 || f.synced > r.seq"),
		Rule:  Rule{"storage", "TestTornTailIsCutAtEveryByte|TestEveryFlippedBitInAnEarlierSegmentIsRefused"},
	},
	{
		Name: "synced-damage-cut-off", From: "B36", What: "damage in the middle of the log is cut like a torn tail",
		Edits: edit("storage/recover.go", "			t.contradiction = t.contradiction || f.synced >= missing\n", ""),
		Rule:  Rule{"storage", "TestDamageBeforeTheLastGroupOfTheActiveSegmentIsRefused"},
	},
	{
		Name: "amnesia-ignored", From: "§8", What: "a wiped replica goes on as if it were new",
		Edits: edit("pbft/recover.go", "		r.rejoin.asleep = true\n", ""),
		Rule:  Rule{"pbft", "TestAmnesiacIsSilentThenVotes"}, Sim: true,
	},
	{
		Name: "rejoin-without-waiting", From: "§8", What: "a wiped replica votes before its target is stable",
		Edits: edit("pbft/rejoining.go", "!j.known || low < j.target || handed < j.target {", "!j.known {"),
		Rule:  Rule{"pbft", "TestAmnesiacIsSilentThenVotes"}, Sim: true,
	},
	{
		Name: "rejoin-in-this-view", From: "§8", What: "a wiped replica votes in views that it may have forgotten",
		Edits: edit("pbft/rejoining.go", "	view := max(views[need-1], yours) + 2\n", "	view := max(views[need-1], yours)\n"),
		Rule:  Rule{"pbft", "TestAwakeVotesInLaterViewsOnly|TestRejoinCountsViewsThatOthersGoFor"}, Sim: true,
	},
	{
		Name: "rejoin-believes-the-highest", From: "§8", What: "one liar's view of the far future keeps a wiped replica out",
		Edits: edit("pbft/rejoining.go", "max(views[need-1], yours)", "max(views[len(views)-1], yours)"),
		Rule:  Rule{"pbft", "TestLowestAnswersCount"}, Sim: true,
	},
	{
		Name: "rejoin-believes-one", From: "§8", What: "one answer is enough to know what was forgotten",
		Edits: edit("pbft/rejoining.go", "	need := j.needed()\n", "	need := 1\n"),
		Rule:  Rule{"pbft", "TestRejoinNeedsManyAnswers"}, Sim: true,
	},
	{
		Name: "rejoin-limits-unrecorded", From: "§8", What: "a wiped replica that restarts forgets that it was wiped",
		Edits: edit("pbft/view.go", "		r.out.Record(at, b)\n", "		_ = b\n"),
		Rule:  Rule{"pbft", "TestRejoinLimitsOutliveTheLog"}, Sim: true,
	},
	{
		Name: "nobody-fills", From: "§8", What: "an idle cluster does not go on for one that rejoins",
		Edits: edit("pbft/normal.go", "if r.peers.fillUntil() < r.view.next {", "if r.tick >= 0 {"),
		Rule:  Rule{"pbft", "TestAmnesiacIsSilentThenVotes"}, Sim: true,
	},
}
