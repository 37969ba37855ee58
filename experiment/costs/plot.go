package costs

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus/quorum"
)

// The plot's measures, in pixels.
const (
	plotWidth  = 980
	plotHeight = 430
	panelTop   = 66
	panelSide  = 330 // width of the axes
	panelBase  = 372 // where the horizontal axis lies
	leftPanel  = 62
	rightPanel = 560
)

// style is the plot's: light, dark, and legible without colour, by marks and
// dashes.
const style = `<style>
:root { --paper: #fdfdfb; --ink: #1c2025; --soft: #5d6670; --rule: #d9dcdf; --pbft: #1f5fbf; --raft: #c2500a; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e8ea; --soft: #9aa4ae; --rule: #343a40; --pbft: #78aeff; --raft: #ff9d5c; } }
text { font: 12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--ink); }
.title { font-size: 15px; font-weight: 600; } .soft { fill: var(--soft); }
.paper { fill: var(--paper); } .rule { stroke: var(--rule); } .axis { stroke: var(--soft); }
.curve { fill: none; stroke-width: 1.8; } .rare { stroke-dasharray: 6 4; } .told { stroke-dasharray: 1.5 4; }
.pbft { stroke: var(--pbft); } .raft { stroke: var(--raft); }
circle.pbft, rect.raft { fill: var(--paper); stroke-width: 2.2; }
text.pbft { fill: var(--pbft); stroke: none; } text.raft { fill: var(--raft); stroke: none; }
</style>`

// panel is one diagram: n to the right, something else upwards.
type panel struct {
	b        *strings.Builder
	left     int
	low, top float64 // of the vertical axis
	log      bool
	most     int   // where the horizontal axis ends
	sizes    []int // ... and its numbers
}

