package main

// raftBugs are of the crash-fault protocol: what its door lets in, its clock,
// what is recorded, and how a state moves.
var raftBugs = []Bug{
	{
		Name: "raft-sender-unbound", From: "§10", What: "a message speaks for whom it says, whatever its channel",
		Edits: edit("raft/protocol.go", "	case m.From != id(f.From.Replica) || m.To != id(p.cfg.Self):\n", "	case m.To != id(p.cfg.Self):\n"),
		Rule:  Rule{"raft", "TestOpen"},
	},
	{
		Name: "raft-own-talk-of-the-library", From: "§10", What: "members may send what the library says to itself",
		Edits: edit("raft/protocol.go", "	case !spoken(m.Type) || ", "	case "),
		Rule:  Rule{"raft", "TestOpen|TestMessagesCarryWhatTheyMay"},
	},
	{
		Name: "raft-entries-with-gaps", From: "§10", What: "entries of a message need not follow each other",
		Edits: edit("raft/protocol.go", " || e.Index != m.Index+1+uint64(i) || ", " || "),
		Rule:  Rule{"raft", "TestOpen"},
	},
	{
		Name: "raft-membership-changes", From: "§10", What: "an entry may change the membership",
		Edits: edit("raft/protocol.go", "e.Type != pb.EntryNormal || ", ""),
		Rule:  Rule{"raft", "TestOpen"},
	},
	{
		Name: "raft-membership-in-a-snapshot", From: "§10", What: "a snapshot may name another membership",
		Edits: edit("raft/protocol.go", "err != nil || !fixed(&m.Snapshot.Metadata.ConfState, p.system.Size())", "err != nil || len(m.Snapshot.Metadata.ConfState.Voters) != p.system.Size()"),
		Rule:  Rule{"raft", "TestHandles"},
	},
	{
		Name: "raft-entries-unsigned", From: "§10", What: "the signatures of requests in an entry are not verified",
		Edits: edit("raft/protocol.go", "			claims = append(claims, req.Claim(p.door.Cluster))\n		}\n	}\n	return m, claims, \"\"", "			_ = req\n		}\n	}\n	return m, claims, \"\""),
		Rule:  Rule{"raft", "TestOpen|TestGroupsAreJudgedOneByOne"},
	},
	{
		Name: "raft-batches-without-limits", From: "§10", What: "a batch in an entry may break every limit",
		Edits: edit("raft/protocol.go", "err := p.door.CheckBatch(b); err != nil", "err := p.door.CheckBatch(b); err != nil && b.Stamp < 0"),
		Rule:  Rule{"raft", "TestOpen|TestEntriesKeepTheLimits"},
	},
	{
		Name: "raft-panics-with-the-library", From: "§10", What: "what the library panics on ends the process",
		Edits: edit("raft/replica.go", "		if p := recover(); p != nil {\n", "		if p := any(nil); p != nil {\n"),
		Rule:  Rule{"raft", "TestPanicIsSurvived"},
	},
	{
		Name: "raft-acknowledged-beyond-the-log", From: "§10", What: "a leader believes acknowledgements of what it never sent",
		Edits: edit("raft/replica.go", "	return last, m.Index > last\n", "	return last, m.Index > last && r.id > 99\n"),
		Rule:  Rule{"raft", "TestAcknowledgementOfNothing"},
	},
	{
		Name: "raft-everybody-ticks", From: "§10", What: "followers get the library's ticks, too, whose timeouts no seed decides",
		Edits: edit("raft/clock.go", "	if r.leading() {\n		r.node.Tick()\n", "	r.node.Tick()\n	if r.leading() {\n"),
		Rule:  Rule{"raft", "TestOnlyALeaderTicks"},
	},
	{
		Name: "raft-one-countdown-for-all", From: "§10", What: "all members draw the same countdowns",
		Edits: edit("raft/replica.go", `fmt.Appendf(nil, "quorate/raft/election/%d/%d", rec.Nonce, r.id)`, `fmt.Appendf(nil, "quorate/raft/election")`),
		Rule:  Rule{"raft", "TestCountdownIsSeeded"}, Sim: true,
	},
	{
		Name: "raft-lease-without-end", From: "§10", What: "a dead leader is believed in, and nobody gets a vote",
		Edits: edit("raft/clock.go", "	if r.clock.lease == 0 {\n", "	if r.clock.lease == -1<<40 {\n"),
		Rule:  Rule{"raft", "TestLeaseEnds"}, Sim: true, Quick: true,
	},
	{
		Name: "raft-old-leaders-rest", From: "§10", What: "a leader of an earlier term keeps others from campaigning",
		Edits: edit("raft/clock.go", "pb.MsgSnap) && m.Term >= before.Term", "pb.MsgSnap)"),
		Rule:  Rule{"raft", "TestLeadersWordRests"},
	},
	{
		Name: "raft-voters-campaign", From: "§10", What: "whoever has given its vote campaigns all the same",
		Edits: edit("raft/clock.go", "	if leads || voted {\n", "	if leads || voted && m.Term == 0 {\n"),
		Rule:  Rule{"raft", "TestVoteRests"}, Sim: true,
	},
	{
		Name: "raft-without-prevote", From: "§10", What: "who was cut off deposes the leader on its return",
		Edits: edit("raft/replica.go", "PreVote: r.cfg.PreVote, ", "PreVote: false, "),
		Rule:  Rule{"raft", "TestPreVote"},
	},
	{
		Name: "raft-without-checkquorum", From: "§10", What: "a leader that nobody hears goes on for ever",
		Edits: edit("raft/replica.go", "CheckQuorum: r.cfg.CheckQuorum, ", "CheckQuorum: false, "),
		Rule:  Rule{"raft", "TestCheckQuorum"},
	},
	{
		Name: "raft-snapshot-sent-once", From: "§10", What: "a snapshot that is lost is never sent again",
		Edits: edit("raft/clock.go", "		r.tickSnapshots()\n", ""),
		Rule:  Rule{"raft", "TestSnapshotIsSentAgain"}, Sim: true,
	},
	{
		Name: "raft-request-not-forwarded", From: "§10", What: "a follower does not hand requests to its leader",
		Edits: edit("raft/requests.go", "	r.out.SendEarly(consensus.ReplicaPeer(r.leader()), consensus.Bodies, p.Request.Raw)\n", ""),
		Rule:  Rule{"raft", "TestRequestIsForwarded"}, Sim: true,
	},
	{
		Name: "raft-requests-in-circles", From: "§10", What: "what a replica forwarded is forwarded again",
		Edits: edit("raft/requests.go", "	if p.Lane != r.requests.ClientLane() || r.leader() == r.id {\n", "	if r.leader() == r.id {\n"),
		Rule:  Rule{"raft", "TestForwardedRequestsEndHere"}, Sim: true,
	},
	{
		Name: "raft-log-is-proposed-again", From: "§10", What: "a new leader proposes again what stands in its log",
		Edits: edit("raft/requests.go", "			r.requests.Stands(b)\n", "			_ = b\n"),
		Rule:  Rule{"raft", "TestExactlyOnceOverALeaderChange"}, Sim: true,
	},
	{
		Name: "raft-leader-known-yet-refused", From: "§10", What: "who has just heard of a leader goes on refusing",
		Edits: edit("raft/requests.go", "r.node.BasicStatus().Lead == raft.None && r.clock", "r.node.BasicStatus().Lead != raft.None+1<<40 && r.clock"),
		Rule:  Rule{"raft", "TestNoLeader"},
	},
	{
		Name: "raft-pipeline-without-end", From: "§10", What: "a leader proposes however much is not yet committed",
		Edits: edit("raft/requests.go", "r.inFlight() < r.cfg.Pipeline && ", ""),
		Rule:  Rule{"raft", "TestPipelineIsBounded"},
	},
	{
		Name: "raft-leader-outruns-its-disk", From: "§5", What: "a leader's log reaches as far beyond its disk as it likes",
		Edits: edit("raft/requests.go", " && !r.full(r.exec.proposed+1)", ""),
		Rule:  Rule{"raft", "TestLogIsBoundedByTheDisk"}, Sim: true,
	},
	{
		Name: "raft-follower-outruns-its-disk", From: "§5", What: "a follower takes whatever its leader sends",
		Edits: edit("raft/replica.go", "		r.inOrder(r.room(m))\n", "		r.inOrder(m)\n"),
		Rule:  Rule{"raft", "TestLogIsBoundedByTheDisk"}, Sim: true,
	},
	{
		Name: "raft-slow-host-is-flooded", From: "§5", What: "entries are handed out without a bound",
		Edits: edit("raft/execute.go", " && r.exec.handed-r.exec.applied < r.cfg.Genesis.Window {", " {"),
		Rule:  Rule{"raft", "TestSlowHostIsHandedAWindow"}, Sim: true,
	},
	{
		Name: "raft-commit-during-a-restore", From: "B22", What: "entries are handed out while a state is being fetched",
		Edits: edit("raft/execute.go", "	for !r.state.Active() && ", "	for "),
		Rule:  Rule{"raft", "TestNothingIsExecutedDuringARestore|TestNothingIsExecutedBeforeARestoreBegins"}, Sim: true,
	},
	{
		Name: "raft-log-never-compacted", From: "§10", What: "the log in memory grows for ever",
		Edits: edit("raft/execute.go", "		_ = r.store.Compact(upTo) ", "		_ = upTo "),
		Rule:  Rule{"raft", "TestLogIsCompacted"}, Sim: true,
	},
	{
		Name: "raft-tail-without-end", From: "§10", What: "the entries kept below a snapshot are not counted in bytes",
		Edits: edit("raft/execute.go", " && bytes < tailBytes {", " && bytes >= 0 {"),
		Rule:  Rule{"raft", "TestTailIsBoundedInBytes"},
	},
	{
		Name: "raft-vote-forgotten", From: "B35", What: "a vote leaves before it is on disk",
		Edits: edit("raft/store.go", "r.recordHard(!rd.MustSync)", "r.recordHard(true)"),
		Rule:  Rule{"raft", "TestVoteIsGivenOnce"}, Sim: true, Quick: true,
	},
	{
		Name: "raft-entry-forgotten", From: "B35", What: "an entry is acknowledged before it is on disk",
		Edits: edit("raft/store.go", "r.out.Record(consensus.Seq(max(last, e.Index)), tagged", "r.out.RecordLazy(consensus.Seq(max(last, e.Index)), tagged"),
		Rule:  Rule{"raft", "TestAcknowledgedEntriesAreOnDisk"}, Sim: true,
	},
	{
		Name: "raft-truncation-forgotten", From: "B35", What: "an entry that truncates is forgotten before what it truncates",
		Edits: edit("raft/store.go", "r.out.Record(consensus.Seq(max(last, e.Index)), tagged", "r.out.Record(consensus.Seq(e.Index), tagged"),
		Rule:  Rule{"raft", "TestTruncationOutlivesTheTruncated"}, Sim: true,
	},
	{
		Name: "raft-term-cut-off", From: "B35", What: "term and vote go with the segment that they were written in",
		Edits: edit("raft/execute.go", "	r.recordHard(false)\n", ""),
		Rule:  Rule{"raft", "TestHardStateOutlivesTheLog"}, Sim: true,
	},
	{
		Name: "raft-snapshot-unrecorded", From: "B35", What: "nothing says that the log begins anew behind a snapshot",
		Edits: edit("raft/store.go", "			r.out.Record(consensus.Seq(max(last, meta.Index))+1, tagged(recordBase, body))\n", "			_ = body\n"),
		Rule:  Rule{"raft", "TestInstalledStateVoidsTheLog"}, Sim: true,
	},
	{
		Name: "raft-log-of-another-history", From: "§8", What: "entries above a leader's state are believed that it replaced",
		Edits: edit("raft/recover.go", "		if e.Index == n && e.Term != term {\n", "		if e.Index == n && e.Term != term && n == 0 {\n"),
		Rule:  Rule{"raft", "TestReplay"}, Sim: true,
	},
	{
		Name: "raft-commit-beyond-the-log", From: "§8", What: "a commit index that outlived its entries is believed",
		Edits: edit("raft/recover.go", "	log.hard.Commit = min(max(log.hard.Commit, uint64(rec.Height)), last)\n", "	log.hard.Commit = max(log.hard.Commit, uint64(rec.Height), 0*last)\n"),
		Rule:  Rule{"raft", "TestForeignLogsAreRefused"}, Sim: true,
	},
	{
		Name: "raft-fetches-the-past", From: "§10", What: "a state is fetched that is committed here",
		Edits: edit("raft/restore.go", "	case s.message.Term < st.Term || uint64(s.seq) <= st.Commit:\n", "	case s.message.Term < st.Term:\n"),
		Rule:  Rule{"raft", "TestSnapshotOfThePast"}, Sim: true,
	},
	{
		Name: "raft-state-of-a-deposed-leader", From: "§10", What: "a state is thrown away when it has come, if its leader is deposed",
		Edits: edit("raft/restore.go", "	told.Term = max(m.Term, st.Term)\n", "	told.Term = m.Term\n"),
		Rule:  Rule{"raft", "TestDeposedLeadersStateIsInstalled"}, Sim: true,
	},
	{
		Name: "raft-fetch-sticks", From: "§10", What: "a fetch goes on that the log has overtaken",
		Edits: edit("raft/execute.go", "		r.resume(committed)\n", ""),
		Rule:  Rule{"raft", "TestLogOvertakesAFetch"}, Sim: true,
	},
	{
		Name: "raft-fetch-ends-twice", From: "§10", What: "a fetch is given up while the host puts the state together",
		Edits: edit("raft/restore.go", "!r.state.Begun() || r.state.Ending() || committed", "!r.state.Begun() || committed"),
		Rule:  Rule{"raft", "TestEndOfARestoreIsAwaited"}, Sim: true,
	},
	{
		Name: "raft-leads-without-a-state", From: "§10", What: "whoever fetches a state goes on with its campaign",
		Edits: edit("raft/restore.go", "	r.follow(s.message)\n", "	r.rest()\n"),
		Rule:  Rule{"raft", "TestNoCampaignDuringARestore"},
	},
}
