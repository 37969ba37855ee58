package byzantine

import (
	"slices"
	"strings"

	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/protocol"
)

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
	MayDeceive  Outcome = "a client may be deceived"
	Breaks      Outcome = "not safe" // forks, or the honest have different states, or an answer is lost
)

// Need is what must happen in a run so that a behaviour shows. Runs of a profile
// see to it.
type Need string

// The needs. A protocol whose leaders are elected has other ways to meet them
// than one whose primaries follow from the view.
const (
	Primary    Need = "primary"     // the traitor is the first primary in half of the runs
	ViewChange Need = "view change" // the first primary is away for a while, and the traitors come next
	Fetch      Need = "fetch"       // an honest replica falls so far behind that it fetches a state
	Restart    Need = "restart"     // the traitor is restarted
	Turnover   Need = "turnover"    // who helped to commit is away when who was away comes back
	Election   Need = "election"    // the traitor is elected
	Between    Need = "between"     // the others fall into halves that reach each other by the traitor alone
)

// Param is a parameter of a profile. The first one of a profile is its main
// parameter, whose name may be left out.
type Param struct{ Name, Default, Help string }

// Profile is a behaviour that can be named, with what makes it work. A
// replica's behaviour has an Intercept, or works on replies or around New.
type Profile struct {
	Name      string
	Aliases   []string // names that courses use, such as "dark"
	Sentence  string
	Group     string   // its row in the catalogue of attacks, such as P-EQUIV
	Client    bool     // a client's, not a replica's
	Protocols []string // nil = any
	Params    []Param
	AtF       Outcome // with f such replicas of 3f+1; "" = none of a protocol that tolerates any
	AtF1      Outcome // with f+1 that collude
	AtCrash   Outcome // with one such replica of 2f+1 in crash mode, which tolerates none; "" = as with AtF

	Needs Need     `json:"-"`
	Drawn []string `json:"-"` // main parameters that simulated seeds draw, each as often as it stands here; nil = the default

	Intercept func(*Env, Spec) (Interceptor, error) `json:"-"` // between the engine and the network
	replies   func(*Env, Spec) (replyFunc, error)   // between execution and clients
	findings  func(*Env, Spec) (findingFunc, error) // the same for reads that are not ordered
	wrap      func(*Env, Spec) (behaviour, error)   // around New
}

// MeetsReaders reports whether a behaviour shows where clients read without an order.
func (p *Profile) MeetsReaders() bool { return p.findings != nil }

// For reports whether a behaviour is one for a protocol.
func (p *Profile) For(protocol string) bool {
	return p.Protocols == nil || slices.Contains(p.Protocols, protocol)
}

// Fits refuses a lie of another protocol than the one that a cluster runs. The
// error wraps ErrSpec.
func (p *Profile) Fits(protocol string) error {
	if p.For(protocol) {
		return nil
	}
	return &foreignError{Name: p.Name, Of: p.Protocols, Runs: protocol}
}

// AtStart reports whether a behaviour changes how the engine starts, so that it
// begins and ends with a restart of its replica.
func (p *Profile) AtStart() bool { return p.wrap != nil }

// OnReplies reports whether a behaviour works on replies alone: its victims are
// clients, and to= and kind= mean nothing.
func (p *Profile) OnReplies() bool {
	return (p.replies != nil || p.findings != nil) && p.Intercept == nil
}

// Crash is the outcome with one of 2f+1 in crash mode; "" if it is no behaviour
// of such a protocol.
func (p *Profile) Crash() Outcome {
	if p.AtCrash == "" && p.Protocols == nil {
		return p.AtF
	}
	return p.AtCrash
}

// OneOf is the outcome with the fewest of them that are worth a run: f where
// lies are tolerated, one in crash mode; "" if the behaviour is none for the
// protocol.
func (p *Profile) OneOf(of protocol.Protocol) Outcome {
	switch {
	case !p.For(of.Name):
		return ""
	case of.Model == quorum.Crash:
		return p.Crash()
	}
	return p.AtF
}

// And is a behaviour that the protocols of p and of q call by the same name. What
// it takes to show, and what comes of it, is the same in both.
func (p Profile) And(q Profile) Profile {
	first := p
	p.Protocols = slices.Concat(p.Protocols, q.Protocols)
	p.Intercept = func(e *Env, s Spec) (Interceptor, error) {
		if q.For(e.Genesis.Protocol) {
			return q.Intercept(e, s)
		}
		return first.Intercept(e, s)
	}
	return p
}

// Catalogue lists behaviours, in the order in which they are shown and drawn.
type Catalogue []Profile

// Lies are what a protocol's package has for the catalogue.
type Lies struct {
	Protocol   string
	Profiles   Catalogue
	Coalitions [][]string // what f+1 traitors of a simulated seed do together, each as often as it stands here
	Kinds      []string   // kinds of frames to which a simulated seed limits behaviours of no protocol
}

// Lookup finds a behaviour by its name or one of its aliases; nil if there is none.
func (c Catalogue) Lookup(name string) *Profile {
	i := slices.IndexFunc(c, func(p Profile) bool { return p.Name == name || slices.Contains(p.Aliases, name) })
	if i < 0 {
		return nil
	}
	return &c[i]
}

// names lists the names in order.
func (c Catalogue) names() []string {
	var all []string
	for _, p := range c {
		all = append(all, p.Name)
	}
	slices.Sort(all)
	return all
}

// How is the list of parameters of a behaviour that has several ways.
func How(words, first, help string) []Param {
	return []Param{{Name: "how", Default: first, Help: help + ": " + words}}
}

// OneOf is the help of a parameter that takes one of some words.
func OneOf(words []string) string { return "one of: " + strings.Join(words, ", ") }
