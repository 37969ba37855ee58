package byzantine

// neutralProfiles need to know no protocol, and sign nothing.
func neutralProfiles() []entry {
	return []entry{
		{
			Profile: Profile{
				Name: "twin", Aliases: []string{"twins"}, Group: "V-DOUBLE", AtF: SafeLive, AtF1: MayFork,
				Sentence: "runs two honest engines under one identity, each heard by a part of the others (to= hears the second)",
			},
			wrap: newTwin,
		},
	}
}
