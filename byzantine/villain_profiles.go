package byzantine

// Ways of villains; "any" draws one in each turn.
var (
	conflictWays = []string{"any", "halves", "each", "both"}
	forgeries    = []string{"any", "flip", "zero", "key", "cluster"}
	excesses     = []string{"any", "operation", "many", "request", "frame"}
	poisons      = []string{"any", "empty", "random", "cut", "flip", "long", "many"}
	counterWays  = []string{"any", "zero", "old", "beyond", "huge", "last", "random"}
	epochWays    = []string{"any", "zero", "now", "past", "future", "huge", "last"}
)

// villainProfiles are what clients do. Any number of clients may: the outcome
// does not depend on how many, so that both columns are the same.
func villainProfiles() []entry {
	client := func(name, group, sentence string, make func(*Villain, Spec) (strategy, error), params ...Param) entry {
		return entry{
			Profile: Profile{Name: name, Group: group, Sentence: sentence, Client: true, Params: params, AtF: SafeLive, AtF1: SafeLive},
			villain: make,
		}
	}
	how := func(ways []string) Param { return Param{"how", "any", OneOf(ways)} }
	rate := func(n string) Param { return Param{"rate", n, "requests in each turn, up to 1000"} }
	all := []entry{
		client("conflict", "C-SAME-TS", "signs different operations for one sequence number and tells different replicas different ones",
			chosen(conflictWays, conflict), how(conflictWays)),
		client("multi", "C-MULTI", "sends each replica a valid request that no other one gets", always(multi)),
		client("bad-signature", "C-BADSIG", "sends requests whose signature proves nothing",
			chosen(forgeries, badSignature), how(forgeries)),
		client("partial", "C-PARTIAL", "sends some replicas a valid request, and others (to=) the same with a bad signature", always(partial)),
		client("replay-requests", "C-REPLAY", "sends its old requests again and again", rated(replayRequests), rate("4")),
		client("request-flood", "FLOOD", "sends many valid requests at once", rated(requestFlood), rate("32")),
		client("oversize", "C-HUGE", "sends what is over a limit of the genesis", chosen(excesses, oversize), how(excesses)),
		client("poison", "C-POISON", "sends valid requests with operations that no application understands, or that cost much",
			chosen(poisons, poison), how(poisons)),
		client("counters", "C-OLD/NEWTS", "uses counters that no honest client comes to", chosen(counterWays, counters), how(counterWays)),
		client("epoch-jump", "C-OLD/NEWTS", "claims to have been started at other times", chosen(epochWays, epochJump), how(epochWays)),
		client("outsider", "V-FORGE", "signs with a key that the genesis does not admit", newOutsider),
		client("garbage-client", "V-GARBAGE", "sends frames that are broken, or that only replicas may send",
			chosen(Breakages, garbageClient), how(Breakages)),
		client("silent-reader", "LINK", "asks much and never reads the answers", newSilentReader, rate("8")),
		client("vanish", "C-DROP", "tells one replica about a request and never speaks of it again", always(vanish)),
	}
	for i := range all {
		if g := all[i].Group; g == "FLOOD" || g == "C-HUGE" || g == "LINK" {
			all[i].AtF, all[i].AtF1 = SafeSlow, SafeSlow
		}
	}
	return all
}
