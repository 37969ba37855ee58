package report

import (
	_ "embed"
	"html/template"
)

//go:embed theme.css
var theme string

//go:embed plot.css
var plotStyle string

// Panel is a plot of a Picture, under a heading and a line that explains it.
type Panel struct {
	Heading, Note string
	Plot          *Plot
}

// Sizes of a picture's panels, in pixels.
const (
	panelShare  = 490 // from one to the next
	panelLeft   = 62  // before the plot's area, for numbers
	panelWidth  = 330 // of the area; what is right of it has room for names
	panelAbove  = 26  // where a plot begins: the heading reaches into its upper margin
	headingLine = 19
)

// Picture lays plots out side by side, as an SVG file that stands alone.
func Picture(title string, panels ...Panel) string {
	d, width, height := &Drawing{}, float64(panelShare*len(panels)), 0.0
	for _, p := range panels {
		height = max(height, panelAbove+p.Plot.height)
	}
	d.open("xmlns", "http://www.w3.org/2000/svg", "class", "plot", "viewBox", "0 0 "+px(width)+" "+px(height), "width", px(width), "height", px(height),
		"role", "img", "aria-label", title)
	d.b.WriteString("<style>\n" + theme + plotStyle + "</style>\n")
	d.Rect("paper", 0, 0, width, height, "")
	for i, p := range panels {
		x := float64(panelShare*i + panelLeft)
		d.Text("heading", x, -40, panelAbove, p.Heading)
		d.Text("soft", x, -40, panelAbove+headingLine, p.Note)
		d.open("x", px(x), "y", px(panelAbove), "width", px(panelWidth), "height", px(p.Plot.height), "overflow", "visible")
		d.b.WriteString(string(p.Plot.End()))
		d.close()
	}
	d.close()
	return d.b.String()
}

// style is all of a page's.
func style() template.CSS { return template.CSS(theme + plotStyle + chartStyle + pageStyle) }
