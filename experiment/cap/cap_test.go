package cap

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/leaderless"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// usual is what the command runs.
func usual(replicas int) Setting { return Setting{Replicas: replicas, Skew: 20 * sim.Millisecond} }

// seeds runs so many of each column.
func seeds(columns []Column, n uint64) (all []*Sum) {
	for _, c := range columns {
		s := NewSum(c)
		for seed := range n {
			r := Run(c, seed+1, nil)
			s.Add(&r)
		}
		all = append(all, s)
	}
	return all
}

// TestColumnsEndAsTheorySays, with three replicas and with five, cut and whole, and
// when replicas crash and frames are lost besides.
func TestColumnsEndAsTheorySays(t *testing.T) {
	for _, n := range Sizes {
		s, n := usual(n), uint64(2)
		if testing.Short() {
			n = 1
		}
		rough, forgetful := s, s
		rough.Rough, forgetful.ForgetDeletes = true, true
		for _, columns := range [][]Column{Columns(s), Whole(s), Columns(rough), Columns(forgetful)} {
			for _, sum := range seeds(columns, n) {
				for _, bad := range sum.complaints() {
					t.Error(bad)
				}
			}
		}
	}
}

// TestEveryProtocolHasAColumn, whoever adds it.
func TestEveryProtocolHasAColumn(t *testing.T) {
	columns := Columns(usual(5))
	for i, p := range protocol.All() {
		if c := columns[i]; c.ID != p.Name || c.Faults != 2 || c.Replicas != p.Model.Least(2) {
			t.Errorf("column %d is %s with %d replicas", i, c.ID, c.Replicas)
		}
	}
}

// TestForgottenDeletesComeBack, by a replica that was away; remembered, they do not.
func TestForgottenDeletesComeBack(t *testing.T) {
	for _, forget := range []bool{false, true} {
		s := usual(5)
		s.ForgetDeletes = forget
		for _, c := range Columns(s) {
			if c.ID != "lww-1-1" && c.ID != "dvv-1-1" {
				continue
			}
			if r := Run(c, 3, nil); (r.Counts[check.Resurrected] > 0) != forget || r.Complaint != "" {
				t.Errorf("%s, forgetful %v: %v; %s", c.ID, forget, r.Counts, r.Complaint)
			}
		}
	}
}

// TestQuorumsAreNotOneOrder: on a whole network with exact clocks, R + W > N is now
// and then not linearizable, and what writes back always is; counting by get and put
// loses updates with either.
func TestQuorumsAreNotOneOrder(t *testing.T) {
	sums := seeds(Quorums(usual(3)), 100)
	plain, atomic := sums[0], sums[1]
	if plain.Linear[no] == 0 || plain.Broken == "" || atomic.Linear[yes] != 100 {
		t.Errorf("quorums %v (%s), written back %v", plain.Linear, plain.Broken, atomic.Linear)
	}
	if atomic.Total[check.LostUpdate] == 0 || atomic.Total[check.StaleRead] > 0 || !Agree(sums) {
		t.Errorf("%v; %v %v", atomic.Total, plain.complaints(), atomic.complaints())
	}
}

// TestStoresThatNeverMeetAreFound: with every way to become equal switched off, the
// two sides of a cut differ for ever, and that is no ending that theory allows.
func TestStoresThatNeverMeetAreFound(t *testing.T) {
	for _, c := range Columns(usual(3)) {
		if c.ID != "lww-1-1" && c.ID != "dvv-1-1" {
			continue
		}
		store := *c.Store
		store.Off = leaderless.Off{Repair: true, Handing: true, Trees: true}
		c.Store = &store
		if r := Run(c, 1, nil); !strings.Contains(r.Complaint, "replicas that differ: ") {
			t.Errorf("%s: %v; %s", c.ID, r.Counts, r.Complaint)
		}
	}
}

