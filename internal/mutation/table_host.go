package main

// hostBugs are of the queues around the engine: what they drop, and whose turn
// it is.
var hostBugs = []Bug{
	{
		Name: "host-drops-the-newest", From: "host", What: "a full queue of votes loses the newest instead of the oldest",
		Edits: edit("consensus/host/intake.go", "			q.remove(s)\n			q.dropped[Small]++\n", "			q.dropped[Small]++\n			return Refused\n"),
		Rule:  Rule{"consensus/host", "TestVerdictsOfTheIntake|TestAFloodOfVotesLosesItsOldestOnly"}, Sim: true,
	},
	{
		Name: "host-one-bound-for-all", From: "host", What: "the votes of all replicas share the room of one",
		Edits: edit("consensus/host/intake.go", "		if s.frames.len() >= q.bounds.PeerFrames {", "		if q.frames >= q.bounds.PeerFrames && s.frames.len() > 0 {"),
		Rule:  Rule{"consensus/host", "TestAFloodOfVotesLosesItsOldestOnly"}, Sim: true,
	},
	{
		Name: "host-frame-lost-silently", From: "host", What: "a client's frame that finds no room is lost, as if it had been taken",
		Edits: edit("consensus/host/intake.go", "			q.dropped[Clients]++\n			return Refused\n", "			q.remove(s)\n			return Taken\n"),
		Rule:  Rule{"consensus/host", "TestVerdictsOfTheIntake"}, Sim: true,
	},
	{
		Name: "host-client-not-told", From: "host", What: "a client is not told that its frame found no room",
		Edits: edit("consensus/host/bounds.go", "f.From.Kind != consensus.PeerClient {", "f.From.Kind != consensus.PeerClient || event == nil {"),
		Rule:  Rule{"consensus/host", "TestWhoIsToldThatWeAreBusy"}, Sim: true, Quick: true,
	},
	{
		Name: "host-drops-own-events", From: "host", What: "what the executor reports is dropped when much waits",
		Edits: edit("consensus/host/inbox.go", "{ q.classes[Own].push(waiting{event: e}) }", "{\n	if !q.full(Own, 0) {\n		q.classes[Own].push(waiting{event: e})\n	}\n}"),
		Rule:  Rule{"consensus/host", "TestOwnEventsAlwaysFindRoom"},
	},
	{
		Name: "host-drops-jobs", From: "host", What: "a job beyond the bound is lost instead of holding the engine back",
		Edits: edit("consensus/host/jobs.go", "		return q.ask(a)\n	}\n", "		return q.ask(a)\n	}\n	if q.Full() {\n		return Refused\n	}\n"),
		Rule:  Rule{"consensus/host", "TestWhatFillsTheQueueOfJobs"}, Sim: true,
	},
	{
		Name: "host-clients-last", From: "host", What: "clients are served when no replica has anything to say",
		Edits: edit("consensus/host/intake.go", "		first = Clients\n", "		first = Small\n"),
		Rule:  Rule{"consensus/host", "TestNobodyStarvesAnother"}, Sim: true, Quick: true,
	},
	{
		Name: "host-batches-last", From: "host", What: "larger frames of replicas wait for as long as there are small ones",
		Edits: edit("consensus/host/intake.go", "		first = Large\n", "		first = Small\n"),
		Rule:  Rule{"consensus/host", "TestNobodyStarvesAnother"}, Sim: true,
	},
	{
		Name: "host-last-come-first-served", From: "host", What: "who was just served and has more to say is served next",
		Edits: edit("consensus/host/intake.go", "	q.ready[s.key.priority].push(s)\n", "	r := &q.ready[s.key.priority]\n	r.items = append(r.items[:r.head:r.head], append([]*source{s}, r.items[r.head:]...)...)\n"),
		Rule:  Rule{"consensus/host", "TestNobodyStarvesAnother"}, Sim: true,
	},
	{
		Name: "host-requests-among-votes", From: "host", What: "the requests that a replica forwards stand before its votes",
		Edits: edit("consensus/host/intake.go", ", len(f.Bytes) > 0 && f.Bytes[0] == consensus.KindRequest:", ":"),
		Rule:  Rule{"consensus/host", "TestForwardedRequestsWaitWithClients"}, Sim: true,
	},
	{
		Name: "host-answers-first", From: "host", What: "answers of old requests are given before all jobs, however many there are",
		Edits: edit("consensus/host/jobs.go", " || a.next && a.queue.front().after <= q.taken)", " || a.queue.front().after <= q.taken)"),
		Rule:  Rule{"consensus/host", "TestRepeatedRequestsDoNotStandBeforeCommits"}, Sim: true,
	},
	{
		Name: "host-votes-fill-a-burst", From: "host", What: "a burst has no room for batches and requests while votes wait",
		Edits: edit("consensus/host/inbox.go", "min(q.classes[k].len(), share)", "min(q.classes[k].len(), 0*share)"),
		Rule:  Rule{"consensus/host", "TestFloodOfVotesLeavesRoomInEveryBurst"},
	},
}
