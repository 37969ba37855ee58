package byzantine

// raftProfiles are the behaviours that forge Raft's messages. They have no
// outcome with f of 3f+1: that is another protocol's arithmetic.
func raftProfiles() []entry {
	lead := Param{Name: "lead", Default: "yes", Help: "yes: topples whoever leads, and is elected; no: waits until it is elected"}
	otherwise := ways("empty, stamp, order, subset, null, any", "empty", "how the other entry differs")
	all := []entry{
		{Profile: Profile{
			Name: "fork-entries", Group: "R1", AtCrash: Forks,
			Sentence: "sends, as leader, other entries for the same places to the second half of the others, or to all in to=",
			Params:   append(otherwise, lead),
		}, mask: raftLying(forkEntries)},
		{Profile: Profile{
			Name: "forge-append", Group: "R2", AtCrash: Forks,
			Sentence: "acknowledges an entry, and tells half of the others, or to=, of another one under a term that it was never elected to",
			Params:   otherwise,
		}, mask: raftLying(forgeAppend)},
	}
	for i := range all {
		all[i].Protocols = []string{"raft"}
	}
	return all
}
