package byzantine

// raftProfiles are the behaviours that forge Raft's messages. They have no
// outcome with f of 3f+1: that is another protocol's arithmetic.
func raftProfiles() []entry {
	lead := Param{Name: "lead", Default: "yes", Help: "yes: topples whoever leads, and is elected; no: waits until it is elected"}
	otherwise := How("empty, stamp, order, subset, null, any", "empty", "how the other entry differs")
	all := []entry{
		{Profile: Profile{
			Name: "fork-entries", Group: "R1", AtCrash: Forks,
			Sentence: "sends, as leader, other entries for the same places to the second half of the others, or to all in to=",
			Params:   append(otherwise, lead),
		}, Intercept: raftStateful(forkEntries)},
		{Profile: Profile{
			Name: "forge-append", Group: "R2", AtCrash: Forks,
			Sentence: "acknowledges an entry, and tells half of the others, or to=, of another one under a term that it was never elected to",
			Params:   otherwise,
		}, Intercept: raftStateful(forgeAppend)},
		{Profile: Profile{
			Name: "forge-snapshot", Group: "R3", AtCrash: Breaks,
			Sentence: "acknowledges the entry of a checkpoint, and names to half of the others, or to=, another state as of it",
			Params:   How("blank (as if nobody had ever asked for anything), hollow (not even what hosts keep in it)", "blank", "which state"),
		}, Intercept: raftStateful(forgeSnapshot)},
		{Profile: Profile{
			Name: "false-commit", Group: "R-COMMIT", AtCrash: Forks,
			Sentence: "tells a few, as leader, that entries are committed which nobody else has, and helps the others to forget them",
			Params:   []Param{lead},
		}, Intercept: raftStateful(falselyCommitting)},
		{Profile: Profile{
			Name: "crash-heartbeat", Group: "R4", AtCrash: SafeLive,
			Sentence: "says commit indexes, or acknowledges entries, far beyond any log, on which the library panics",
			Params:   How("heartbeat, answer (to the leader), both", "heartbeat", "which"),
		}, Intercept: raftEachStepHow(append([]string{"both"}, crashes...), crashHeartbeat)},
		{Profile: Profile{
			Name: "two-votes", Group: "R6", AtCrash: MayFork,
			Sentence: "votes for everybody who asks, twice in a term, and whatever they lack, and acknowledges whatever they say",
		}, Intercept: raftEachStep(twoVotes)},
		{Profile: Profile{
			Name: "false-ack", Group: "R7", AtCrash: MayFork,
			Sentence: "acknowledges entries and does not store them",
		}, Intercept: raftStateful(falseAck)},
		{Profile: Profile{
			Name: "inflate-terms", Group: "R9", AtCrash: SafeStopped,
			Sentence: "tells everybody of higher terms, as soon as somebody leads or asks for votes, so that nobody leads for long",
			Params:   How("next, far (2^20 above), last (2^64-1)", "next", "how high"),
		}, Intercept: raftStateful(inflateTerms)},
	}
	for i := range all {
		all[i].Protocols = []string{"raft"}
	}
	return all
}
