package viewchange

import (
	"fmt"
	"testing"

	"quorate/consensus"
	"quorate/crypto"
	"quorate/pbft/message"
)

// The safety of PBFT across views, searched to exhaustion for one slot, two
// values, four replicas of which one lies, and three views in a row: whatever
// was committed anywhere is in the plan of every later view, whatever the liar
// does, whichever votes were lost, and whichever q VIEW-CHANGEs made the view.

const (
	searchViews = 3
	values      = 2
	size        = 4
)

// situation is all that matters at the end of a view. It is comparable, so that
// situations reached in several ways are continued once.
type situation struct {
	prepared  [size]held                // the highest certificate of each honest replica
	exists    [searchViews][values]bool // certificates that can be put together from votes sent
	committed [values]bool              // values that some replica may have committed
}

// held is a certificate; view 0 is none, otherwise it is the view plus one.
type held struct{ view, value int }

// moment is a situation that was continued already: at the beginning of a view
// with its plan, or, as ended, before the VIEW-CHANGEs.
type moment struct {
	view, planned int
	situation
}

const ended = -2

// search walks through all executions with the given liar.
type search struct {
	rules    *message.Rules
	liar     int
	inV      int // VIEW-CHANGEs that make a NEW-VIEW
	choose   func(vcs) Start
	bug      string // the first violation found
	seen     map[moment]bool
	steps    int
	lastView int
}

func (s *search) run() string {
	s.seen = map[moment]bool{}
	s.view(0, -1, situation{})
	return s.bug
}

// view lets the replicas vote in view v. planned is the value that the NEW-VIEW
// prescribes, -1 if none.
func (s *search) view(v, planned int, before situation) {
	if !s.first(moment{v, planned, before}) {
		return
	}
	var accepted [size]int // -1 nothing, else the value
	s.accept(v, planned, 0, accepted, before)
}

// first reports whether m is new and worth going on from.
func (s *search) first(m moment) bool {
	if s.bug != "" || s.seen[m] {
		return false
	}
	s.seen[m] = true
	return true
}

// accept enumerates which honest replica accepts which proposal. An honest
// primary proposes one value and is the first to accept it; a lying one tells
// everybody what it likes, but what a NEW-VIEW prescribes.
func (s *search) accept(v, planned, id int, accepted [size]int, before situation) {
	if id == size {
		s.prepare(v, 0, accepted, s.certificates(v, accepted, before))
		return
	}
	for value := -1; value < values; value++ {
		if id == s.liar && value >= 0 || planned >= 0 && value >= 0 && value != planned {
			continue
		}
		accepted[id] = value
		if id == size-1 && v%size != s.liar && !loyal(accepted, v%size) {
			continue
		}
		s.accept(v, planned, id+1, accepted, before)
	}
}

// loyal reports whether everybody follows the honest primary or waits.
func loyal(accepted [size]int, primary int) bool {
	for _, value := range accepted {
		if value >= 0 && value != accepted[primary] {
			return false
		}
	}
	return true
}

// certificates notes what the votes, with the liar's for everything, prove.
func (s *search) certificates(v int, accepted [size]int, w situation) situation {
	for value := range values {
		w.exists[v][value] = s.withLiar(accepted, value) >= s.rules.System.Quorum()
	}
	return w
}

func (s *search) withLiar(votes [size]int, value int) int {
	count := 1
	for id, vote := range votes {
		if id != s.liar && vote == value {
			count++
		}
	}
	return count
}

// prepare enumerates at which honest replicas the certificate arrives. They
// send COMMITs, and so does the liar.
func (s *search) prepare(v, id int, accepted [size]int, w situation) {
	if id < size {
		s.prepare(v, id+1, accepted, w)
		if id != s.liar && accepted[id] >= 0 && w.exists[v][accepted[id]] {
			w.prepared[id] = held{view: v + 1, value: accepted[id]}
			s.prepare(v, id+1, accepted, w)
		}
		return
	}
	for value := range values {
		commits := [size]int{-1, -1, -1, -1}
		for i, h := range w.prepared {
			if h.view == v+1 {
				commits[i] = h.value
			}
		}
		if s.withLiar(commits, value) >= s.rules.System.Quorum() {
			w.committed[value] = true
		}
	}
	if w.committed[0] && w.committed[1] {
		s.bug = fmt.Sprintf("both values committed by view %d", v)
	}
	if s.first(moment{v, ended, w}) {
		s.change(v, w)
	}
}

