package consensus

// Report is what a replica's process says of itself: the engine's Status, and
// what only its host knows. It travels as JSON, by the client protocol and from
// the admin address.
type Report struct {
	Status
	Cluster string
	// ClientProtocol is that of the replica's program; 0: of one that does not say it.
	ClientProtocol int
	Ready          bool
	Unready        []string `json:",omitempty"`
	Address        string   // where replicas and clients reach it
	Age            string   // of the status: the engine has heard nothing since
	Uptime         string
	Stalled        []Stall `json:",omitempty"` // what stands still in the process
	Away           []Away  `json:",omitempty"` // members that it cannot reach
	Twice          []Twice `json:",omitempty"` // members of which two processes run
}

// ClientProtocol counts what clients have learnt to say that earlier programs refuse:
// 1 = requests of KindRequest, and READs.
const ClientProtocol = 1

// Stall is something that takes much longer than it should: a sync of the log on
// a disk that hangs, or the engine, which waits for it.
type Stall struct {
	What string
	For  string // a duration
}

// Away is a member that is not connected, and why.
type Away struct {
	Replica ReplicaID
	Address string
	Reason  string
	For     string // a duration
}

// Twice is a member whose key two processes have.
type Twice struct {
	Replica ReplicaID
	From    [2]string // where they connect from
}
