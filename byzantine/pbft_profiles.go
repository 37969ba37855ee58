package byzantine

import "slices"

// pbftProfiles are the behaviours that forge PBFT's messages.
func pbftProfiles() []entry {
	all := slices.Concat(primaryLies(), voteLies(), viewLies(), stateLies(), coalitionLies())
	for i := range all {
		all[i].Protocols = []string{"pbft"}
	}
	return all
}

func How(words, first, help string) []Param {
	return []Param{{Name: "how", Default: first, Help: help + ": " + words}}
}

func primaryLies() []entry {
	return []entry{
		{Profile: Profile{
			Name: "equivocate", Aliases: []string{"equivocation"}, Group: "P-EQUIV", AtF: SafeLive, AtF1: MayFork,
			Sentence: "proposes, as primary, another batch for the same slot to the second half of the others, or to all in to=",
			Params:   How("stamp, order, subset, empty, body (the same digest over another body), any", "stamp", "what differs"),
		}, Intercept: stateful(equivocate)},
		{Profile: Profile{
			Name: "select", Group: "P-SELECT", AtF: SafeLive, AtF1: MayStop,
			Sentence: "keeps its proposals, as primary, from the last of the others, or from all in to=",
			Params:   []Param{{Name: "out", Default: "1", Help: "how many are left out"}},
		}, Intercept: stateful(selectSome)},
		{Profile: Profile{
			Name: "slow-primary", Group: "P-SLOW", AtF: SafeSlow, AtF1: SafeSlow,
			Sentence: "holds each proposal back, as primary, for a little less than the honest wait",
			Params:   []Param{{Name: "wait", Default: "80%", Help: "a duration, or a share of the patience of the honest"}},
		}, Intercept: stateful(slowPrimary)},
		{Profile: Profile{
			Name: "starve", Group: "P-CENSOR", AtF: SafeLive, AtF1: MayStop,
			Sentence: "proposes no request of a client and votes for no batch that holds one",
			Params: []Param{
				{Name: "client", Default: "first", Help: "numbers in the genesis, digits of keys, all, or first: who is heard first"},
				{Name: "votes", Default: "no", Help: "yes: votes for batches with the client's requests all the same"},
			},
		}, Intercept: stateful(starve)},
		{Profile: Profile{
			Name: "bad-batch", Group: "P-BADBATCH", AtF: SafeLive, AtF1: MayStop,
			Sentence: "proposes, as primary, batches that no honest replica may accept, or that bring nothing",
			Params:   How("signature, altered, malformed, duplicate, digest, twice, stranger, replay, empty, any", "any", "what is wrong"),
		}, Intercept: eachStepHow(append([]string{"any"}, badBatches...), badBatch)},
		{Profile: Profile{
			Name: "seq-jump", Group: "P-SEQ-JUMP", AtF: SafeLive, AtF1: MayStop,
			Sentence: "gives its batches, as primary, sequence numbers that are not their turn",
			Params:   How("gap, far (beyond the window), huge (2^63), reuse, any", "gap", "which"),
		}, Intercept: eachStepHow(append([]string{"any"}, jumps...), seqJump)},
		{Profile: Profile{
			Name: "old-view", Group: "P-OLDVIEW", AtF: SafeLive, AtF1: SafeLive,
			Sentence: "proposes in views that are over, still to come, or another's",
		}, Intercept: eachStep(oldView)},
		{Profile: Profile{
			Name: "false-stamp", Group: "P-TIME", AtF: SafeLive, AtF1: MayStop,
			Sentence: "stamps its batches, as primary, with a time that it is not",
			Params:   append(How("ahead, behind, still (the same each time)", "ahead", "which"), Param{Name: "by", Default: "1h", Help: "how far"}),
		}, Intercept: stateful(falseStamp)},
		{Profile: Profile{
			Name: "unfair-order", Group: "P-REORDER", AtF: SafeLive, AtF1: SafeLive,
			Sentence: "takes, as primary, the latest request first",
		}, Intercept: stateful(unfairOrder)},
	}
}

func voteLies() []entry {
	return []entry{
		{Profile: Profile{
			Name: "double-vote", Group: "V-DOUBLE", AtF: SafeLive, AtF1: MayFork,
			Sentence: "says PREPARE and COMMIT for two digests, to half of the others the false one first",
		}, Intercept: eachStep(doubleVote)},
		{Profile: Profile{
			Name: "unknown-digest", Group: "V-UNKNOWN", AtF: SafeLive, AtF1: MayStop,
			Sentence: "votes for batches that nobody has proposed, in the next slot",
		}, Intercept: eachStep(unknownDigest)},
		{Profile: Profile{
			Name: "withhold-votes", Group: "V-WITHHOLD", AtF: SafeLive, AtF1: MayStop,
			Sentence: "keeps its PREPAREs and COMMITs from the others, or from all but one",
			Params: append(How("both, prepares, commits", "both", "which votes"),
				Param{Name: "but", Default: "none", Help: "the replica that gets them"}),
		}, Intercept: stateful(withhold)},
		{Profile: Profile{
			Name: "replay-votes", Group: "V-REPLAY", AtF: SafeLive, AtF1: SafeLive,
			Sentence: "says its votes again: late, under another slot, in an older view, and as signed for another cluster",
		}, Intercept: stateful(replayVotes)},
		{Profile: Profile{
			Name: "impersonate", Group: "V-FORGE", AtF: SafeLive, AtF1: SafeLive,
			Sentence: "votes in the names of others and of an outsider, with its own key and with its own signature copied",
		}, Intercept: eachStep(impersonate)},
		{Profile: Profile{
			Name: "bad-certificate", Group: "V-FORGE", AtF: SafeLive, AtF1: SafeLive,
			Sentence: "hands out certificates that prove nothing, with slots, as checkpoints and in VIEW-CHANGEs",
			Params:   How("twice, few, outsider, unsorted, forged, alone, view, slot, digest, kind, any", "any", "the flaw"),
		}, Intercept: stateful(badCertificate)},
	}
}

