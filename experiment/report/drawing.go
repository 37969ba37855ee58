package report

import (
	"html"
	"html/template"
	"strconv"
	"strings"
)

// Drawing is an SVG in the making. Shapes have classes, and their colours come
// from the style sheet; all text is escaped here.
type Drawing struct {
	b    strings.Builder
	unit string // of horizontal lengths: "" are pixels, "%" is of the width
}

// open begins the picture, or one within another. Attributes are names and
// values in turn.
func (d *Drawing) open(attributes ...string) { d.tag("svg", ">\n", attributes) }

func (d *Drawing) close() { d.b.WriteString("</svg>\n") }

// HTML is the drawing as part of a page.
func (d *Drawing) HTML() template.HTML { return template.HTML(d.b.String()) }

func (d *Drawing) tag(name, end string, attributes []string) {
	d.b.WriteString("<" + name)
	for i := 0; i+1 < len(attributes); i += 2 {
		d.b.WriteString(" " + attributes[i] + `="` + html.EscapeString(attributes[i+1]) + `"`)
	}
	d.b.WriteString(end)
}

// shape writes one element; tip is what a pointer that rests on it is told.
func (d *Drawing) shape(name, tip string, attributes ...string) {
	if tip == "" {
		d.tag(name, "/>\n", attributes)
		return
	}
	d.tag(name, "><title>"+html.EscapeString(tip)+"</title></"+name+">\n", attributes)
}

// px prints a length without more digits than are seen.
func px(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// across prints a horizontal length.
func (d *Drawing) across(v float64) string {
	if d.unit == "" {
		return px(v)
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 2, 64), ".00") + d.unit
}

// Line draws a straight line.
func (d *Drawing) Line(class string, x1, y1, x2, y2 float64) {
	d.shape("line", "", "class", class, "x1", d.across(x1), "y1", px(y1), "x2", d.across(x2), "y2", px(y2))
}

// Rect draws a box from its upper left corner.
func (d *Drawing) Rect(class string, x, y, width, height float64, tip string) {
	d.shape("rect", tip, "class", class, "x", d.across(x), "y", px(y), "width", d.across(width), "height", px(height))
}

// Circle draws a circle; the radius is in pixels.
func (d *Drawing) Circle(class string, x, y, r float64, tip string) {
	d.shape("circle", tip, "class", class, "cx", d.across(x), "cy", px(y), "r", px(r))
}

// Text writes beside x, so many pixels to the right of it. The classes middle
// and right say which part of the text stands there, if not its left end.
func (d *Drawing) Text(class string, x, shift, y float64, text string) {
	d.text(class, x, shift, y, html.EscapeString(text))
}

// text writes what is escaped already.
func (d *Drawing) text(class string, x, shift, y float64, escaped string) {
	if escaped == "" {
		return
	}
	attributes := []string{"class", class, "x", d.across(x), "y", px(y)}
	if shift != 0 {
		attributes = append(attributes, "dx", px(shift))
	}
	d.tag("text", ">"+escaped+"</text>\n", attributes)
}

// path draws what a path's data says.
func (d *Drawing) path(class, data, tip string) { d.shape("path", tip, "class", class, "d", data) }

// Color is the class of the i-th series or value, and none of a negative one.
// There are six, which letters, dashes or marks tell apart too.
func Color(i int) string {
	if i < 0 {
		return ""
	}
	return "c" + strconv.Itoa(i%6)
}