// change enumerates the VIEW-CHANGEs that may make view v+1, with every lie.
func (s *search) change(v int, w situation) {
	lies := []held{{}}
	for view := range v + 1 {
		for value := range values {
			if w.exists[view][value] {
				lies = append(lies, held{view: view + 1, value: value})
			}
		}
	}
	for members := range 1 << size {
		var ids []int
		for id := range size {
			if members>>id&1 == 1 {
				ids = append(ids, id)
			}
		}
		if len(ids) != s.inV {
			continue
		}
		for _, lie := range lies {
			said := w.prepared
			said[s.liar] = lie
			s.plan(v+1, ids, said, w)
			if members>>s.liar&1 == 0 {
				break // the liar has no part in it
			}
		}
	}
}

// plan judges what follows from V, and goes on into the view.
func (s *search) plan(v int, ids []int, said [size]held, w situation) {
	s.steps++
	vs := make(vcs, 0, size)
	for _, id := range ids {
		vc := &message.ViewChange{View: consensus.View(v), Replica: consensus.ReplicaID(id)}
		if h := said[id]; h.view > 0 {
			vc.Prepared = []cert{{Kind: message.PreparedCertificate, View: consensus.View(h.view - 1), Seq: 1, Digest: digestOf[h.value]}}
		}
		vs = append(vs, vc)
	}
	planned := -1
	if start := s.choose(vs); len(start.Chosen) > 0 {
		for value, d := range digestOf {
			if d == start.Chosen[0].Digest {
				planned = value
			}
		}
	}
	for value, yes := range w.committed {
		if yes && planned != value {
			s.bug = fmt.Sprintf("view %d plans %d although %d may be committed; V of %v said %v", v, planned, value, ids, said)
			return
		}
	}
	if v < s.lastView {
		s.view(v, planned, w)
	}
}

var digestOf = [values]crypto.Digest{a, b}

func newSearch(t *testing.T, liar int) *search {
	c := newCluster(t, size)
	return &search{
		rules: c.Rules, liar: liar, inV: c.System.Quorum(), lastView: searchViews,
		choose: func(vs vcs) Start { return Select(c.Rules, vs) },
	}
}

func TestWhatIsCommittedAnywhereIsInEveryPlan(t *testing.T) {
	for liar := range size {
		s := newSearch(t, liar)
		if bug := s.run(); bug != "" {
			t.Errorf("liar %d: %s", liar, bug)
		}
		if s.steps < 1000 {
			t.Errorf("liar %d: only %d plans were looked at", liar, s.steps)
		}
		t.Logf("liar %d: %d situations, %d plans", liar, len(s.seen), s.steps)
	}
}

// choosing makes a Select that differs from the right one in which entry it takes.
func choosing(better func(p, best cert) bool) func(vcs) Start {
	return func(vs vcs) Start {
		var best cert
		for _, vc := range vs {
			for _, p := range vc.Prepared {
				if best == nil || better(p, best) {
					best = p
				}
			}
		}
		if best == nil {
			return Start{}
		}
		return Start{Chosen: []Chosen{{Seq: 1, Digest: best.Digest, Prepared: best}}}
	}
}

// The search has teeth: it finds what a weaker rule would let happen.
func TestSearchFindsWeakerRules(t *testing.T) {
	for _, tc := range []struct {
		name   string
		weaken func(*search)
		views  int // consecutive view changes that it takes
	}{
		{"nothing is carried over", func(s *search) { s.choose = func(vcs) Start { return Start{} } }, 1},
		{"any certificate instead of the one from the highest view", func(s *search) {
			s.choose = choosing(func(cert, cert) bool { return false })
		}, 2},
		{"the certificate from the lowest view", func(s *search) {
			s.choose = choosing(func(p, best cert) bool { return p.View < best.View })
		}, 2},
		{"V is smaller than a quorum", func(s *search) { s.inV-- }, 1},
	} {
		for views := 1; views <= searchViews; views++ {
			found := false
			for liar := range size {
				s := newSearch(t, liar)
				s.lastView = views
				tc.weaken(s)
				found = s.run() != "" || found
			}
			if found != (views >= tc.views) {
				t.Errorf("%s: found with %d view changes: %v, it takes %d", tc.name, views, found, tc.views)
			}
		}
	}
}
