package main

// stateBugs: execution, exactly once, on every replica alike.
var stateBugs = []Bug{
	{
		Name: "dedupe-forgotten", From: "B37", What: "what was executed is executed again when it is ordered again",
		Edits: edit("app/session.go", "	case !found:\n", "	case !found, counter > 0:\n"),
		Rule:  Rule{"app", "TestTheWindow|TestARetransmissionIsAnsweredFromTheSession"}, Sim: true,
	},
	{
		Name: "stale-window", From: "B38", What: "a counter below the window is fresh",
		Edits: edit("app/session.go", "	case counter <= h && h-counter >= consensus.SessionWindow:\n		return verdict{code: consensus.RefusedStale}\n", ""),
		Rule:  Rule{"app", "TestTheWindow"}, Sim: true,
	},
	{
		Name: "stale-epoch", From: "B48", What: "an old request is let in once its session is dropped",
		Edits: edit("app/table.go", "	return now > t.limits.SessionIdle && epoch < uint64(now-t.limits.SessionIdle)", "	return now < 0"),
		Rule:  Rule{"app", "TestNothingIsReplayedAfterASessionIsDropped|TestEpochsLieNearExecutedTime"}, Sim: true,
	},
	{
		Name: "lower-epoch-accepted", From: "§3", What: "a request of an earlier epoch is executed",
		Edits: edit("app/table.go", "	case counter == 0, s != nil && epoch < s.epoch:", "	case counter == 0:"),
		Rule:  Rule{"app", "TestAHigherEpochOpensAFreshWindow"}, Sim: true,
	},
	{
		Name: "time-goes-back", From: "§4", What: "executed time is the primary's stamp, whatever was before",
		Edits: edit("app/position.go", "p.time = max(c.Batch.Stamp, p.time+1)", "p.time = c.Batch.Stamp"),
		Rule:  Rule{"app", "TestExecutedTime"}, Sim: true,
	},
	{
		Name: "any-batch-is-executed", From: "B23", What: "a commit may carry another batch than its digest names",
		Edits: edit("app/commit.go", "	case c.Digest != c.Batch.Digest():", "	case c.Seq == 0:"),
		Rule:  Rule{"app", "TestOnlyTheCertifiedBatchIsExecuted"},
	},
	{
		Name: "failed-operations-write", From: "B34", What: "an operation that fails leaves its writes behind",
		Edits: edit("app/commit.go", "o.err != nil || o.result.Code != consensus.ResultOK {", "o.err != nil {"),
		Rule:  Rule{"app", "TestAnOperationThatDoesNotSucceedLeavesNothing"}, Sim: true,
	},
	{
		Name: "history-outside-the-root", From: "B31", What: "the root does not cover which batches were executed",
		Edits: edit("app/position.go", "	p.history = crypto.Hash(append(b, c.Digest[:]...))\n", "	p.history = crypto.Hash(b[:0])\n"),
		Rule:  Rule{"app", "TestTheRootCoversEverything|TestRootsDependOnTheHistoryAlone"},
	},
	{
		Name: "sessions-outside-the-root", From: "B22", What: "sessions are not part of the state that a checkpoint covers",
		Edits: edit("app/commit.go", "	m.table.flush(tx)\n", "	m.table.forget()\n"),
		Rule:  Rule{"app", "TestTheRootCoversEverything|TestRestoreTakesOverEverything"}, Sim: true,
	},
	{
		Name: "own-clock-in-the-state", From: "§3", What: "the view, in which replicas differ, is part of the state",
		Edits: edit("app/commit.go", "	m.at.advance(c)\n", "	m.at.advance(c)\n	m.at.order += uint64(c.View)\n"),
		Rule:  Rule{"app", "TestRootsDoNotDependOnTheView"}, Sim: true,
	},
}