func viewLies() []entry {
	return []entry{
		{Profile: Profile{
			Name: "vc-spam", Group: "VC-SPAM", AtF: SafeLive, AtF1: MayStop,
			Sentence: "asks to leave each view as soon as it is active",
		}, Intercept: eachStep(spamViews)},
		{Profile: Profile{
			Name: "huge-view", Group: "VC-SPAM", AtF: SafeLive, AtF1: MayStop,
			Sentence: "asks for views up to 2^64-1, votes in them, and says that it is in one",
		}, Intercept: eachStep(hugeView)},
		{Profile: Profile{
			Name: "hide-prepared", Group: "VC-HIDE", AtF: SafeLive, AtF1: MayFork,
			Sentence: "leaves out of its VIEW-CHANGEs what prepared",
			Params:   How("all (h = 0, too), old (an older checkpoint), prepared (the certificates only)", "all", "what is hidden"),
		}, Intercept: eachStepHow([]string{"all", "old", "prepared"}, hidePrepared)},
		{Profile: Profile{
			Name: "fake-prepared", Group: "VC-FAKE", AtF: SafeLive, AtF1: MayFork,
			Sentence: "says, before each true VIEW-CHANGE, others with prepared certificates that prove nothing",
			Params: How("invented, duplicate (one signer), mixed (another's signatures), later (of that very view), window (beyond it), all; "+
				"stale: the first certificate of each slot in the place of the newest", "all", "which"),
		}, Intercept: eachStepHow(append([]string{"all", "stale"}, fakes...), fakePrepared)},
		{Profile: Profile{
			Name: "bad-new-view", Group: "NV-INVALID", AtF: SafeLive, AtF1: MayStop,
			Sentence: "opens its views on terms that do not follow from the VIEW-CHANGEs, or on no quorum of them",
			Params:   How("digest, missing, extra, null, low, few, twice, mixed; any: each victim gets another", "any", "what is wrong"),
		}, Intercept: eachStepHow(append([]string{"any"}, newViewLies...), badNewView)},
		{Profile: Profile{
			Name: "equivocate-new-view", Group: "NV-INVALID", AtF: SafeLive, AtF1: MayFork,
			Sentence: "opens its views twice, for half of the others on a VIEW-CHANGE of its own that hides what prepared",
		}, Intercept: stateful(equivocateNewView)},
		{Profile: Profile{
			Name: "silent-new-view", Group: "NV-SILENT", AtF: SafeLive, AtF1: SafeSlow,
			Sentence: "never opens the views whose primary it is",
		}, Intercept: eachStep(silentNewView)},
		{Profile: Profile{
			Name: "select-view-change", Group: "VC-SPAM", AtF: SafeLive, AtF1: MayStop,
			Sentence: "tells only the first of the others that it leaves a view, or all but those in to=",
			Params:   []Param{{Name: "told", Default: "1", Help: "how many are told"}},
		}, Intercept: stateful(selectViewChange)},
	}
}

func stateLies() []entry {
	return []entry{
		{Profile: Profile{
			Name: "lying-checkpoint", Group: "V-CKPT", AtF: SafeLive, AtF1: MayStop,
			Sentence: "says CHECKPOINT for states that are not",
			Params:   How("root, equivocate (two roots, to half of the others the false one first), future, interval (off it), any", "any", "which"),
		}, Intercept: eachStepHow(append([]string{"any"}, checkpointLies...), lyingCheckpoint)},
		{Profile: Profile{
			Name: "poison-transfer", Group: "ST-POISON", AtF: SafeLive, AtF1: MayStop,
			Sentence: "serves states badly, and says that it is further than anybody can be",
			Params:   How("bytes, items (not asked for), claims (what it lacks), crumbs, silence, height, any", "any", "how"),
		}, Intercept: stateful(poisonTransfer)},
		{Profile: Profile{
			Name: "fetch-flood", Group: "FLOOD", AtF: SafeSlow, AtF1: SafeSlow,
			Sentence: "asks all others for everything, over and over, and says that it is behind",
			Params:   []Param{{Name: "each", Default: "16", Help: "FETCHes for each of the others in each tick"}},
		}, Intercept: stateful(fetchFlood)},
		{Profile: Profile{
			Name: "rejoin-lies", Group: "ST-POISON", AtF: SafeSlow, AtF1: MayStop,
			Sentence: "says again and again that it has lost its disk, and misleads those who have lost theirs",
		}, Intercept: eachStep(rejoinLies)},
	}
}

func coalitionLies() []entry {
	return []entry{
		{Profile: Profile{
			Name: "fork", Group: "P-EQUIV", AtF: SafeLive, AtF1: Forks,
			Sentence: "decides, with its gang and in one view, one batch with half of the honest and another with the other half",
		}, Intercept: stateful(forkView)},
		{Profile: Profile{
			Name: "fork-views", Group: "VC-HIDE", AtF: SafeLive, AtF1: MayFork,
			Sentence: "decides a batch with half of the honest, hides it in the view change, and decides another with the other half",
			Params:   []Param{{Name: "wait", Default: "5%", Help: "between the decision and the view change: a share of the patience of the honest"}},
		}, Intercept: stateful(forkAcross)},
		{Profile: Profile{
			Name: "poison-checkpoint", Group: "V-CKPT", AtF: SafeLive, AtF1: MayStop,
			Sentence: "signs, with its gang, checkpoints of a state of theirs, and offers it to those who are behind",
		}, Intercept: eachStep(poisonCheckpoint)},
	}
}
