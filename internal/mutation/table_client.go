package main

// clientBugs: what a client believes.
var clientBugs = []Bug{
	{
		Name: "client-believes-f", From: "§3", What: "a client believes f equal replies",
		Edits: edit("client/session/believe.go", "count(r.answers, r.answers[from]) < s.system.Replies()", "count(r.answers, r.answers[from]) < max(1, s.system.Replies()-1)"),
		Rule:  Rule{"client/session", "TestBelief"}, Sim: true, Quick: true,
	},
	{
		Name: "replies-counted-twice", From: "§3", What: "a replica that repeats its reply counts again",
		Edits: edit("client/session/believe.go", "	r.answers[from] = answerDigest(reply)\n	if count(r.answers, r.answers[from]) <", "	votes := count(r.answers, answerDigest(reply)) + 1\n	r.answers[from] = answerDigest(reply)\n	if votes <"),
		Rule:  Rule{"client/session", "TestBelief"}, Sim: true,
	},
	{
		Name: "replies-of-any-content", From: "§3", What: "replies are counted whatever they say",
		Edits: edit("client/session/believe.go", "AppendUint64(nil, uint64(r.Seq)), r.Results))", "AppendUint64(nil, 0), r.Results[:0]))"),
		Rule:  Rule{"client/session", "TestBelief"}, Sim: true,
	},
	{
		Name: "reply-to-another-request", From: "§3", What: "a reply is matched by its counter alone",
		Edits: edit("client/session/believe.go", "r == nil || r.signed.Sequence != seq || r.signed.Digest != digest {", "r == nil {"),
		Rule:  Rule{"client/session", "TestReplyToAnotherRequestIsIgnored"}, Sim: true,
	},
	{
		Name: "one-refusal-is-enough", From: "§3", What: "one replica's refusal ends a request",
		Edits: edit("client/session/believe.go", "count(r.refusals, refusal.Code) >= s.system.Replies()", "count(r.refusals, refusal.Code) >= 1"),
		Rule:  Rule{"client/session", "TestFinalRefusals"}, Sim: true,
	},
	{
		Name: "no-retransmission-to-all", From: "§3", What: "an unanswered request is not sent to all replicas",
		Edits: edit("client/session/request.go", "	r.toAll, r.pauseAt = true, 0\n", "	r.pauseAt = 0\n"),
		Rule:  Rule{"client/session", "TestRetransmission"}, Sim: true,
	},
}
