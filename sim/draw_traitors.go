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

// drawClientBehaviour draws one behaviour of a client.
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

// drawSchedule draws what one traitor does over time: it may begin honest, and
// may become honest again. The last assignment holds to the end.
func drawSchedule(r *stream, c *Config) []Assignment {
	var schedule []Assignment
	var at consensus.Time
	if r.chance(million / 3) {
		at = r.duration(c.Timing.Safety / 2)
	}
	for range 1 + r.upTo(3) {
		next := Assignment{From: at}
		for range pick(r, 1, 1, 1, 2, 2, 3) {
			next.Behaviours = append(next.Behaviours, drawBehaviour(r, c))
		}
		if r.chance(million / 10) {
			next.Behaviours = nil
		}
		schedule = append(schedule, next)
		at += r.duration(c.Timing.Safety)
	}
	return schedule
}

// drawCoalition draws what a coalition does, everybody the same at the same time.
func drawCoalition(r *stream, c *Config) []Assignment {
	var schedule []Assignment
	at := r.duration(c.Timing.Safety / 4)
	for range 1 + r.upTo(2) {
		var next Assignment
		plans := catalogue.Of(c.Protocol).Coalitions
		if next.From = at; len(plans) > 0 {
			next.Behaviours = pick(r, plans...)
		}
		if r.chance(million/5) || len(plans) == 0 {
			next.Behaviours = []string{drawBehaviour(r, c)}
		}
		schedule = append(schedule, next)
		at += r.duration(c.Timing.Safety)
	}
	return schedule
}

// drawTraitors draws who lies, and goes beyond the bounds where the genre asks
// for it.
func (c *Config) drawTraitors(r *stream) {
	f := c.Trust.Faults
	switch c.Genre {
	case genreTraitor:
		c.drawSchedules(r, 1+r.upTo(f-1), r.chance(million/4))
	case genreTreason:
		c.Trust.Faults = f + 1
		c.drawSchedules(r, f+1, true)
		c.shorten()
	case genreBent:
		c.bend(r)
		c.shorten()
	}
}

// shorten bounds the liveness phase of a run that need not be live.
func (c *Config) shorten() {
	c.Timing.Liveness = 5*Second + 4*consensus.Time(c.Timing.PatienceCap)*c.Timing.Tick
	*c = c.withoutHazard(hazardWipe)
}

// bend draws a cluster beyond the bounds: n = 3f with the right quorum, which
// is safe and stops, or with the quorum n-f, which forks; or the quorum 2f+1
// where n is not 3f+1.
func (c *Config) bend(r *stream) {
	if r.chance(million / 3) {
		c.Replicas = pick(r, 5, 6, 9)
		f := (c.Replicas - 1) / 3
		c.Trust = Trust{Faults: f, Quorum: 2*f + 1}
		c.drawSchedules(r, f, true)
		return
	}
	c.Replicas = pick(r, 3, 3, 6, 9)
	f := c.Replicas / 3
	c.Trust = Trust{Faults: f, Assumed: f}
	if r.chance(million / 2) {
		c.Trust.Quorum = c.Replicas - f
	}
	c.drawSchedules(r, f, true)
}

// drawSchedules draws traitors and what they do.
func (c *Config) drawSchedules(r *stream, count int, coalition bool) {
	c.Coalition = coalition
	var common []Assignment
	if coalition && c.Genre != genreTraitor {
		common = drawCoalition(r, c)
	}
	for _, id := range r.rng.Perm(c.Replicas)[:count] {
		t := Traitor{Replica: consensus.ReplicaID(id), Schedule: common}
		if common == nil {
			t.Schedule = drawSchedule(r, c)
		}
		c.Traitors = append(c.Traitors, t)
	}
}
