package bounds

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
)

// Cell is one scenario for one protocol and size, with what theory says of it.
type Cell struct {
	Section  string // a group of rows
	Row      string // the scenario
	Spec     spec.Spec
	Theory   []string // the words (spec.Outcome.Word) that theory allows
	Culprits int      // of a fork: evidence names at least so many
	Why      string   // one or two sentences
	Source   string
	Real     bool   // real processes can do it
	Split    *Split // who is answered while the network is split; nil if nobody asks
	Claims   []Claim
}

// All names the matrix of all protocols, side by side.
const All = "all"

// Cells is the matrix of a protocol, or of all. Sections, rows and columns stand
// in the order in which they are to be shown.
func Cells(name string) ([]Cell, error) {
	known := append(protocol.Names(), All)
	if !slices.Contains(known, name) {
		return nil, fmt.Errorf("no matrix for protocol %q: choose %s", name, strings.Join(known, ", "))
	}
	all := slices.Concat(bothCells(), splitCells(), wayCells(), pbftCells())
	return slices.DeleteFunc(all, func(c Cell) bool { return name != All && c.Spec.Protocol != name }), nil
}

// Column is the protocol with its size, and the size of its quorums where that
// is not simply 2f+1 of 3f+1: what the cells of one column share.
func (c *Cell) Column() string {
	p := c.Spec.UnderTest()
	s := fmt.Sprintf("%s n=%d", p.Title, c.Spec.Replicas)
	if p.Model == quorum.Byzantine && (c.Spec.Replicas%3 != 1 || c.Spec.Quorum != 0 || c.Spec.Assumed != 0) {
		s += fmt.Sprintf(" q=%d", c.system().Quorum())
	}
	return s
}

// ID names the cell in files and links.
func (c *Cell) ID() string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(strings.ToLower(c.Column()+" "+c.Row), "+", " plus ") {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if s := b.String(); s != "" && !strings.HasSuffix(s, "-") {
			b.WriteByte('-')
		}
	}
	return strings.TrimSuffix(b.String(), "-")
}

// Result is a cell that was run.
type Result struct {
	Cell
	Outcome   spec.Outcome
	Err       error  // it could not be run at all
	Complaint string // how it disagrees with theory; "" if it agrees
}

// Agrees reports whether the run ended as theory says.
func (r *Result) Agrees() bool { return r.Err == nil && r.Complaint == "" }

// complaint is how the run disagrees with theory, or why there was none.
func (r *Result) complaint() string {
	if r.Err != nil {
		return r.Err.Error()
	}
	return r.Complaint
}

// Word is how the run ended, or that it did not take place.
func (r *Result) Word() string {
	if r.Err != nil {
		return "not run"
	}
	return r.Outcome.Word()
}

// judge holds an outcome against theory.
func (c *Cell) judge(o *spec.Outcome) string {
	word := o.Word()
	if !slices.Contains(c.Theory, word) {
		return fmt.Sprintf("theory says %s, the run was %s%s", strings.Join(c.Theory, " or "), word, firstViolation(o))
	}
	if word == spec.Unsafe {
		// Where theory allows that, states differ before batches do; anything
		// else that is wrong with a run would hide behind the word.
		for _, v := range o.Verdict.Violations {
			if v.Kind != check.Divergence {
				return "theory allows states that differ, and the run: " + v.String()
			}
		}
	}
	for _, id := range o.Verdict.Culprits {
		if !c.Spec.Lies(id) {
			return fmt.Sprintf("evidence names R%d, which is honest", id)
		}
	}
	switch named := len(o.Verdict.Culprits); {
	case word == spec.Forked && named < c.Culprits:
		return fmt.Sprintf("forked, but evidence names %s of at least %d", noun.Several(named, "culprit"), c.Culprits)
	case !c.Spec.UnderTest().Signed && named > 0:
		return fmt.Sprintf("evidence names %s, but members of %s sign nothing", noun.Several(named, "replica"), c.Spec.UnderTest().Title)
	case word == spec.Deceived && named > 0:
		return fmt.Sprintf("evidence names %s for lying to a client, but replies prove nothing to others", noun.Several(named, "replica"))
	}
	for _, text := range []string{c.split(o), c.shown(o)} {
		if text != "" {
			return text
		}
	}
	return c.provable(o)
}

// provable judges each piece of evidence again, from the genesis alone, as
// somebody who was not there would.
func (c *Cell) provable(o *spec.Outcome) string {
	for _, e := range o.Verdict.Evidence {
		if fault, err := evidence.Verify(&o.Genesis, e.Encoded); err != nil {
			return fmt.Sprintf("evidence against R%d does not hold offline: %v", e.Fault.Replica, err)
		} else if fault.Replica != e.Fault.Replica {
			return fmt.Sprintf("evidence against R%d convicts R%d offline", e.Fault.Replica, fault.Replica)
		}
	}
	return ""
}

func firstViolation(o *spec.Outcome) string {
	if len(o.Verdict.Violations) == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s)", o.Verdict.Violations[0])
}

// system is the fault arithmetic of the cell, as its genesis will have it.
func (c *Cell) system() quorum.System {
	g := consensus.Genesis{
		Protocol: c.Spec.Protocol, Replicas: make([]crypto.PublicKey, c.Spec.Replicas), UnsafeDemo: true,
		Quorum: c.Spec.Quorum, Faults: c.Spec.Assumed,
	}
	s, err := c.Spec.UnderTest().Model.For(&g)
	if err != nil {
		return c.Spec.System()
	}
	return s
}
