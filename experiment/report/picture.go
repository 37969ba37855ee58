package report

import _ "embed"

//go:embed theme.css
var theme string

//go:embed plot.css
var plotStyle string

// Sizes of a picture's panels, in pixels.
const (
	panelShare = 490 // from one to the next
	panelLeft  = 62  // before the plot's area, for numbers
	panelWidth = 330 // of the area; what is right of it has room for names
	panelAbove = 26  // where a plot begins: headings reach into its upper margin
)

// Picture lays plots out side by side, each under its title and a note, as an
// SVG file that stands alone.
func Picture(title string, notes []string, plots ...*Plot) string {
	var d drawing
	width, height := px(float64(panelShare*len(plots))), px(panelAbove+plots[0].height)
	d.open("xmlns", "http://www.w3.org/2000/svg", "class", "plot", "viewBox", "0 0 "+width+" "+height, "width", width, "height", height, "role", "img", "aria-label", title)
	d.WriteString("<style>\n" + theme + plotStyle + "</style>\n")
	d.tag("rect", "/>\n", "class", "paper", "width", "100%", "height", "100%")
	for i, p := range plots {
		x := px(float64(panelShare*i + panelLeft))
		d.write("heading", x, -40, panelAbove, p.title)
		d.write("soft", x, -40, panelAbove+19, notes[i])
		d.open("x", x, "y", px(panelAbove), "width", px(panelWidth), "height", px(p.height), "overflow", "visible")
		d.WriteString(string(p.End()))
		d.close()
	}
	d.close()
	return d.String()
}
