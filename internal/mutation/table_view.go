package main

// viewBugs: leaving a view and entering the next.
var viewBugs = []Bug{
	{
		Name: "select-any-certificate", From: "B16", What: "Select takes the first certificate of a slot, not that of the highest view",
		Edits: edit("viewchange/select.go", "slot.Prepared == nil || c.View > slot.Prepared.View || c.View == slot.Prepared.View && smaller(c, slot.Prepared)", "slot.Prepared == nil"),
		Rule:  Rule{"internal/model", "TestWhatIsCommittedAnywhereIsInEveryPlan"}, Sim: true,
	},
	{
		Name: "select-lowest-view", From: "§6", What: "Select takes the certificate of the lowest view",
		Edits: edit("viewchange/select.go", "c.View > slot.Prepared.View ||", "c.View < slot.Prepared.View ||"),
		Rule:  Rule{"internal/model", "TestWhatIsCommittedAnywhereIsInEveryPlan"}, Sim: true,
	},
	{
		Name: "select-first-low-mark", From: "B11", What: "min-s is the mark of the first VIEW-CHANGE, not the highest of all",
		Edits: edit("viewchange/select.go", "		if vc.Low > s.Min || ", "		if vc == vcs[0] || "),
		Rule:  Rule{"internal/model", "TestWhatIsCommittedAnywhereIsInEveryPlan"}, Sim: true,
	},
	{
		Name: "select-forgets-the-last", From: "§6", What: "the certificates of one member of V are not looked at",
		Edits: edit("viewchange/select.go", "	for _, vc := range vcs {\n		for _, c", "	for _, vc := range vcs[1:] {\n		for _, c"),
		Rule:  Rule{"internal/model", "TestWhatIsCommittedAnywhereIsInEveryPlan"}, Sim: true,
	},
	{
		Name: "select-keeps-nothing", From: "§6", What: "the new view begins with empty hands",
		Edits: edit("viewchange/select.go", "c.Seq > s.Min && c.Seq <= reach", "c.Seq > reach"),
		Rule:  Rule{"viewchange", "TestSelectRules"}, Sim: true,
	},
	{
		Name: "new-view-unchecked", From: "B18", What: "a NEW-VIEW's proposals need not follow from its VIEW-CHANGEs",
		Edits: edit("viewchange/newview.go", "got.Seq != want.Seq || got.Digest != want.Digest || got.View", "got.Seq != want.Seq || got.View"),
		Rule:  Rule{"viewchange", "TestAcceptRefusesWhatDoesNotFollow"}, Sim: true,
	},
	{
		Name: "new-view-with-fewer", From: "§6", What: "q-1 VIEW-CHANGEs open a view",
		Edits: []Edit{
			{"viewchange/newview.go", "	q := c.rules.System.Quorum()\n", "	q := c.rules.System.Quorum() - 1\n"},
			{"viewchange/newview.go", "	if len(nv.ViewChanges) != c.rules.System.Quorum() {", "	if len(nv.ViewChanges) < c.rules.System.Quorum()-1 {"},
			{"pbft/message/viewchange.go", "	if int(count) != r.System.Quorum() {", "	if int(count) < r.System.Quorum()-1 {"},
		},
		Rule: Rule{"viewchange", "TestOpenAndAccept|TestAcceptRefusesWhatDoesNotFollow"}, Sim: true,
	},
	{
		Name: "join-the-highest", From: "B20", What: "f+1 VIEW-CHANGEs move a replica to the highest view that they name",
		Edits: edit("viewchange/changer.go", "return views[len(views)-w], true", "return views[len(views)-1], true"),
		Rule:  Rule{"viewchange", "TestJoin"}, Sim: true,
	},
	{
		Name: "join-anyone", From: "B20", What: "one VIEW-CHANGE is enough to join",
		Edits: edit("viewchange/changer.go", "	w := c.rules.System.Weak()\n", "	w := 1\n"),
		Rule:  Rule{"viewchange", "TestJoin"}, Sim: true,
	},
	{
		Name: "view-change-said-anew", From: "§6", What: "a VIEW-CHANGE is made anew each time that it is asked for",
		Edits: []Edit{
			{"viewchange/changer.go", "	if c.mine != nil && c.mine.View >= v {", "	if c.mine != nil && c.mine.View > v {"},
			{"viewchange/changer.go", "	if c.mine != nil && c.mine.View >= vc.View {", "	if c.mine != nil && c.mine.View > vc.View {"},
		},
		Rule: Rule{"viewchange", "TestOwnViewChangeIsFixed"}, Sim: true,
	},
	{
		Name: "view-change-shadowed", From: "B16", What: "a liar's later VIEW-CHANGE keeps its earlier one from counting",
		Edits: edit("viewchange/changer.go", "		case s.goal != nil && s.goal.View == v:\n			vcs = append(vcs, s.goal)\n", ""),
		Rule:  Rule{"viewchange", "TestLaterViewChangeShadowsNothing"}, Sim: true,
	},
	{
		Name: "view-change-not-repeated", From: "B14", What: "a VIEW-CHANGE is sent once",
		Edits: []Edit{
			{"pbft/view.go", "	if r.tick%(2*r.cfg.StatusEvery) == 0 {\n", "	if r.tick < 0 {\n"},
			{"pbft/helping.go", "vc != nil && r.view.changing && st.View <= vc.View {", "vc != nil && r.tick < 0 {"},
		},
		Rule: Rule{"pbft", "TestViewChangeIsRepeated"}, Sim: true,
	},
	{
		Name: "patience-for-those-alone", From: "B15", What: "patience for a NEW-VIEW starts with one's own VIEW-CHANGE",
		Edits: edit("pbft/view.go", "r.view.waitSince < 0 && r.views.Reaching(v) >= r.rules.System.Quorum()", "r.view.waitSince < 0"),
		Rule:  Rule{"pbft", "TestPatienceDoublesToTheCap|TestLoneLeaverIsLetBackIn|TestPatienceCountsWhoWentFurther"}, Sim: true,
	},
	{
		Name: "patience-counts-this-view-only", From: "§6", What: "who went further does not count towards patience",
		Edits: edit("viewchange/changer.go", "vc != nil && vc.View >= v {", "vc != nil && vc.View == v {"),
		Rule:  Rule{"viewchange", "TestPatienceCountsLaterViews"}, Sim: true,
	},
	{
		Name: "patience-never-doubles", From: "B15", What: "every view gets the same time",
		Edits: edit("pbft/position.go", "p.level, p.joined = p.level+1, false", "p.joined = false"),
		Rule:  Rule{"pbft", "TestPatienceDoublesToTheCap"}, Sim: true,
	},
	{
		Name: "patience-overflows", From: "B15", What: "doubling has no cap and wraps around",
		Edits: edit("pbft/position.go", "		if ticks >= p.cfg.PatienceCap/2 {\n			return p.cfg.PatienceCap\n		}\n", ""),
		Rule:  Rule{"pbft", "TestPatienceDoublesToTheCap|TestPatienceNeverOverflows"},
	},
	{
		Name: "patience-never-halves", From: "§6", What: "patience stays long for ever",
		Edits: edit("pbft/position.go", "		p.level--\n", ""),
		Rule:  Rule{"pbft", "TestPatienceHalvesAtCheckpoints"},
	},
	{
		Name: "clocks-run-on", From: "§6", What: "requests keep their age in a new view",
		Edits: edit("consensus/pending/pool.go", "e.Since, e.Told, e.Times, e.proposed = tick, tick, 0, false", "e.Told, e.Times, e.proposed = tick, 0, false"),
		Rule:  Rule{"pbft", "TestClocksRestartInANewView"}, Sim: true,
	},
	{
		Name: "prepared-slots-unsaid", From: "B27", What: "a VIEW-CHANGE leaves out what was executed",
		Edits: edit("pbft/view.go", "r.log.prepared(r.low())", "r.log.prepared(max(r.low(), r.exec.handed))"),
		Rule:  Rule{"pbft", "TestExecutedSlotsAreSaidInAViewChange"}, Sim: true,
	},
	{
		Name: "prepared-only-in-this-view", From: "B27", What: "entering a view forgets what prepared before",
		Edits: edit("pbft/slot.go", "	s.proposal, s.chosen, s.voted, s.asked = nil, false, false, 0\n", "	s.proposal, s.chosen, s.voted, s.asked, s.prepared = nil, false, false, 0, nil\n"),
		Rule:  Rule{"pbft", "TestPreparedOutlivesAViewThatDidNotChooseIt"}, Sim: true,
	},
	{
		Name: "executed-again", From: "B12", What: "entering a view resets what was executed to its low mark",
		Edits: edit("pbft/view.go", "	r.requests.Restart(r.tick)\n", "	r.exec.handed = min(r.exec.handed, start.Min)\n	r.requests.Restart(r.tick)\n"),
		Rule:  Rule{"pbft", "TestExecutedSlotIsNotExecutedAgain"}, Sim: true,
	},
	{
		Name: "dropped-requests-forgotten", From: "B26", What: "requests of slots that a NEW-VIEW dropped wait no longer",
		Edits: edit("pbft/view.go", "		r.requests.Readmit(b, r.tick)\n", "		_ = b\n"),
		Rule:  Rule{"pbft", "TestNullBatchAndPendingAgain"}, Sim: true,
	},
	{
		Name: "invalid-new-view-endured", From: "B18", What: "an invalid NEW-VIEW makes its receiver wait on",
		Edits: edit("pbft/view.go", "		r.timedOut(nv.View+1, reasonInvalidView)\n", ""),
		Rule:  Rule{"pbft", "TestInvalidNewView"}, Sim: true,
	},
	{
		Name: "new-view-from-its-primary-only", From: "B17", What: "who missed the NEW-VIEW is not given it by others",
		Edits: edit("pbft/helping.go", "nv.View == st.View && st.Changing) {", "nv.View == st.View && st.Changing) && r.view.leads() {"),
		Rule:  Rule{"pbft", "TestLostNewView"}, Sim: true,
	},
	{
		Name: "chosen-bodies-unasked", From: "§6", What: "a chosen batch that is missing is not asked for",
		Edits: []Edit{
			{"pbft/view.go", "			r.askFrom(s, prepared)\n", "			_ = prepared\n"},
			{"pbft/fetch.go", "		if s.asked > 1 {\n", "		if s.asked < 0 {\n"},
		},
		Rule: Rule{"pbft", "TestMissingBodyIsAskedFor|TestBodyOutlivesAViewThatChoseNull"}, Sim: true,
	},
}
