package transfer

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Target is the certified state that a fetch is for.
type Target struct {
	Seq         consensus.Seq
	Root        crypto.Digest
	Certificate []byte // proof of Root at Seq; handed to the host, which keeps it beside the state
}

// Ask is one FETCH for parts, to be sent to one replica.
type Ask struct {
	To    consensus.ReplicaID
	Seq   consensus.Seq
	Root  crypto.Digest
	Items []consensus.Item // at most MaxItemsPerFetch
}

// Decision is what a call to the fetcher wants done. The zero Decision wants
// nothing.
type Decision struct {
	Asks       []Ask                 // send, in this order
	Jobs       []consensus.Job       // hand to the host, in this order
	Bad        []consensus.ReplicaID // served a part whose bytes do not match: report it
	Finished   bool                  // the host's state is now exactly the target
	Failed     bool                  // the host cannot complete the target; the fetch is over
	NeedTarget bool                  // every source failed or lost the target: look for a newer one, then Retarget
}

// config bounds a fetch. Zero fields take the value of defaultConfig.
type config struct {
	Asks          int // asks in flight, over all sources
	AsksPerSource int // asks in flight to one source
	ItemsPerAsk   int // at most consensus.MaxItemsPerFetch
	HandedBytes   int // no new ask while this much may be handed in and not yet staged
	WantedItems   int // items remembered as wanted; more are dropped and listed again later
	WantedBytes   int // the same, in bytes of their ids
	StallTicks    int // a source that answers nothing for so long is left; doubles while nothing succeeds
	PauseTicks    int // after every source failed, wait so long before the next round
	ShortAnswers  int // so many small, incomplete answers in a row are a stall, too
	EndFailures   int // so many fruitless ends of a restore are a failure
}

// defaultConfig suits ticks of 10 ms: worst case, about 40 MiB in memory.
func defaultConfig() config {
	return config{
		Asks: 4, AsksPerSource: 2, ItemsPerAsk: consensus.MaxItemsPerFetch,
		HandedBytes: 8 << 20, WantedItems: 16 << 10, WantedBytes: 4 << 20,
		StallTicks: 300, PauseTicks: 50, ShortAnswers: 8, EndFailures: 3,
	}
}

func (c config) withDefaults() config {
	d := defaultConfig()
	for _, f := range []struct{ have, want *int }{
		{&c.Asks, &d.Asks}, {&c.AsksPerSource, &d.AsksPerSource}, {&c.ItemsPerAsk, &d.ItemsPerAsk},
		{&c.HandedBytes, &d.HandedBytes}, {&c.WantedItems, &d.WantedItems}, {&c.WantedBytes, &d.WantedBytes},
		{&c.StallTicks, &d.StallTicks}, {&c.PauseTicks, &d.PauseTicks}, {&c.ShortAnswers, &d.ShortAnswers},
		{&c.EndFailures, &d.EndFailures},
	} {
		if *f.have <= 0 {
			*f.have = *f.want
		}
	}
	c.ItemsPerAsk = min(c.ItemsPerAsk, consensus.MaxItemsPerFetch)
	return c
}

// progress describes a fetch for people and for tests.
type progress struct {
	Seq      consensus.Seq // of the target
	Staged   int           // items staged since Start
	Bytes    int           // bytes of the jobs that brought them
	Wanted   int           // items known to be missing, not asked for
	InFlight int           // items asked for
	Handed   int           // bytes handed to the host and not yet staged
	Sources  int           // sources in use now
	Rounds   int           // times in a row that every source failed
}
