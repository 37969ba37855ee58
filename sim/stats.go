package sim

import "quorate.dev/quorate/consensus"

// Stats counts what happened in a run, so that a reader sees whether a seed
// was worth anything.
type Stats struct {
	Steps           uint64 // engine steps
	Frames          uint64 // sent
	Repeated        uint64 // by those who flood, beside them
	Lost            uint64 // of them, to the network model and to partitions
	Hazards         uint64 // that were injected
	Struck          map[HazardKind]int
	LeadersLost     uint64         // times that a primary died with something in flight
	Results         uint64         // that callers believe
	Read            uint64         // ... from READs, without an order
	Asked           uint64         // operations that callers invoked
	Declined        uint64         // ... and for which there was no majority
	Failed          uint64         // ... and which ended in another error, as traitors can bring about where one reply is believed
	SetBacks        uint64         // times that a replica noticed that its disk was set back
	Fallen          uint64         // traitors that could not go on
	Changes         uint64         // times that an honest replica left a view
	InARow          uint64         // ... having executed nothing new since it left one before
	Busiest         uint64         // times that the one which did so most did
	FetchedInChange uint64         // times that a transfer of the state met a view change
	Forgotten       uint64         // votes of honest replicas that were said and lost with the power
	TopView         consensus.View // highest view that an honest replica entered
	Again           uint64         // requests that their sessions sent again
	Refusals        uint64
	Height          consensus.Seq  // highest batch executed
	Virtual         consensus.Time // how long the run was
	Recovery        consensus.Time // how long the second phase took
	Records         int            // most records in one log
	Notes           map[consensus.NoteKind]int
	Reasons         map[consensus.Reason]int // why frames were refused or messages ignored
	Full            map[string]int           // what full queues did
	Reads           map[string]int           // what READs met
}

func (s *Stats) noted(n *consensus.Note) {
	s.Notes[n.Kind]++
	if n.Reason != "" {
		s.Reasons[n.Reason]++
	}
}

func (s *Stats) refused(r consensus.Reason) { s.Reasons[r]++ }

// Add sums up two runs; heights and times are the greater ones.
func (s *Stats) Add(o Stats) {
	s.Steps, s.Frames, s.Lost, s.Hazards = s.Steps+o.Steps, s.Frames+o.Frames, s.Lost+o.Lost, s.Hazards+o.Hazards
	s.Results, s.Refusals, s.Again, s.Fallen = s.Results+o.Results, s.Refusals+o.Refusals, s.Again+o.Again, s.Fallen+o.Fallen
	s.Declined, s.Failed = s.Declined+o.Declined, s.Failed+o.Failed
	s.Asked, s.Changes, s.InARow, s.FetchedInChange = s.Asked+o.Asked, s.Changes+o.Changes, s.InARow+o.InARow, s.FetchedInChange+o.FetchedInChange
	s.SetBacks, s.Read, s.Forgotten = s.SetBacks+o.SetBacks, s.Read+o.Read, s.Forgotten+o.Forgotten
	s.Busiest = max(s.Busiest, o.Busiest)
	s.LeadersLost, s.Repeated = s.LeadersLost+o.LeadersLost, s.Repeated+o.Repeated
	s.TopView = max(s.TopView, o.TopView)
	s.Height, s.Records = max(s.Height, o.Height), max(s.Records, o.Records)
	s.Virtual, s.Recovery = s.Virtual+o.Virtual, max(s.Recovery, o.Recovery)
	sum(&s.Struck, o.Struck)
	sum(&s.Notes, o.Notes)
	sum(&s.Reasons, o.Reasons)
	sum(&s.Full, o.Full)
	sum(&s.Reads, o.Reads)
}

// sum adds counts to others.
func sum[K comparable](to *map[K]int, from map[K]int) {
	if *to == nil {
		*to = map[K]int{}
	}
	for k, n := range from {
		(*to)[k] += n
	}
}

// The queues of a process that can be full, as Stats.Full counts them.
const (
	fullSmall    = "small frame pushed out by a newer one"
	fullIntake   = "large frame held back"
	fullStream   = "frame of a held stream lost"
	fullClient   = "client's frame refused"
	fullInbox    = "worker held back by the engine"
	fullRequests = "request refused before the engine"
	fullJobs     = "engine held back by jobs"
	fullAnswers  = "answer refused"
	fullLookups  = "READ refused"
	fullReads    = "read refused"
)

// full counts that a queue was.
func (s *Stats) full(what string) { s.Full[what]++ }
