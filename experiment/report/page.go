package report

import (
	_ "embed"
	"html/template"
)

//go:embed page.html
var layout string

//go:embed page.css
var pageStyle string

//go:embed chart.css
var chartStyle string

//go:embed timeline.css
var timelineStyle string

// Page is the template of a page. The text defines its parts "title" and "body";
// in it "table" shows a Table and "figure" a Figure.
func Page(text string) *template.Template {
	t := template.New("page").Funcs(template.FuncMap{"style": style})
	return template.Must(template.Must(t.Parse(layout)).Parse(text))
}

// Table is a table with the names of its columns. The first column names the
// rows.
type Table struct {
	Title string // which the page shows where it wishes
	Class string // stack: its rows become cards on a narrow screen; small
	Heads []Cell
	Rows  [][]Cell
}

// Cell is one place of a table. Without a text it is empty.
type Cell struct {
	Text  string
	Note  string // below the text
	Tone  string // good, stopped, bad or missing, or a Color; "" = none
	Link  string // the id of what it leads to
	Alarm bool   // it is not as it must be
}

// Figure is a drawing with what one must know to read it.
type Figure struct {
	Title   string
	Note    string
	Legend  []Key
	Drawing template.HTML
}

// Key explains the look of something drawn; without a class it is a remark.
type Key struct{ Class, Text, Code string }

// style is all of a page's.
func style() template.CSS {
	return template.CSS(theme + plotStyle + chartStyle + timelineStyle + pageStyle)
}
