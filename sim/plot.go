package sim

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/consensus"
)

// behavioursOf lists the catalogue's behaviours for a protocol, those of clients
// or those of replicas: of no protocol, and the lies of its own.
func behavioursOf(name string, clients bool) byzantine.Catalogue {
	return slices.DeleteFunc(catalogue.All(), func(p byzantine.Profile) bool { return p.Client != clients || !p.For(name) })
}

// drawVillain draws one behaviour of a client.
func drawClientBehaviour(r *stream, c *Config) string {
	return withMain(r, pick(r, behavioursOf(c.Protocol, true)...))
}

// withMain adds a main parameter, or leaves the default.
func withMain(r *stream, p byzantine.Profile) string {
	if p.Drawn != nil {
		return strings.TrimSpace(p.Name + " " + pick(r, p.Drawn...))
	}
	return p.Name
}

// drawBehaviour draws one behaviour of a replica, now and then for some victims,
// some kinds of frames, or some of the time. Replies have victims of their own.
func drawBehaviour(r *stream, c *Config) string {
	p, kinds := pick(r, behavioursOf(c.Protocol, false)...), catalogue.Of(c.Protocol).Kinds
	text := withMain(r, p)
	if !p.OnReplies() && r.chance(million/3) {
		var victims []string
		for _, id := range r.rng.Perm(c.Replicas)[:1+r.upTo(c.Replicas/2)] {
			victims = append(victims, fmt.Sprint(id))
		}
		text += " to=" + strings.Join(victims, ",")
	}
	if !p.OnReplies() && p.Protocols == nil && r.chance(million/3) && len(kinds) > 0 {
		text += " kind=" + pick(r, kinds...)
	}
	if r.chance(million / 4) {
		text += " chance=" + pick(r, "2%", "10%", "30%", "70%")
	}
	return text
}

// drawActs draws what one traitor does over time: it may begin as the honest
// do, and may go back to that. What it does last it does to the end.
func drawSchedule(r *stream, c *Config) []Assignment {
	var acts []Assignment
	var at consensus.Time
	if r.chance(million / 3) {
		at = r.duration(c.Timing.Safety / 2)
	}
	for range 1 + r.upTo(3) {
		act := Assignment{From: at}
		for range pick(r, 1, 1, 1, 2, 2, 3) {
			act.Behaviours = append(act.Behaviours, drawBehaviour(r, c))
		}
		if r.chance(million / 10) {
			act.Behaviours = nil
		}
		acts = append(acts, act)
		at += r.duration(c.Timing.Safety)
	}
	return acts
}

// drawConspiracy draws what a gang does, everybody the same at the same time.
func drawCoalition(r *stream, c *Config) []Assignment {
	var acts []Assignment
	at := r.duration(c.Timing.Safety / 4)
	for range 1 + r.upTo(2) {
		var act Assignment
		plans := catalogue.Of(c.Protocol).Coalitions
		if act.From = at; len(plans) > 0 {
			act.Behaviours = pick(r, plans...)
		}
		if r.chance(million/5) || len(plans) == 0 {
			act.Behaviours = []string{drawBehaviour(r, c)}
		}
		acts = append(acts, act)
		at += r.duration(c.Timing.Safety)
	}
	return acts
}
