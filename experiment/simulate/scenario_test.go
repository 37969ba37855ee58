package simulate

import (
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/experiment/spec"
)

const drama = `
balance = 10
[[set]]
requests = ["transfer A B 3", "put color red", "transfer B C 20", "get color"]
[[set]]
requests = ["transfer B A 1"]
[set.byzantine]
0 = ["silent"]
[[set]]
requests = ["balance A"]
live = [0, 1]
[[set]]
requests = ["balance B", "del color"]
live = [0, 1, 2]
`

// TestPlay: answers, state, status and views as the requests, crashes and lies
// of each set make them.
func TestPlay(t *testing.T) {
	s, err := spec.ParseScenario([]byte(drama))
	if err != nil {
		t.Fatal(err)
	}
	p, err := RunScenario(s)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Safe || len(p.Sets) != 4 {
		t.Fatalf("%+v", p)
	}
	var answers []string
	for _, x := range p.Sets {
		for _, a := range x.Answers {
			answers = append(answers, a.Result)
		}
	}
	if want := "done|done|refused: B holds 13|red|done|no answer|12|done"; strings.Join(answers, "|") != want {
		t.Errorf("answers %q, want %q", answers, want)
	}
	if got := strings.Join(p.Sets[0].State[1], " "); got != "R0 7 13 red 10" {
		t.Errorf("state after the first set: %s", got)
	}
	last := p.Sets[3]
	if !slices.Equal(last.State[2][1:], []string{"8", "12", "-", "10"}) || !slices.Equal(last.State[4], []string{"R3 (down)", "8", "12", "red", "10"}) {
		t.Errorf("state at the end: %v", last.State)
	}
	if len(p.Sets[0].Views) != 1 || len(last.Views) < 2 || last.Views[1][1] != "R1" {
		t.Errorf("views: %v, then %v", p.Sets[0].Views, last.Views)
	}
	if log := last.Log; len(log) < 10 || log[1][4] != "open accounts" || log[0][0] != "replica" {
		t.Errorf("log: %v", log)
	}
	if !slices.Contains(last.Status[4], "X") || !slices.Contains(last.Status[1], "E") {
		t.Errorf("status: %v", last.Status)
	}
}

// sheet is what courses hand out.
const sheet = `Set Number,Transactions,Live,Byzantine,Attack
1,"(A, B, 3)","[n1, n2, n3, n4, n5, n6, n7]","[n3, n5]","[crash; dark(n6); equivocation(n5, n6)]"
,"(B, C, 4)",,,
,(C),,,
2,"(C, A, 1)","[n1, n2, n3, n4, n5]",[],[]
`

// TestPlayOfACourse: seven replicas, two of which attack in all usual ways.
func TestPlayOfACourse(t *testing.T) {
	s, err := spec.ParseCourse([]byte(sheet))
	if err != nil {
		t.Fatal(err)
	}
	p, err := RunScenario(s)
	if err != nil {
		t.Fatal(err)
	}
	if last := p.Sets[len(p.Sets)-1]; !p.Safe || last.Answers[0].Result != "done" || !slices.Equal(last.State[1][1:], []string{"8", "9", "13"}) {
		t.Errorf("%s: %v, %v", p.Outcome, last.Answers, last.State)
	}
}
