package model

import (
	"fmt"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/viewchange"
)

type (
	vcs  = []*message.ViewChange
	cert = *message.Certificate
)

// choosing is a Select that differs in which entry of which VIEW-CHANGEs it
// takes.
func choosing(counts func(*message.Rules, int, vcs) bool, better func(p, best cert) bool) selection {
	return func(rules *message.Rules, v vcs) viewchange.Start {
		start := viewchange.Select(rules, v)
		if start.Min > 0 {
			return start
		}
		var best cert
		for i := range v {
			for _, p := range v[i].Prepared {
				if counts(rules, i, v) && (best == nil || better(p, best)) {
					best = p
				}
			}
		}
		if best == nil {
			return viewchange.Start{}
		}
		return viewchange.Start{Chosen: []viewchange.Chosen{{Seq: 1, Digest: best.Digest, Prepared: best}}}
	}
}

func everybody(*message.Rules, int, vcs) bool { return true }
func highest(p, best cert) bool               { return p.View > best.View }

// matching takes as min-s the highest mark that so many VIEW-CHANGEs name [B11].
func matching(least func(*message.Rules) int) selection {
	return func(rules *message.Rules, v vcs) viewchange.Start {
		count := 0
		for _, vc := range v {
			if vc.Low == 1 {
				count++
			}
		}
		if count >= least(rules) {
			return viewchange.Select(rules, v)
		}
		var open vcs
		for _, vc := range v {
			c := *vc
			c.Low, c.Checkpoint = 0, nil
			open = append(open, &c)
		}
		return viewchange.Select(rules, open)
	}
}

func lowest(rules *message.Rules, v vcs) viewchange.Start {
	return matching(func(*message.Rules) int { return len(v) })(rules, v)
}

// Weaker rules, each with the number of views that votes must be cast in before
// one liar of four forks it, and with the shortest way there.
func TestSearchFindsWeakerRules(t *testing.T) {
	for _, tc := range []struct {
		name         string
		weakness     weakness
		checkpoints  bool
		views, steps int
	}{
		{"nothing is carried over", weakness{Select: func(*message.Rules, vcs) viewchange.Start { return viewchange.Start{} }}, false, 2, 12},
		{"any certificate instead of the one from the highest view", weakness{Select: choosing(everybody, func(cert, cert) bool { return false })}, false, 3, 16},
		{"the certificate from the lowest view", weakness{Select: choosing(everybody, func(p, best cert) bool { return p.View < best.View })}, false, 3, 16},
		{"the last certificate in V", weakness{Select: choosing(everybody, func(cert, cert) bool { return true })}, false, 3, 16},
		{"only what several say is prepared", weakness{Select: choosing(func(r *message.Rules, i int, v vcs) bool {
			same := 0
			for _, vc := range v {
				if len(vc.Prepared) > 0 && vc.Prepared[0].Digest == v[i].Prepared[0].Digest {
					same++
				}
			}
			return same >= r.System.Weak()
		}, highest)}, false, 2, 12},
		{"the last VIEW-CHANGE of V is not looked at", weakness{Select: choosing(func(_ *message.Rules, i int, v vcs) bool { return i < len(v)-1 }, highest)}, false, 2, 12},
		{"only the new primary's certificates", weakness{Select: choosing(func(r *message.Rules, i int, v vcs) bool {
			return v[i].Replica == r.System.Primary(v[i].View)
		}, highest)}, false, 2, 12},
		{"min-s is what w VIEW-CHANGEs name [B11]", weakness{Select: matching(func(r *message.Rules) int { return r.System.Weak() })}, true, 2, 14},
		{"min-s is the lowest in V", weakness{Select: lowest}, true, 2, 14},
		{"the primary counts twice [B2]", weakness{PrimaryTwice: true}, false, 2, 13},
		{"q-1 votes prepare", weakness{Prepares: 1}, false, 2, 13},
		{"q-1 COMMITs commit", weakness{Commits: 1}, false, 2, 10},
		{"V is smaller than a quorum", weakness{ViewChanges: 1}, false, 2, 11},
		{"backups accept what does not follow from V", weakness{Disloyal: true}, false, 2, 12},
		{"a vote in a later view forgets what prepared before [B27]", weakness{Forgetful: true}, false, 3, 16},
	} {
		for views := 1; views <= maxViews; views++ {
			var best report
			for liar := range consensus.ReplicaID(4) {
				s := system(t, 4, 0, views, liar)
				s.Weakness, s.Checkpoints = tc.weakness, tc.checkpoints
				if r := explore(s); r.Fork != nil && (best.Fork == nil || r.Steps < best.Steps) {
					best = r
				}
			}
			switch {
			case (best.Fork != nil) != (views >= tc.views):
				t.Errorf("%s: forks in %d views: %v, it takes %d", tc.name, views, best.Fork != nil, tc.views)
			case views == tc.views && best.Steps != tc.steps:
				t.Errorf("%s: forks in %d steps, want %d", tc.name, best.Steps, tc.steps)
			case views == tc.views:
				t.Logf("%s: %d steps\n%s", tc.name, best.Steps, strings.Join(best.Fork, "\n"))
			}
		}
	}
}

// The stories are executions: two replicas that do not lie execute, and there
// are as many steps as counted.
func TestStoriesAreComplete(t *testing.T) {
	for _, liars := range [][]consensus.ReplicaID{{0, 3}, {1, 3}, {2, 3}, {0, 1}} {
		r := explore(system(t, 4, 0, maxViews, liars...))
		executed, steps := map[string]bool{}, 0
		for _, line := range r.Fork {
			switch {
			case strings.HasPrefix(line, "view"):
				steps += strings.Count(line, " says ")
			default:
				steps++
			}
			if who, _, ok := strings.Cut(strings.TrimSpace(line), " has a quorum of COMMITs: executes"); ok {
				executed[who] = true
			}
		}
		for _, liar := range liars {
			if executed[fmt.Sprintf("R%d", liar)] {
				t.Errorf("liars %v: a liar's execution counts", liars)
			}
		}
		if len(executed) != 2 || steps != r.Steps {
			t.Errorf("liars %v: %d replicas execute in %d steps, of %d:\n%s", liars, len(executed), steps, r.Steps, strings.Join(r.Fork, "\n"))
		}
	}
}
