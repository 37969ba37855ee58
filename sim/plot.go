package sim

import (
	"fmt"
	"strings"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// mains are main parameters that are drawn beside a behaviour's default. What
// "any" covers by itself is not listed; floods are thin, because a seed that
// does nothing else finds nothing else.
var mains = map[string][]string{
	"silent":         {"", "30", "200"},
	"drop":           {"", "20%", "50%"},
	"slow-reader":    {"", "4"},
	"flicker":        {"", "30%", "250%"},
	"delay":          {"", "40%", "99%", "150%"},
	"reorder":        {"", "12"},
	"duplicate":      {"", "3"},
	"replay":         {"", "3%"},
	"garbage":        {"", "20%"},
	"flood":          {"2", "2", "30 of=future"},
	"time":           {"", "3s", "1h how=jumps", "1h how=stands", "1s ticks=0", "1s ticks=4"},
	"rollback":       {"", "0%", "90%"},
	"lie":            {"", "seq", "view", "replica", "sequence", "request", "withheld"},
	"equivocate":     {"", "order", "subset", "empty", "body", "any"},
	"select":         {"", "2"},
	"slow-primary":   {"", "50%", "99%"},
	"starve":         {"", "first votes=yes", "all"},
	"bad-batch":      {""},
	"seq-jump":       {"", "far", "huge", "reuse", "any"},
	"false-stamp":    {"", "behind", "still", "ahead by=3s"},
	"withhold-votes": {"", "prepares", "commits", "both but=1"},
	"hide-prepared":  {"", "old", "prepared"},
	"fake-prepared":  {"", "stale", "later", "window"},
	"fetch-flood":    {"1", "1", "12"},
	"fork-views":     {"", "50%"},
	"request-flood":  {"4"},
	"silent-reader":  {"2"},
}

// masked are the kinds of frames that a mask may be limited to, for behaviours
// that work on any frame.
var masked = []string{"PRE-PREPARE", "PREPARE", "COMMIT", "CHECKPOINT", "VIEW-CHANGE", "NEW-VIEW", "PREPARE,COMMIT", "VIEW-CHANGE,NEW-VIEW"}

// behavioursOf lists the names of the catalogue's behaviours for PBFT.
func behavioursOf(clients bool) []string {
	var names []string
	for _, p := range byzantine.Catalogue() {
		if p.Client == clients && p.For(protocol.PBFT) {
			names = append(names, p.Name)
		}
	}
	return names
}

var (
	replicaBehaviours = behavioursOf(false)
	clientBehaviours  = behavioursOf(true)
)

// drawVillain draws one behaviour of a client.
func drawVillain(r *stream) string { return withMain(r, pick(r, clientBehaviours...)) }

// withMain adds a main parameter, or leaves the default.
func withMain(r *stream, name string) string {
	if choices := mains[name]; choices != nil {
		return strings.TrimSpace(name + " " + pick(r, choices...))
	}
	return name
}

// drawBehaviour draws one behaviour of a replica, now and then for some victims,
// some kinds of frames, or some of the time. Replies have victims of their own.
func drawBehaviour(r *stream, c *Config) string {
	name := pick(r, replicaBehaviours...)
	p, _ := byzantine.Lookup(name)
	text := withMain(r, name)
	if name != "lie" && r.chance(million/3) {
		var victims []string
		for _, id := range r.rng.Perm(c.Replicas)[:1+r.upTo(c.Replicas/2)] {
			victims = append(victims, fmt.Sprint(id))
		}
		text += " to=" + strings.Join(victims, ",")
	}
	if name != "lie" && p.Protocols == nil && r.chance(million/3) {
		text += " kind=" + pick(r, masked...)
	}
	if r.chance(million / 4) {
		text += " chance=" + pick(r, "2%", "10%", "30%", "70%")
	}
	return text
}

// drawActs draws what one traitor does over time: it may begin as the honest
// do, and may go back to that. What it does last it does to the end.
func drawActs(r *stream, c *Config) []Act {
	var acts []Act
	var at consensus.Time
	if r.chance(million / 3) {
		at = r.duration(c.Timing.Storm / 2)
	}
	for range 1 + r.upTo(3) {
		act := Act{From: at}
		for range pick(r, 1, 1, 1, 2, 2, 3) {
			act.Behaviours = append(act.Behaviours, drawBehaviour(r, c))
		}
		if r.chance(million / 10) {
			act.Behaviours = nil
		}
		acts = append(acts, act)
		at += r.duration(c.Timing.Storm)
	}
	return acts
}

// conspiracies are what f+1 do together: most that can fork, some that deceive
// clients or stop everything.
var conspiracies = [][]string{
	{"fork"}, {"fork"}, {"fork"}, {"fork"}, {"fork-views"}, {"fork-views"}, {"fork-views"},
	{"equivocate", "double-vote"}, {"equivocate any", "double-vote"}, {"equivocate", "hide-prepared"}, {"hide-prepared"},
	{"equivocate-new-view", "hide-prepared"}, {"fake-prepared"}, {"lie"}, {"lie", "fork"}, {"poison-checkpoint"},
	{"twin"}, {"amnesia"}, {"vc-spam"}, {"silent"}, {"bad-new-view"},
}

// drawConspiracy draws what a gang does, everybody the same at the same time.
func drawConspiracy(r *stream, c *Config) []Act {
	var acts []Act
	at := r.duration(c.Timing.Storm / 4)
	for range 1 + r.upTo(2) {
		act := Act{From: at, Behaviours: pick(r, conspiracies...)}
		if r.chance(million / 5) {
			act.Behaviours = []string{drawBehaviour(r, c)}
		}
		acts = append(acts, act)
		at += r.duration(c.Timing.Storm)
	}
	return acts
}
