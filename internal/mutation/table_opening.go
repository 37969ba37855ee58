package main

// openingBugs: what is let in.
var openingBugs = []Bug{
	{
		Name: "votes-unverified", From: "B3", What: "the signer of a vote is whom the payload names",
		Edits: edit("pbft/message/open.go", "			o.claims = []crypto.Claim{r.claim(kind, v.Replica, f.Bytes[:voteBody], v.Sig)}\n", "			o.claims = nil\n"),
		Rule:  Rule{"pbft/message", "TestVotesAreBoundToTheirSigner|TestMutatedFramesAreNotBelieved"}, Sim: true,
	},
	{
		Name: "signer-is-the-channel", From: "B3", What: "a vote is verified against the peer that relays it, whoever it names",
		Edits: edit("pbft/message/open.go", "r.claim(kind, v.Replica, f.Bytes[:voteBody], v.Sig)}\n", "r.claim(kind, f.From.Replica, f.Bytes[:voteBody], v.Sig)}\n"),
		Rule:  Rule{"pbft/message", "TestChannelDoesNotMakeTheSigner"}, Sim: true,
	},
	{
		Name: "signature-of-any-cluster", From: "§1", What: "signatures do not cover the cluster",
		Edits: edit("pbft/message/rules.go", "Cluster: r.Cluster, Epoch:", "Epoch:"),
		Rule:  Rule{"pbft/message", "TestMutatedFramesAreNotBelieved|TestVotesAreBoundToTheirSigner|TestNoLyingCertificateIsOpened"},
	},
	{
		Name: "nested-certificates-unverified", From: "B16", What: "the prepared certificates in a VIEW-CHANGE are not verified",
		Edits: edit("pbft/message/viewchange.go", "	for _, c := range vc.Prepared {\n		dst = r.claims(dst, c)\n	}\n", ""),
		Rule:  Rule{"pbft/message", "TestViewChangesAreCheckedWhole"}, Sim: true,
	},
	{
		Name: "view-change-seal-unverified", From: "B19", What: "a VIEW-CHANGE's own signature is not verified",
		Edits: edit("pbft/message/viewchange.go", "	dst = append(dst, r.sealClaim(ViewChangeKind, vc.Replica, vc.Frame))\n", ""),
		Rule:  Rule{"pbft/message", "TestViewChangesAreCheckedWhole|TestMutatedFramesAreNotBelieved"}, Sim: true,
	},
	{
		Name: "new-view-contents-unverified", From: "B19", What: "the VIEW-CHANGEs in a NEW-VIEW are not verified",
		Edits: edit("pbft/message/viewchange.go", "	for _, vc := range nv.ViewChanges {\n		dst = r.viewChangeClaims(dst, vc)\n	}\n", ""),
		Rule:  Rule{"pbft/message", "TestNewViewHoldsOnlyTrueViewChanges"}, Sim: true,
	},
	{
		Name: "low-mark-unproven", From: "B16", What: "a VIEW-CHANGE's checkpoint need not be the one that it claims",
		Edits: edit("pbft/message/viewchange.go", "vc.Checkpoint.Seq != vc.Low", "vc.Checkpoint.Seq == 0"),
		Rule:  Rule{"pbft/message", "TestViewChangesAreCheckedWhole"}, Sim: true,
	},
	{
		Name: "certificate-of-the-future", From: "B16", What: "P may hold certificates of the view that is asked for",
		Edits: edit("pbft/message/viewchange.go", "c.View >= vc.View || c.Seq <= last", "c.Seq <= last"),
		Rule:  Rule{"pbft/message", "TestViewChangesAreCheckedWhole"},
	},
	{
		Name: "new-view-with-one-sender-twice", From: "B18", What: "V may hold one replica's VIEW-CHANGE twice",
		Edits: []Edit{
			{"pbft/message/viewchange.go", "nv.ViewChanges[i-1].Replica >= vc.Replica", "nv.ViewChanges[i-1].Replica > vc.Replica"},
			{"viewchange/newview.go", "nv.ViewChanges[i-1].Replica >= vc.Replica", "nv.ViewChanges[i-1].Replica > vc.Replica"},
		},
		Rule: Rule{"pbft/message", "TestNewViewsAreCheckedWhole"}, Sim: true,
	},
	{
		Name: "views-without-end", From: "B20", What: "a VIEW-CHANGE may name any view up to 2^64-1",
		Edits: edit("pbft/message/viewchange.go", "vc.View == 0 || vc.View > MaxView", "vc.View == 0"),
		Rule:  Rule{"pbft/message", "TestViewsHaveAnEnd"}, Sim: true,
	},
	{
		Name: "proposed-requests-unverified", From: "B39", What: "the signatures of requests in a proposal are not verified",
		Edits: edit("pbft/message/open.go", "	o.claims = r.batchClaims(o.claims, b)\n", ""),
		Rule:  Rule{"pbft/message", "TestProposals"}, Sim: true,
	},
	{
		Name: "submitted-requests-unverified", From: "B39", What: "a request becomes pending before its signature is verified",
		Edits: edit("pbft/message/open.go", "o.request, o.claims = req, []crypto.Claim{req.Claim(r.Cluster)}", "o.request = req"),
		Rule:  Rule{"pbft/message", "TestRequestsAndRefusals"}, Sim: true,
	},
	{
		Name: "body-of-another-digest", From: "B6", What: "a batch need not hash to the digest that it comes under",
		Edits: edit("pbft/message/fetch.go", "b.Digest() != want", "b.Digest() == (crypto.Digest{})"),
		Rule:  Rule{"pbft/message", "TestProposals|TestAnswersProveThemselves"}, Sim: true,
	},
	{
		Name: "request-twice-in-a-batch", From: "B37", What: "one batch may hold a request twice",
		Edits: edit("consensus/door.go", "		if seen[k] {\n", "		if seen[k] && k.seq.Counter == 0 {\n"),
		Rule:  Rule{"pbft/message", "TestProposals"},
	},
	{
		Name: "certificate-for-another-slot", From: "B32", What: "a given certificate need not be for the slot that it comes with",
		Edits: edit("pbft/message/fetch.go", "g.Certificate.Seq != g.Seq || g.Certificate.Digest != g.Digest", "g.Certificate.Digest != g.Digest"),
		Rule:  Rule{"pbft/message", "TestAnswersProveThemselves|TestNoLyingCertificateIsOpened"},
	},
}
