package byzantine

import "slices"

// Neutral are the behaviours that need to know no protocol, and sign nothing.
func Neutral() Catalogue {
	return slices.Concat(silences(), delays(), noises(), clocks(), doubles(), amnesias(), unfairness(), misreadings())
}

// Parameters that several of them take.
var (
	wait   = Param{"by", "80%", "a duration such as 50ms, or a percentage of the patience of honest replicas"}
	client = Param{"client", "all", "all, numbers of clients in the genesis, or first digits of their keys"}
)

func share(d string) Param { return Param{"share", d, "of the messages"} }
