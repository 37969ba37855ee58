package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const hostile = `</svg><script>alert("&")</script>`

// samplePlot has a curve with a gap and a lone point, and hostile names.
func samplePlot() *Plot {
	p := NewPlot(hostile, 200, Seconds(20), Axis{Name: hostile, Low: 1, High: 10, Log: true, Ticks: []float64{1, 10}, Label: func(float64) string { return hostile }})
	p.Curve("c0", hostile, []Point{{0, 1}, {1, 2}, {2, 0}, {3, 4}, {4, 0}, {5, 20}, {6, -1}})
	p.Curve("c1 dashed", hostile, nil)
	p.Mark(0, 1, 2, hostile)
	p.Mark(1, 2, 2, "")
	p.Band("bar c2", 3, 4, 50, 20, hostile)
	p.Band("gap", 4, 4, 50, 20, "")
	p.Events([]Event{{5, hostile}, {6, "near"}, {20, "at the end"}})
	return p
}

func sampleChart() *Chart {
	return &Chart{
		Lifelines: []Lifeline{{Name: hostile, Client: true}, {Name: "R0", Note: hostile, Traitor: true}, {Name: "R1"}},
		Rows: []Row{
			{Kind: Message, From: 0, To: []int{1}, Lost: []int{2}, Text: hostile, Value: 1},
			{Kind: Message, From: 2, Text: "to nobody", Value: -1},
			{Kind: Fault, At: time.Second, From: -1, Text: hostile},
			{Kind: Crash, From: 2, Text: "R1: crash", Value: -1},
			{Kind: Return, From: 2, Text: "R1 is back", Value: -1},
			{Kind: Term, From: 1, Text: "leads", Value: -1},
			{Kind: Execution, From: 1, Text: hostile + hostile, Value: 7, Fork: true},
			{Kind: Accepted, From: 0, Text: "accepts", Value: -1},
		},
	}
}

