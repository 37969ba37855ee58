// Package report draws what experiments found: plots, message sequence charts
// and self-contained pages.
//
//	drawing.go  Drawing, the one writer of SVG
//	plot.go     Plot: axes, curves, marks, bands over a Drawing
//	chart.go    Chart: who sent what to whom, from top to bottom
//	page.go     Page and its parts: Table, Figure
//	*.css       theme (the colours), plot, chart, page
//
// A shape has classes and no colours. The classes c0 to c5 are the six colours
// of series and values; good, stopped and bad are the tones of a result. The
// style sheet gives all of them a value for light, for dark and for paper.
//
// It never measures anything, and knows no protocol.
//
// Invariants: a page or a picture needs nothing else, no network and no script;
// text from outside is escaped in one place; a page is never wider than its
// screen: a table stands in a box that scrolls, a plot stretches, and so does
// its text not.
package report
