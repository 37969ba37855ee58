// Package report draws what experiments found: plots, message sequence charts
// and self-contained pages.
//
//	drawing.go  the one writer of SVG: paths and texts; plots side by side, as a file of their own
//	plot.go     Plot: axes, curves, marks, bands, events
//	chart.go    Chart: who sent what to whom, from top to bottom
//	timeline.go Timeline: who did what when, from left to right
//	page.go     Page and its parts: Table, Figure
//	*.css       theme (the colours), plot, chart, timeline, page
//
// What is drawn has classes and no colours. The classes c0 to c5 are the six
// colours of series and values; good, stopped and bad are the tones of a result.
// The style sheet gives all of them a value for light, for dark and for paper.
//
// It never measures anything, and knows no protocol.
//
// Invariants: a page or a picture needs nothing else, no network and no script;
// text from outside is escaped in one place; a page is never wider than its
// screen: a table or a chart stands in a box that scrolls, and the area of a
// plot stretches.
package report