// TestClocksLose: with clocks that are a second off, quorums lose what was answered;
// a protocol does not care.
func TestClocksLose(t *testing.T) {
	s := usual(5)
	s.Skew = sim.Second
	for _, sum := range seeds(Whole(s), 2) {
		lost := sum.Total[check.LostUpdate] > 10
		if strings.HasPrefix(sum.Column.ID, "strict") != lost && sum.Column.ID != "lww-1-1" || !Agree([]*Sum{sum}) {
			t.Errorf("%s: %v %v", sum.Column.ID, sum.Total, sum.complaints())
		}
	}
}

// TestOneSeedIsOneTable, byte by byte, and so is its page.
func TestOneSeedIsOneTable(t *testing.T) {
	write := func(seed uint64) (text string) {
		var b bytes.Buffer
		var sums []*Sum
		for _, c := range Columns(usual(3)) {
			r := Run(c, seed, nil)
			sums = append(sums, NewSum(c))
			sums[len(sums)-1].Add(&r)
		}
		if err := errors.Join(WriteTable(&b, sums, 100), WriteJSON(&b, sums), WriteHTML(&b, sums)); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if first := write(7); first != write(7) || first == write(8) {
		t.Error("one seed is not one table")
	}
}

// TestTrace tells messages, and changes nothing.
func TestTrace(t *testing.T) {
	for _, c := range Columns(usual(3)) {
		var b bytes.Buffer
		r := Run(c, 1, &b)
		if quiet := Run(c, 1, nil); len(r.Calls) != len(quiet.Calls) || r.Complaint != quiet.Complaint {
			t.Errorf("%s: traced, it is another run", c.ID)
		}
		if want := map[bool]string{true: "STORE cart = “milk", false: "REQUEST"}[c.Store != nil]; !strings.Contains(b.String(), want) {
			t.Errorf("%s: the trace has no %s", c.ID, want)
		}
	}
}

// TestComplaints: whatever is not as theory says is said.
func TestComplaints(t *testing.T) {
	good := func() *Result {
		return &Result{Linear: yes, Counts: map[check.AnomalyKind]int{}, Minority: Share{Tally{Refused: 3}, Tally{Unknown: 2}}, Majority: Share{Tally{Answered: 5}, Tally{Answered: 4, Unknown: 1}}}
	}
	for name, test := range map[string]struct {
		bend func(*Result)
		want string
	}{
		"nothing":          {func(*Result) {}, ""},
		"a minority":       {func(r *Result) { r.Minority.Reads.Answered = 1 }, "the minority answers 1 of 4 gets, theory says none"},
		"a write of it":    {func(r *Result) { r.Minority.Writes.Answered = 1 }, "the minority answers 1 of 3 writes, theory says none"},
		"a majority":       {func(r *Result) { r.Majority.Reads = Tally{Refused: 5} }, "the majority answers 0 of 5 gets, theory says some"},
		"no order":         {func(r *Result) { r.Linear = no }, "linearizable: no, theory says yes"},
		"undecided":        {func(r *Result) { r.Linear = perhaps }, "linearizable: perhaps, theory says yes"},
		"a lost update":    {func(r *Result) { r.Counts[check.LostUpdate] = 1 }, "lost update: 1, theory says none"},
		"a stale read":     {func(r *Result) { r.Counts[check.StaleRead] = 2 }, "stale read: 2, theory says none"},
		"going backward":   {func(r *Result) { r.Counts[check.NonMonotonic] = 1 }, "non-monotonic read: 1, theory says none"},
		"different":        {func(r *Result) { r.Counts[check.DifferentInEnd] = 1 }, "replicas that differ: 1, theory says none"},
		"another's ruling": {func(r *Result) { r.Violations = []string{"fork"} }, "fork"},
	} {
		r := good()
		test.bend(r)
		if got := sideOfQuorum.complaint(r); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	r := good()
	r.Minority, r.Linear = Share{Tally{Answered: 3}, Tally{Answered: 2, Unknown: 1}}, no
	r.Majority = Share{Tally{Answered: 3}, Tally{Answered: 2}}
	if got := bothSides.complaint(r); got != "the minority answers 2 of 3 writes, theory says all; lost update: 0, theory says some; stale read: 0, theory says some" {
		t.Errorf("%q", got)
	}
}

// TestEveryTheoryIsWhole: each says something of every anomaly that it counts, and
// replicas that differ in the end are never right.
func TestEveryTheoryIsWhole(t *testing.T) {
	for _, c := range append(append(Columns(usual(5)), Whole(usual(5))...), Quorums(usual(3))...) {
		for _, kind := range kinds {
			if w, said := c.Theory.Anomalies[kind]; !said && kind != check.NonMonotonic || kind == check.DifferentInEnd && w != none {
				t.Errorf("%s: %s %q", c.ID, kind, w)
			}
		}
	}
}

// TestTell: three calls for each column of the cut, with what a user saw.
func TestTell(t *testing.T) {
	said := map[string]string{}
	for _, c := range Columns(usual(5)) {
		r := Run(c, 1, nil)
		told := r.Tell()
		if len(told) != 3 {
			t.Errorf("%s: %q", c.ID, told)
		}
		said[c.ID] = strings.Join(told, "\n")
	}
	for id, words := range map[string][]string{
		"raft": {"cut off with R0 and R1", "unknown after", "no answered write is gone"}, "lww-1-1": {"done after", "it is gone", ": old."},
		"dvv-1-1": {" of C0 and ", "nobody but the user can decide"}, "strict-3-3": {"refused after", "2 of 5 replicas within reach, 3 must"},
	} {
		for _, word := range words {
			if !strings.Contains(said[id], word) {
				t.Errorf("%s does not say %q:\n%s", id, word, said[id])
			}
		}
	}
}

// TestPage is one file that needs no other, well-formed, with a time line for each
// column.
func TestPage(t *testing.T) {
	columns := append(Columns(usual(3)), Quorums(usual(3))...)
	sums := seeds(columns, 1)
	sums[0].Disagree, sums[0].bad = 1, []disagreement{{1, "<script>"}}
	var b bytes.Buffer
	if err := WriteHTML(&b, sums); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, banned := range []string{"http:", "https:", "<script", "src=", "<link", "NaN", "%!"} {
		if strings.Contains(text, banned) {
			t.Errorf("the page contains %q", banned)
		}
	}
	if n := strings.Count(text, `class="timeline"`); n != len(columns) {
		t.Errorf("%d time lines of %d", n, len(columns))
	}
	for _, shape := range []string{`class="answered"`, `class="refused"`, `class="unanswered"`, `class="wrong"`, `class="band"`} {
		if !strings.Contains(text, shape) {
			t.Errorf("no %s", shape)
		}
	}
	for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(text, -1) {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, `id="`+m[1]+`"`) {
			t.Errorf("nothing is called %s", m[1])
		}
	}
}

// TestJSON has what a program needs to count for itself.
func TestJSON(t *testing.T) {
	var b bytes.Buffer
	i := len(protocol.All()) // the first of the store
	if err := WriteJSON(&b, seeds(Columns(usual(3))[i:i+2], 2)); err != nil {
		t.Fatal(err)
	}
	var all []struct {
		ID           string
		Runs         int
		Linearizable map[string]int
		Anomalies    map[string]int
		Minority     struct{ Gets struct{ Answered int } }
		Agrees       bool
		Calls        []string
	}
	if err := json.Unmarshal(b.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Runs != 2 || all[0].Linearizable["no"] != 2 || all[0].Anomalies["lost update"] == 0 || all[0].Minority.Gets.Answered == 0 || !all[0].Agrees || len(all[0].Calls) != 3 {
		t.Errorf("%+v", all)
	}
}

// TestCallersAreTheSame in all columns: what they do hangs on their seed and on what
// they are told, and on nothing else.
func TestCallersAreTheSame(t *testing.T) {
	columns := Columns(usual(5))
	first := func(c Column) (at consensus.Time, key string) {
		a, _ := newCaller(1, &c, 5).next(0, nil)
		return a.at, a.key
	}
	for _, c := range columns {
		if at, key := first(c); key != coupon || at == 0 {
			t.Errorf("%s begins with %s at %v", c.ID, key, at)
		} else if want, _ := first(columns[0]); at != want {
			t.Errorf("%s begins at %v, others at %v", c.ID, at, want)
		}
	}
}
