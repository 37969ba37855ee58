package byzantine

import (
	"slices"
	"strings"
)

func OneOf(words []string) string { return "one of: " + strings.Join(words, ", ") }

// neutralProfiles need to know no protocol, and sign nothing.
func neutralProfiles() []entry {
	return slices.Concat(silences(), delays(), noises(), states())
}

// Parameters that several of them take.
var (
	wait   = Param{"by", "80%", "a duration such as 50ms, or a percentage of the patience of honest replicas"}
	client = Param{"client", "all", "all, numbers of clients in the genesis, or first digits of their keys"}
)

func share(d string) Param { return Param{"share", d, "of the letters"} }

// silences keep something back.
func silences() []entry {
	return []entry{
		{Profile: Profile{
			Name: "silent", Aliases: []string{"crash", "crashed", "mute"}, Group: "P-SILENT", AtF: SafeLive, AtF1: SafeStopped,
			Sentence: "says nothing any more, after so many letters", Params: []Param{{"after-letters", "0", "letters that it still says"}},
		}, Intercept: newSilent, replies: silentReplies},
		{Profile: Profile{
			Name: "drop", Aliases: []string{"lossy"}, Group: "V-WITHHOLD", AtF: SafeLive, AtF1: MayStop,
			Sentence: "loses a share of what it should say", Params: []Param{share("100%")},
		}, Intercept: newDrop, replies: dropReplies},
		{Profile: Profile{
			Name: "dark", Aliases: []string{"in-dark"}, Group: "P-SELECT", AtF: SafeLive, AtF1: MayStop, AtCrash: MayStop,
			Sentence: "tells some replicas nothing: those of to=, or the last f that are no traitors",
		}, Intercept: newDark},
		{Profile: Profile{
			Name: "deaf", Group: "V-WITHHOLD", AtF: SafeLive, AtF1: SafeStopped,
			Sentence: "hears nothing of what others say",
		}, Intercept: newDeaf},
		{Profile: Profile{
			Name: "slow-reader", Group: "LINK", AtF: SafeLive, AtF1: MayStop, AtCrash: MayStop,
			Sentence: "reads only a trickle of what it is told, and loses what waits too long",
			Params:   []Param{{"rate", "1", "messages that it reads in one tick"}},
		}, Intercept: newSlow},
		{Profile: Profile{
			Name: "flicker", Aliases: []string{"crash-loop"}, Group: "P-SILENT", AtF: SafeLive, AtF1: MayStop,
			Sentence: "is cut off from everybody and back again, in turns",
			Params:   []Param{{"turn", "100%", wait.Help}},
		}, Intercept: newFlicker},
	}
}

// delays say what they should, at other times and other times again.
func delays() []entry {
	return []entry{
		{Profile: Profile{
			Name: "delay", Aliases: []string{"slow", "timing"}, Group: "P-SLOW", AtF: SafeSlow, AtF1: MayStop, AtCrash: MayStop,
			Sentence: "says everything late: by a share of the patience of the honest, just below their timeout", Params: []Param{wait},
		}, Intercept: newDelay},
		{Profile: Profile{
			Name: "reorder", Group: "P-REORDER", AtF: SafeLive, AtF1: SafeSlow,
			Sentence: "gathers letters and says them in another order", Params: []Param{{"ticks", "3", "for which it gathers"}},
		}, Intercept: newReorder},
		{Profile: Profile{
			Name: "duplicate", Group: "V-REPLAY", AtF: SafeLive, AtF1: SafeLive,
			Sentence: "says everything several times", Params: []Param{{"times", "2", "2 to 16"}},
		}, Intercept: newDuplicate, replies: duplicateReplies},
		{Profile: Profile{
			Name: "replay", Group: "V-REPLAY", AtF: SafeLive, AtF1: SafeLive,
			Sentence: "repeats old frames, its own and those of others",
			Params:   []Param{{"share", "10%", "of its ticks, for each victim"}, {"from", "all", OneOf([]string{"own", "others", "all"})}},
		}, Intercept: newReplay},
	}
}

// noises say what means nothing.
func noises() []entry {
	return []entry{
		{Profile: Profile{
			Name: "garbage", Aliases: []string{"corrupt"}, Group: "V-GARBAGE", AtF: SafeLive, AtF1: MayStop, AtCrash: MayFork,
			Sentence: "breaks the frames that it says: bits, lengths, kinds",
			Params:   []Param{share("100%"), {"how", "any", OneOf(Breakages)}},
		}, Intercept: newGarbage},
		{Profile: Profile{
			Name: "sign", Aliases: []string{"signature", "bad-sign"}, Group: "V-FORGE", AtF: SafeLive, AtF1: SafeStopped, AtCrash: MayStop,
			Sentence: "spoils the signature of whatever it signs",
		}, Intercept: newSign},
		{Profile: Profile{
			Name: "flood", Group: "FLOOD", AtF: SafeSlow, AtF1: MayStop, AtCrash: MayFork,
			Sentence: "says far more than anybody asked for",
			Params:   []Param{{"rate", "50", "frames in a tick, for each victim, up to 1000"}, {"of", "all", OneOf(floods)}},
		}, Intercept: newFlood},
	}
}

// minds are wrong about the time, about themselves, or about clients.
func states() []entry {
	return []entry{
		{Profile: Profile{
			Name: "time", Aliases: []string{"clock"}, Group: "P-TIME", AtF: SafeLive, AtF1: MayStop, AtCrash: MayStop,
			Sentence: "has a wrong clock, which a primary stamps batches with, or other ticks than everybody",
			Params: []Param{
				{"by", "1h", "a duration; one back begins with -"}, {"how", "ahead", OneOf([]string{"ahead", "jumps", "stands"})},
				{"ticks", "1", "that it counts for one, 0 to 16"},
			},
		}, Intercept: newClock},
		{Profile: Profile{
			Name: "twin", Aliases: []string{"twins"}, Group: "V-DOUBLE", AtF: SafeLive, AtF1: MayFork, AtCrash: MayFork,
			Sentence: "runs two honest engines under one identity, each heard by a part of the others (to= hears the second)",
		}, wrap: newTwin},
		{Profile: Profile{
			Name: "amnesia", Aliases: []string{"forget"}, Group: "§2.4 amnesia", AtF: SafeLive, AtF1: MayFork, AtCrash: MayFork,
			Sentence: "forgets its log at each start and votes as if nothing had been",
		}, wrap: newAmnesia},
		{Profile: Profile{
			Name: "rollback", Group: "§2.4 rollback", AtF: SafeLive, AtF1: MayFork, AtCrash: MayFork,
			Sentence: "starts with an old part of its log", Params: []Param{{"keep", "50%", "of the log"}},
		}, wrap: newRollback},
		{Profile: Profile{
			Name: "censor", Group: "P-CENSOR", AtF: SafeLive, AtF1: MayStop, AtCrash: MayStop,
			Sentence: "knows nothing of the requests of some clients", Params: []Param{client},
		}, Intercept: newCensor},
		{Profile: Profile{
			Name: "lie", Aliases: []string{"wrong-reply"}, Group: "R-LIE", AtF: SafeLive, AtF1: Deceives, AtCrash: MayDeceive,
			Sentence: "answers clients wrongly, and every traitor in the same way",
			Params:   []Param{{"how", "result", OneOf(wrongReplyWays)}, client},
		}, replies: newWrongReply},
	}
}