// SVG draws what was counted on the curves of the formulas: messages per
// decision, and bytes per request alone and among a hundred. It stands alone.
func SVG(all []Cost) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="Messages per decision and bytes per request over the number of replicas, PBFT and Raft">`,
		plotWidth, plotHeight, plotWidth, plotHeight)
	fmt.Fprintf(&b, "%s\n<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", style, plotWidth, plotHeight)
	drawMessages(&b, all)
	drawBytes(&b, all)
	b.WriteString("</svg>\n")
	return b.String()
}

// drawMessages is the left panel, linear: what a square does to a line is best
// seen on a plain scale.
func drawMessages(b *strings.Builder, all []Cost) {
	p := panel{b: b, left: leftPanel}
	p.span(all)
	var ticks []float64
	step := 50 * float64(1+p.most*p.most/200)
	for p.top < float64(2*(p.most-1)*(p.most-2)) {
		p.top += step
	}
	for v := 0.0; v <= p.top; v += step {
		ticks = append(ticks, v)
	}
	p.frame("Messages per decision", "marks: counted; lines: the formulas", ticks)
	for _, protocol := range quorum.Protocols() {
		frames := func(n int) float64 { e := Expect(protocol, n); return float64(e.Frames) }
		p.curve(protocol, "", frames)
		for _, c := range of(all, protocol) {
			p.mark(protocol, c.Replicas, c.Alone.each(c.Alone.Frames()))
		}
	}
	p.curve(quorum.Raft, "told", func(n int) float64 { return 2 * float64(n-1) })
	p.text(p.x(0.7*float64(p.most)), p.y(0.6*p.top), quorum.PBFT, "end", "PBFT: 2n(n−1)")
	p.end(quorum.Raft, 4*float64(p.most-1), -4, "Raft: 4(n−1)")
	p.end(quorum.Raft, 2*float64(p.most-1), 6, "2(n−1), as it")
	p.end(quorum.Raft, 2*float64(p.most-1), 20, "is often told")
}

// drawBytes is the right panel, logarithmic: it is about factors.
func drawBytes(b *strings.Builder, all []Cost) {
	p := panel{b: b, left: rightPanel, low: 500, top: 50_000, log: true}
	p.span(all)
	p.frame("Bytes between replicas, per request of 256 bytes", "solid: one request per decision; dashed: a hundred", []float64{500, 1000, 2000, 5000, 10_000, 20_000, 50_000})
	for _, protocol := range quorum.Protocols() {
		own := of(all, protocol)
		if len(own) == 0 {
			continue
		}
		first := &own[0]
		hundred := func(n int) float64 { return float64(ExpectBytes(protocol, n, first.Hundred.batch())) / Hundred }
		p.curve(protocol, "", func(n int) float64 { return float64(ExpectBytes(protocol, n, first.Alone.batch())) })
		p.curve(protocol, "rare", hundred)
		if protocol == quorum.PBFT {
			p.end(protocol, hundred(p.most), 4, "PBFT, 100")
		} else {
			p.end(protocol, float64(ExpectBytes(protocol, p.most, first.Alone.batch())), -4, "Raft, alone")
			p.end(protocol, hundred(p.most), 16, "Raft, 100")
		}
		for _, c := range own {
			p.mark(protocol, c.Replicas, c.Alone.perRequest(c.Alone.Bytes()))
			p.mark(protocol, c.Replicas, c.Hundred.perRequest(c.Hundred.Bytes()))
		}
	}
	p.text(p.x(0.6*float64(p.most)), p.y(19_000), quorum.PBFT, "end", "PBFT, alone")
}

// span finds the numbers of the horizontal axis, and where it ends.
func (p *panel) span(all []Cost) {
	p.sizes = []int{1}
	for _, c := range all {
		p.sizes = append(p.sizes, c.Replicas)
	}
	slices.Sort(p.sizes)
	p.sizes = slices.Compact(p.sizes)
	p.most = p.sizes[len(p.sizes)-1] + 1
}

// of are the costs of one protocol.
func of(all []Cost, protocol string) (own []Cost) {
	for _, c := range all {
		if c.Protocol == protocol {
			own = append(own, c)
		}
	}
	return own
}

func (p *panel) x(n float64) float64 { return float64(p.left) + panelSide*n/float64(p.most) }

// y is where a value lies; what the axis does not reach lies at its end.
func (p *panel) y(v float64) float64 {
	part := (v - p.low) / (p.top - p.low)
	if p.log {
		part = math.Log(max(v, p.low)/p.low) / math.Log(p.top/p.low)
	}
	return panelBase - (panelBase-panelTop)*min(max(part, 0), 1)
}

// frame draws titles, axes and their numbers.
func (p *panel) frame(title, sub string, ticks []float64) {
	p.text(float64(p.left)-40, 26, "title", "start", title)
	p.text(float64(p.left)-40, 45, "soft", "start", sub)
	right := p.left + panelSide
	for _, v := range ticks {
		y := p.y(v)
		fmt.Fprintf(p.b, "<line class=\"rule\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>\n", p.left, y, right, y)
		p.text(float64(p.left)-8, y+4, "soft", "end", thousands(v))
	}
	for _, n := range p.sizes {
		x := p.x(float64(n))
		fmt.Fprintf(p.b, "<line class=\"axis\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>\n", x, panelBase, x, panelBase+5)
		p.text(x, panelBase+19, "soft", "middle", fmt.Sprint(n))
	}
	fmt.Fprintf(p.b, "<line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n", p.left, panelBase, right, panelBase)
	p.text(float64(p.left+panelSide/2), panelBase+42, "soft", "middle", "n, the number of replicas")
}

// thousands is a number on an axis.
func thousands(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%gk", v/1000)
	}
	return fmt.Sprintf("%g", v)
}

// curve draws a formula from n = 2 to the end of the axis.
func (p *panel) curve(protocol, class string, f func(n int) float64) {
	var points []string
	for n := 2; n <= p.most && f(n) <= p.top; n++ {
		points = append(points, fmt.Sprintf("%.1f,%.1f", p.x(float64(n)), p.y(f(n))))
	}
	fmt.Fprintf(p.b, "<polyline class=\"curve %s\" points=\"%s\"/>\n", strings.TrimSpace(protocol+" "+class), strings.Join(points, " "))
}

// mark draws one measurement: a ring of PBFT's, a square of Raft's.
func (p *panel) mark(protocol string, n int, v float64) {
	x, y := p.x(float64(n)), p.y(v)
	if protocol == quorum.Raft {
		fmt.Fprintf(p.b, "<rect class=\"raft\" x=\"%.1f\" y=\"%.1f\" width=\"8\" height=\"8\"><title>n = %d: %s</title></rect>\n", x-4, y-4, n, number(v))
		return
	}
	fmt.Fprintf(p.b, "<circle class=\"pbft\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"><title>n = %d: %s</title></circle>\n", x, y, n, number(v))
}

// end names a curve beside its end, some pixels lower.
func (p *panel) end(protocol string, v, lower float64, text string) {
	p.text(float64(p.left+panelSide+7), p.y(v)+lower, protocol, "start", text)
}

func (p *panel) text(x, y float64, class, anchor, text string) {
	fmt.Fprintf(p.b, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", class, x, y, anchor, html.EscapeString(text))
}