func samplePage(t *testing.T) string {
	t.Helper()
	page := Page(`{{define "title"}}{{.Title}}{{end}}{{define "body"}}<main>{{range .Tables}}{{template "table" .}}{{end}}{{range .Figures}}{{template "figure" .}}{{end}}</main>{{end}}`)
	var b bytes.Buffer
	err := page.Execute(&b, map[string]any{
		"Title": hostile,
		"Tables": []Table{
			{Class: "stack", Title: hostile, Heads: []Cell{{Text: "a"}, {Text: hostile, Tone: "c0"}, {Text: "c"}}, Rows: [][]Cell{
				{{Text: hostile}, {Text: hostile, Note: hostile, Tone: "bad", Link: hostile, Alarm: true}, {}},
				{{Text: "row"}, {Text: "plain"}, {Text: "said", Tone: "good"}},
			}},
			{Heads: []Cell{{}}, Rows: [][]Cell{{{Text: "1"}}}},
		},
		"Figures": []Figure{
			{Note: hostile, Legend: []Key{{"c0 dashed", hostile, hostile}, {Text: "remark"}}, Drawing: samplePlot().End()},
			{Drawing: sampleChart().SVG(hostile)},
			{Drawing: sampleTimeline().SVG(hostile)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func sampleTimeline() *Timeline {
	return &Timeline{Span: 5 * time.Second, Bands: []Band{{time.Second, 2 * time.Second, hostile}}, Lanes: []Lane{
		{hostile, []Mark{{0, Answered, hostile}, {time.Second, Refused, ""}, {5 * time.Second, Unanswered, ""}, {3 * time.Second, Wrong, ""}}}, {Name: "empty"},
	}}
}

// TestEndingsAreToldByShape, and not by colour alone.
func TestEndingsAreToldByShape(t *testing.T) {
	seen := map[string]Ending{}
	for ending, shape := range shapes {
		if other, taken := seen[shape]; taken {
			t.Errorf("%s and %s look alike", ending, other)
		}
		seen[shape] = ending
	}
	for at, want := range map[string]string{"the first mark": `class="answered" d="M86 35m-4 0a`, "the last moment": `class="unanswered" d="M946 35m0 -5l`} {
		if text := string(sampleTimeline().SVG("")); !strings.Contains(text, want) {
			t.Errorf("%s: no %s in\n%s", at, want, text)
		}
	}
}

func wellFormed(t *testing.T, name, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, text)
		}
	}
}

// TestDrawingsAreWellFormed, whatever text and values are put into them.
func TestDrawingsAreWellFormed(t *testing.T) {
	for name, text := range map[string]string{
		"plot": string(samplePlot().End()), "chart": string(sampleChart().SVG(hostile)), "empty chart": string((&Chart{}).SVG("nothing")),
		"timeline": string(sampleTimeline().SVG(hostile)), "empty timeline": string((&Timeline{}).SVG("nothing")),
		"without axes": string(NewPlot(hostile, 10, Axis{High: 1}, Axis{}).End()),
		"picture":      Picture(hostile, []string{hostile, "b"}, samplePlot(), samplePlot()),
	} {
		wellFormed(t, name, text)
		for _, banned := range []string{"<script", "NaN", "Inf", `""`} {
			if strings.Contains(text, banned) {
				t.Errorf("%s contains %q:\n%s", name, banned, text)
			}
		}
	}
}

// TestPagesNeedNothingElse: no network and no script, and what comes from outside
// stays text.
func TestPagesNeedNothingElse(t *testing.T) {
	page := samplePage(t)
	for _, banned := range []string{"http:", "https:", "@import", "url(", "<script", "src=", "<link"} {
		if strings.Contains(page, banned) {
			t.Errorf("the page contains %q", banned)
		}
	}
}

// TestPagesFitAPhone: the page is told to be as wide as the screen, every table
// stands in a box that scrolls, and no style demands more room than a phone has.
func TestPagesFitAPhone(t *testing.T) {
	page := samplePage(t)
	if !strings.Contains(page, `<meta name="viewport" content="width=device-width, initial-scale=1">`) {
		t.Error("the page says nothing of its width")
	}
	if all, boxed := strings.Count(page, "<table"), strings.Count(page, `<div class="scroll"><table`); all != 2 || boxed != all {
		t.Errorf("%d of %d tables are in a box that scrolls", boxed, all)
	}
	for _, rule := range []string{".scroll { overflow-x: auto;", "figure { margin: .4rem 0 0; background: var(--panel); border-radius: .4rem; padding: .8rem; overflow-x: auto; }"} {
		if !strings.Contains(page, rule) {
			t.Errorf("the style lacks %q", rule)
		}
	}
	for _, m := range regexp.MustCompile(`[^-(](?:min-)?width: ?(\d+)(px|rem|em)`).FindAllStringSubmatch(string(style()), -1) {
		if m[2] == "px" && len(m[1]) > 2 || m[2] != "px" && len(m[1]) > 1 {
			t.Errorf("the style demands %q", m[0])
		}
	}
	for _, head := range []string{`data-label="c"`, `class="none"`} {
		if !strings.Contains(page, head) {
			t.Errorf("a card would lack %s", head)
		}
	}
}

// TestEveryShapeHasAStyle: a class that no style knows is a slip of the pen.
func TestEveryShapeHasAStyle(t *testing.T) {
	styles := string(style())
	for _, m := range regexp.MustCompile(`class="([^"]*)"`).FindAllStringSubmatch(samplePage(t)+Picture("", []string{"b"}, samplePlot()), -1) {
		for _, class := range strings.Fields(m[1]) {
			if !regexp.MustCompile(`\.` + class + `\b`).MatchString(styles) {
				t.Errorf("no style for %q of class=%q", class, m[1])
			}
		}
	}
}

// TestEverySchemeHasEveryColor: light, dark and paper define the same colours, all
// that is used is defined, and no colour stands outside the theme.
func TestEverySchemeHasEveryColor(t *testing.T) {
	blocks := regexp.MustCompile(`(?s):root \{(.*?)\n\}`).FindAllStringSubmatch(theme, -1)
	if len(blocks) != 3 {
		t.Fatalf("%d schemes", len(blocks))
	}
	defined := regexp.MustCompile(`(--[a-z0-9-]+): #`)
	var schemes [3][]string
	for i, b := range blocks {
		for _, m := range defined.FindAllStringSubmatch(b[1], -1) {
			schemes[i] = append(schemes[i], m[1])
		}
		if !slices.Equal(schemes[i], schemes[0]) {
			t.Errorf("scheme %d has %v, the first %v", i, schemes[i], schemes[0])
		}
	}
	known := append(schemes[0], "--c", "--tone", "--tone-bg")
	for _, m := range regexp.MustCompile(`var\((--[a-z0-9-]+)`).FindAllStringSubmatch(string(style()), -1) {
		if !slices.Contains(known, m[1]) {
			t.Errorf("%s is used and not defined", m[1])
		}
	}
	if at := regexp.MustCompile(`#[0-9a-fA-F]{3}`).FindString(plotStyle + chartStyle + timelineStyle + pageStyle); at != "" {
		t.Errorf("a colour outside the theme: %s…", at)
	}
}

// TestContrast: text is legible in every scheme: 4.5 to 1, as WCAG asks.
func TestContrast(t *testing.T) {
	for i, b := range regexp.MustCompile(`(?s):root \{(.*?)\n\}`).FindAllStringSubmatch(theme, -1) {
		colors := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z0-9-]+): #([0-9a-f]+)`).FindAllStringSubmatch(b[1], -1) {
			colors[m[1]] = luminance(m[2])
		}
		for _, pair := range []string{
			"ink paper", "ink panel", "soft paper", "soft panel", "good good-bg", "stopped stopped-bg", "bad bad-bg", "bad panel", "good panel",
			"ink good-bg", "ink stopped-bg", "ink bad-bg", "c0 panel", "c1 panel", "c2 panel", "c3 panel", "c4 panel", "c5 panel", "c0 paper", "c1 good-bg", "c0 good-bg",
		} {
			text, ground, _ := strings.Cut(pair, " ")
			x, y := colors[text], colors[ground]
			if ratio := (max(x, y) + 0.05) / (min(x, y) + 0.05); ratio < 4.5 {
				t.Errorf("scheme %d: %s has a contrast of %.2f", i, pair, ratio)
			}
		}
	}
}

