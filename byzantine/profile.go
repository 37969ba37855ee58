package byzantine

// Outcome is what a run must end in.
type Outcome string

// The outcomes. "may fork" needs colluders and luck in timing.
const (
	SafeLive    Outcome = "safe and live"
	SafeSlow    Outcome = "safe, live, slower"
	SafeStopped Outcome = "safe but stopped"
	MayStop     Outcome = "safe, may stop"
	Forks       Outcome = "forks"
	MayFork     Outcome = "may fork"
	Deceives    Outcome = "a client is deceived"
)

// Param is a parameter of a profile.
type Param struct{ Name, Default, Help string }

// Profile describes a behaviour that can be named.
type Profile struct {
	Name      string
	Aliases   []string // a course's names, such as "dark"
	Sentence  string
	Group     string   // its row in ADVERSARIES §2, such as P-EQUIV
	Client    bool     // a client's, not a replica's
	Protocols []string // nil = any
	Params    []Param
	AtF       Outcome // with f such replicas of 3f+1
	AtF1      Outcome // with f+1 that collude
}
