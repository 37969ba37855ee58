package main

// normalBugs: the normal case of one replica.
var normalBugs = []Bug{
	{
		Name: "old-views-still-count", From: "B6", What: "votes of earlier views are counted in this one",
		Edits: edit("pbft/ignore.go", "	case v.View < r.view.number:\n		return reasonOldView\n", ""),
		Rule:  Rule{"pbft", "TestVotesOpenedInTheOldView"}, Sim: true,
	},
	{
		Name: "window-unchecked", From: "B30", What: "a backup accepts slots above the high mark",
		Edits: edit("pbft/ignore.go", "	case v.Seq > r.high():\n		return r.held.hold(e, reasonEarly)\n", ""),
		Rule:  Rule{"pbft", "TestPrePrepareConditions"}, Sim: true,
	},
	{
		Name: "window-unchecked-by-primary", From: "B30", What: "a primary proposes above the high mark",
		Edits: edit("pbft/normal.go", "n > r.low() && n <= r.high() && !r.exec", "n > r.low() && !r.exec"),
		Rule:  Rule{"pbft", "TestPrimaryStaysInTheWindow"}, Sim: true,
	},
	{
		Name: "early-messages-dropped", From: "B29", What: "what is just above the window, or a view ahead, is dropped",
		Edits: edit("pbft/peers.go", "	q.events = append(q.events, e)\n	q.bytes += size\n", ""),
		Rule:  Rule{"pbft", "TestLostNewView|TestStampAheadIsHeld"}, Sim: true,
	},
	{
		Name: "request-in-two-slots", From: "B37", What: "a request may stand in two proposals of a view",
		Edits: edit("pbft/position.go", "twice && at != n {\n", "twice && at == 0 {\n"),
		Rule:  Rule{"pbft", "TestRequestTwiceInView"}, Sim: true,
	},
	{
		Name: "primary-repeats-a-request", From: "B37", What: "a primary proposes again what stands in a slot already",
		Edits: edit("pbft/position.go", "; !twice {\n", "; !twice || len(requests) > 0 {\n"),
		Rule:  Rule{"pbft", "TestPrimaryDoesNotRepeatARequest"}, Sim: true,
	},
	{
		Name: "stamps-of-the-future", From: "§4", What: "a proposal's stamp may be ahead of any clock",
		Edits: edit("pbft/ignore.go", "	case stamp > r.now+skew:\n", "	case stamp > r.now+skew && skew < 0:\n"),
		Rule:  Rule{"pbft", "TestStampAheadIsHeld"}, Sim: true,
	},
	{
		Name: "acceptance-asks-the-state", From: "§4", What: "a proposal is refused if it holds a request that was executed here",
		Edits: edit("pbft/ignore.go", "	if r.view.elsewhere(m.Batch, m.Seq) {\n", "	for _, q := range m.Batch.Requests {\n		if r.requests.Standing(q) != 0 {\n			return reasonTwice\n		}\n	}\n	if r.view.elsewhere(m.Batch, m.Seq) {\n"),
		Rule:  Rule{"pbft", "TestAcceptanceDoesNotLookAtWhatWasExecuted"}, Sim: true,
	},
	{
		Name: "second-proposal-replaces-the-first", From: "B1", What: "a primary may change its mind about a slot",
		Edits: edit("pbft/ignore.go", "	if s.proposal != nil {\n", "	if s.proposal != nil && s.proposal.Digest != m.Digest {\n		s.proposal, s.voted = nil, false\n	}\n	if s.proposal != nil {\n"),
		Rule:  Rule{"pbft", "TestBackupVotesOnce"}, Sim: true,
	},
	{
		Name: "votes-below-the-low-mark", From: "§4", What: "what is stable is voted for again",
		Edits: edit("pbft/replica.go", "	return n > r.low() && n > r.exec.mute && r.rejoin.allows(v, n)", "	return n > r.exec.mute && r.rejoin.allows(v, n)"),
		Rule:  Rule{"pbft", "TestForgottenSlotIsNotVotedForAgain"}, Sim: true,
	},
	{
		Name: "the-first-body-is-executed", From: "B23", What: "what is executed is the first batch that was seen in the slot",
		Edits: edit("pbft/execute.go", "		r.exec.handed++\n", "		if b != nil {\n			b = s.bodies[0].batch\n		}\n		r.exec.handed++\n"),
		Rule:  Rule{"pbft", "TestCertifiedBatchIsExecuted"}, Sim: true,
	},
	{
		Name: "commit-during-a-restore", From: "B22", What: "slots are handed out while a state is being fetched",
		Edits: edit("pbft/execute.go", "	if r.state.Active() {\n		return\n	}\n	before := r.exec.handed\n", "	before := r.exec.handed\n"),
		Rule:  Rule{"pbft", "TestNothingIsExecutedDuringARestore"}, Sim: true,
	},
	{
		Name: "slow-host-is-flooded", From: "§5", What: "slots are handed out without a bound",
		Edits: edit("pbft/execution.go", "return x.handed-x.applied < x.genesis.Window }", "return true }"),
		Rule:  Rule{"pbft", "TestSlowHostIsHandedAWindow"}, Sim: true,
	},
	{
		Name: "request-not-forwarded", From: "B26", What: "a backup does not hand requests to the primary",
		Edits: edit("pbft/requests.go", "	if !r.view.changing && r.view.primary() != r.id {\n", "	if r.tick < 0 {\n"),
		Rule:  Rule{"pbft", "TestRequestIsForwarded"}, Sim: true,
	},
	{
		Name: "requests-kept-to-oneself", From: "§3", What: "who can do nothing for a request tells nobody",
		Edits: edit("pbft/requests.go", "		r.out.SendEarly(consensus.Peer{Kind: consensus.Everyone}, consensus.Bodies, p.Request.Raw)\n", ""),
		Rule:  Rule{"pbft", "TestHelplessReplicaTellsAll"}, Sim: true,
	},
	{
		Name: "primary-is-never-left", From: "§6", What: "no request makes a backup leave the view",
		Edits: edit("pbft/requests.go", "r.tick-p.Since > r.view.patience() && !r.behind() {", "r.tick-p.Since > r.view.patience() && !r.behind() && r.tick < 0 {"),
		Rule:  Rule{"pbft", "TestEquivocatingPrimary|TestSkippedSequenceNumber"}, Sim: true,
	},
	{
		Name: "any-certificate-silences", From: "§6", What: "a certificate of any slot above stops complaints",
		Edits: edit("pbft/requests.go", "	s := r.log.slots[r.exec.handed+1]\n	return s != nil && s.committed != nil\n", "	for _, s := range r.log.slots {\n		if s.seq > r.exec.handed && s.committed != nil {\n			return true\n		}\n	}\n	return false\n"),
		Rule:  Rule{"pbft", "TestSkippedSequenceNumber"}, Sim: true,
	},
	{
		Name: "stale-requests-depose", From: "§6", What: "a request that no primary will propose is waited for",
		Edits: edit("pbft/requests.go", "	r.requests.DropStale(&r.out)\n	if p", "	if p"),
		Rule:  Rule{"pbft", "TestStaleRequestDeposesNobody"}, Sim: true,
	},
	{
		Name: "help-without-measure", From: "B50", What: "who claims to be behind is served without a limit",
		Edits: []Edit{
			{"pbft/helping.go", "n > r.exec.handed || n < st.Executed || !r.ready() {", "n > r.exec.handed || n < st.Executed {"},
			{"pbft/catchup.go", "	if !h.ready() {\n", "	if r.tick < 0 {\n"},
		},
		Rule: Rule{"pbft", "TestClaimingToBeBehindIsBounded"},
	},
	{
		Name: "nobody-in-the-dark-is-helped", From: "§7", What: "proposals that the primary kept from a replica are not passed on",
		Edits: edit("pbft/helping.go", "has&message.HasBody == 0 && s.proposal != nil {", "has&message.HasBody == 0 && s.proposal != nil && r.view.leads() {"),
		Rule:  Rule{"pbft", "TestOneInTheDark"}, Sim: true,
	},
}