// luminance of a colour, by WCAG 2.1.
func luminance(hex string) (sum float64) {
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		var v float64
		digits := len(hex) / 3
		for _, c := range strings.Repeat(hex[digits*i:digits*i+digits], 3-digits) {
			v = 16*v + float64(strings.IndexRune("0123456789abcdef", c))
		}
		if v /= 255; v <= 0.03928 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}

func TestAxes(t *testing.T) {
	for _, test := range []struct {
		axis      Axis
		low, high float64
		ticks     []float64
	}{
		{UpTo("", 364, 8), 0, 400, []float64{0, 50, 100, 150, 200, 250, 300, 350, 400}},
		{UpTo("", 400, 4), 0, 400, []float64{0, 100, 200, 300, 400}},
		{UpTo("", 0, 4), 0, 1, []float64{0, 1}},
		{UpTo("", 0.3, 3), 0, 0.3, []float64{0, 0.1, 0.2, 0.3}},
		{Seconds(24), 0, 24, []float64{0, 5, 10, 15, 20}},
		{Seconds(0.5), 0, 1, []float64{0}},
		{Logarithmic("", 3, 180), 2, 200, []float64{2, 5, 10, 20, 50, 100, 200}},
		{Logarithmic("", 400, 226_000), 200, 500_000, []float64{1000, 10_000, 100_000}},
		{Logarithmic("", 7, 7), 5, 20, []float64{5, 10, 20}},
		{Logarithmic("", 0, 0), 0.001, 0.002, []float64{0.001, 0.002}},
	} {
		a := test.axis
		near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-9*max(math.Abs(y), 1e-3) }
		if !near(a.Low, test.low) || !near(a.High, test.high) || !slices.EqualFunc(a.Ticks, test.ticks, near) {
			t.Errorf("from %g to %g with %v, want %g, %g, %v", a.Low, a.High, a.Ticks, test.low, test.high, test.ticks)
		}
	}
}

