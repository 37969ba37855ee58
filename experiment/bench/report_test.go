package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// sampleReport has two loads, two sides of which one is older, a peer, gaps, and words
// that must be escaped.
func sampleReport() *Report {
	gap, p50 := 250.5, 2.5
	new1, new2 := round("16 callers", "<this> & that", 1, 4000, 3, &gap), round("16 callers", "<this> & that", 2, 5000, 2.5, &gap)
	new1.Course = Course{Slice: 100, Answered: []int{400, 0, 0, 500, 410, 390, 450, 430, 0, 480}, Failed: []int{0, 0, 2, 0, 0, 0, 0, 0, 0, 0}}
	new1.Gaps, new1.GapsInAll = []Gap{{0.099, 250.5}, {0.78, 120}}, 2
	new1.Operations, new1.Refused, new1.Failed = 3060, 2, 2
	new1.Each = decision{Operations: 10, Frames: 24, Bytes: 4000, Syncs: 7}
	new1.Processes = []replicaResult{{CPU: 40, RSS: 100 << 20, Peak: 120 << 20, Batches: 306, BatchSize: 1.5, Syncs: 500, SyncSeconds: 0.001, Frames: 7344, Bytes: 1224000}}
	new1.CPU = new1.cpu()
	new1.Oldest, new1.UnderWay = 300, 3
	old := round("16 callers", "old", 1, 2000, 6, nil)
	many := round("64 callers", "<this> & that", 1, 9000, 7, &gap)
	many.Clients, many.Keys = 64, 64*KeysEach
	many.Course, many.Gaps = new1.Course, new1.Gaps
	return &Report{
		Cores: 2, Shared: true, Rounds: 2, Loads: []Measurement{new1.Measurement, many.Measurement}, Sides: []string{"<this> & that", "old"}, Results: []Result{new1, old, new2, many},
		Peers: &Peers{Note: "<somewhere> else", Peers: []Peer{{Name: "peer \"one\" <x>", Clients: 16, Rounds: []PeerRound{{PerSecond: 3000, P50: &p50, P99: &gap}}}}},
	}
}

// golden compares with a file, which is written anew if it is not there.
func golden(t *testing.T, file, got string) {
	t.Helper()
	want, err := os.ReadFile("testdata/" + file)
	if os.IsNotExist(err) {
		if err := os.WriteFile("testdata/"+file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("testdata/%s was not there and is written: look at it", file)
	}
	if got != string(want) {
		t.Errorf("not as testdata/%s has it; remove that, run the test again, and look at what has changed:\n%s", file, got)
	}
}

// TestObjects: what programs read is stable.
func TestObjects(t *testing.T) {
	r := sampleReport()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	for _, x := range append([]any{r.Results[0], r.Results[1]}, r.Objects()...) {
		if err := e.Encode(x); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "objects.json", b.String())
}

// TestTexts: what people read, and nothing is wider than the terminal.
func TestTexts(t *testing.T) {
	r := sampleReport()
	text := func(columns int) string {
		var b bytes.Buffer
		if err := r.Results[0].WriteText(&b, columns); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteText(&b, columns); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	golden(t, "text.txt", text(0))
	for _, columns := range []int{40, 60, 80, 120} {
		for line := range strings.Lines(text(columns)) {
			if n := utf8.RuneCountInString(line) - 1; n > columns {
				t.Errorf("%d columns: %d in %q", columns, n, line)
			}
		}
	}
	var b bytes.Buffer
	if err := (&Report{Sides: []string{""}}).WriteText(&b, 80); err != nil || b.Len() > 0 {
		t.Errorf("of nothing: %q, %v", b.String(), err)
	}
}

// TestPage: the page shows what was measured, escaped, and needs nothing else.
func TestPage(t *testing.T) {
	interrupted := sampleReport()
	for i := range interrupted.Results {
		interrupted.Results[i].Interrupted = true
	}
	for name, r := range map[string]*Report{"sample": sampleReport(), "interrupted": interrupted, "empty": {Loads: []Measurement{{}}, Sides: []string{""}}} {
		var b bytes.Buffer
		if err := WriteHTML(&b, r); err != nil {
			t.Fatal(name, err)
		}
		text := b.String()
		for _, bad := range []string{"NaN", "Inf", "src=", "@import", "<this>", "<somewhere>", "<x>"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: the page has %q", name, bad)
			}
		}
		if name == "sample" {
			golden(t, "page.html", regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAllString(text, ""))
		}
	}
}

// TestPageTellsReadsFromWrites: where both were measured.
func TestPageTellsReadsFromWrites(t *testing.T) {
	r := sampleReport()
	if lines := r.apart(r.shown(r.Loads[0].Name)); lines != nil {
		t.Errorf("of writes alone: %q", lines)
	}
	for i := range r.Results {
		r.Results[i].ReadLatency, r.Results[i].WriteLatency = &latency{P50: 1.5, P99: 3}, &latency{P50: 9, P99: 27}
	}
	var b bytes.Buffer
	if err := WriteHTML(&b, r); err != nil || !strings.Contains(b.String(), "reads take 1.50 ms in the median, 99 of 100 within 3.00 ms; writes 9.00 and 27.0 ms.") {
		t.Errorf("%q, %v", r.apart(r.shown(r.Loads[0].Name)), err)
	}
}

// TestCurvesJoinOneFamily: a line between loads that differ in more means nothing.
func TestCurvesJoinOneFamily(t *testing.T) {
	r := sampleReport()
	if !r.family() {
		t.Error("loads of more callers are of one family")
	}
	r.Loads[1].OneEach = true
	if r.family() {
		t.Error("loads with other signatures are not")
	}
}

// TestNothingWasAnswered: no latency is said to be 0.
func TestNothingWasAnswered(t *testing.T) {
	var b bytes.Buffer
	r := Result{Measurement: Measurement{Name: "x", Protocol: "pbft", Replicas: 4, Clients: 1}, Seconds: 0.001}
	if err := r.WriteText(&b, 0); err != nil || strings.Contains(b.String(), "p50") || !strings.Contains(b.String(), "nothing was answered in that time") {
		t.Errorf("%s, %v", &b, err)
	}
}
