package check

import (
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
)

// What no honest replica found is right all the same if a state of the agreed history
// gives it: a liar may say what is true.
func TestReadsAreHeldAgainstTheAgreedHistory(t *testing.T) {
	for name, c := range map[string]struct {
		app  app.Application
		at   consensus.Seq
		told string
		want string // "" is right
	}{
		"right":                 {kv.Store{}, 1, record(1, "a"), ""},
		"wrong":                 {kv.Store{}, 1, record(1, "b"), "which no state of the agreed history has, from 1 to 1"},
		"nothing to hold it to": {nil, 1, record(1, "a"), "which no honest replica found"},
		"right, at no height":   {kv.Store{}, 1 << 62, record(1, "a"), ""},
	} {
		r := newRun(t, 0)
		cfg := r.cfg
		cfg.Application = c.app
		r.Judge = New(cfg)
		r.Finds()
		r.believed(1, 1, 2, 1, putA, revision(1))
		id := CallID{Number: 2}
		r.Invoked(3, id, r.clients[0].Public(), get)
		r.ReturnedUnordered(4, id, c.at, app.OK([]byte(c.told)))
		v := r.Verdict(5)
		if got := slices.Contains(v.kinds(), Deceived); got != (c.want != "") {
			t.Errorf("%s: %v", name, v.Violations)
		}
		if c.want != "" && !slices.ContainsFunc(v.Violations, func(x Violation) bool { return strings.Contains(x.Text, c.want) }) {
			t.Errorf("%s: %v lack %q", name, v.Violations, c.want)
		}
	}
}