// TestPlaces: values stand where the axes say, and what they do not reach at
// their ends.
func TestPlaces(t *testing.T) {
	p := NewPlot("", 264, Axis{High: 10, Ticks: []float64{0}, Label: Digits}, Axis{Low: 1, High: 100, Log: true})
	for v, want := range map[float64]float64{-1: 0, 0: 0, 5: 500, 10: 1000, 11: 1000} {
		if got := p.along(v); got != want {
			t.Errorf("along(%g) = %g, want %g", v, got, want)
		}
	}
	for v, want := range map[float64]float64{0: 240, 1: 240, 10: 140, 100: 40, 1000: 40} {
		if got := p.up(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("up(%g) = %g, want %g", v, got, want)
		}
	}
}

// TestCurveHasGaps: no line crosses one, and a lone point is a dot.
func TestCurveHasGaps(t *testing.T) {
	p := NewPlot("", 264, Axis{High: 10, Ticks: []float64{0}, Label: Digits}, Axis{Low: 1, High: 100, Log: true})
	p.Curve("c0", "", []Point{{0, 1}, {1, 100}, {2, 0}, {3, 10}, {4, 0}, {5, 1}, {6, 1}})
	text := string(p.End())
	if want := `d="M0 240L100 40M500 240L600 240"`; !strings.Contains(text, want) {
		t.Errorf("no %s in\n%s", want, text)
	}
	if want := `class="dot c0" d="M300 140h0"`; strings.Count(text, "dot") != 1 || !strings.Contains(text, want) {
		t.Errorf("no %s alone in\n%s", want, text)
	}
}

// TestNamesStandApart and in the order of their curves.
func TestNamesStandApart(t *testing.T) {
	p := NewPlot("", 264, Axis{High: 1}, Axis{High: 100})
	for name, y := range map[string]float64{"low": 50, "high": 52, "middle": 51, "far": 90} {
		p.Curve("c0", name, []Point{{0, 0}, {1, y}})
	}
	var order []string
	var places []float64
	for _, m := range regexp.MustCompile(`<text [^>]* y="([0-9.]+)">([a-z]+)<`).FindAllStringSubmatch(string(p.End()), -1) {
		var y float64
		if err := xml.Unmarshal([]byte("<y>"+m[1]+"</y>"), &y); err != nil {
			t.Fatal(err)
		}
		order, places = append(order, m[2]), append(places, y)
	}
	if !slices.Equal(order, []string{"far", "high", "middle", "low"}) {
		t.Fatalf("%v", order)
	}
	for i := 1; i < len(places); i++ {
		if places[i]-places[i-1] < 14.9 {
			t.Errorf("%s and %s stand at %v", order[i-1], order[i], places)
		}
	}
}

// TestOneThatReturns: its lifeline ends, and begins again.
func TestOneThatReturns(t *testing.T) {
	text := string(sampleChart().SVG(""))
	for _, want := range []string{`<path class="life" d="M334 44V178"/>`, `<path class="life" d="M334 208V328"/>`, `<path class="life traitor" d="M226 44V328"/>`} {
		if strings.Count(text, want) != 1 {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// TestChartShowsWhatIsLost: a tip at who received a frame, a cross before who did
// not.
func TestChartShowsWhatIsLost(t *testing.T) {
	c := &Chart{Lifelines: []Lifeline{{Name: "a"}, {Name: "b"}, {Name: "c"}}, Rows: []Row{{Kind: Message, From: 1, To: []int{0}, Lost: []int{2}, Text: "m", Value: 0}}}
	text := string(c.SVG(""))
	for _, want := range []string{`<path class="tip c0" d="M118 88l7 -4v8Z"/>`, `<path class="lost c0" d="M226 88H318"/>`, `<path class="cross" d="M315 85l7 7m0 -7l-7 7"/>`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// TestNoTextLeavesTheChart: what is said of a lifeline stands within the picture.
func TestNoTextLeavesTheChart(t *testing.T) {
	long := strings.Repeat("x", 90)
	c := &Chart{Lifelines: []Lifeline{{Name: "a"}, {Name: "b"}}, Rows: []Row{{Kind: Execution, From: 1, Text: long, Value: -1}, {Kind: Execution, From: 1, Text: "short enough for", Value: -1}}}
	text := string(c.SVG(""))
	if want := `viewBox="0 0 870 `; !strings.Contains(text, want) {
		t.Errorf("no %s in\n%s", want, text)
	}
	if strings.Contains(text, `class="did right`) {
		t.Error("there was room to the right")
	}
}
