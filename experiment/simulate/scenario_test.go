package simulate

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/sim"
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
	p, err := RunScenario(s, nil)
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
	p, err := RunScenario(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last := p.Sets[len(p.Sets)-1]; !p.Safe || last.Answers[0].Result != "done" || !slices.Equal(last.State[1][1:], []string{"8", "9", "13"}) {
		t.Errorf("%s: %v, %v", p.Outcome, last.Answers, last.State)
	}
}

// echo answers with the operation and how often it was executed before: an
// application of one's own.
type echo struct{}

func (echo) Name() string { return "echo" }

func (echo) Execute(_ app.Context, tx app.Tx, op []byte) consensus.Result {
	n, _ := tx.Get(op)
	tx.Put(op, append(n, '+'))
	return app.OK(append(op, n...))
}

// TestRunScenarioOnAnApplication: requests are its operations, and results its own.
func TestRunScenarioOnAnApplication(t *testing.T) {
	s, err := spec.ParseScenario([]byte("[[set]]\nrequests = ['invoke hello world', 'invoke hello world', 'invoke bye']\n"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := RunScenario(s, echo{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Answer{{"invoke hello world", "hello world"}, {"invoke hello world", "hello world+"}, {"invoke bye", "bye"}}
	if !p.Safe || !slices.Equal(p.Sets[0].Answers, want) || p.Sets[0].Log[1][4] != "invoke hello world" {
		t.Errorf("%s: %v, log %v", p.Outcome, p.Sets[0].Answers, p.Sets[0].Log)
	}
}

// TestRunScenarioWithFaults: faults strike at moments of the sets, each until
// another one ends it, and what only processes can suffer is refused.
func TestRunScenarioWithFaults(t *testing.T) {
	const sets = "[[set]]\nrequests = ['put color red']\n[[set]]\nrequests = ['put color blue']\n[[set]]\nrequests = ['get color']\n"
	run := func(faults string) (*ScenarioResult, error) {
		s, err := spec.ParseScenario([]byte(sets + faults))
		if err != nil {
			t.Fatal(err)
		}
		return RunScenario(s, nil)
	}
	p, err := run("[[fault]]\nat = '33%'\nkind = 'crash'\nreplica = 3\n[[fault]]\nat = '70%'\nkind = 'restart'\nreplica = 3\n" +
		"[[fault]]\nat = '1s'\nlasts = '3s'\nkind = 'corrupt'\nreplica = 0\nbehaviours = ['silent']\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Sets[1].State[4]; !slices.Equal(got, []string{"R3 (down)", "red"}) {
		t.Errorf("after the second set: %v", got)
	}
	if got := p.Sets[2].State[4]; !p.Safe || !slices.Equal(got, []string{"R3", "blue"}) || p.Sets[2].Answers[0].Result != "blue" {
		t.Errorf("at the end: %v, %v", got, p.Sets[2].Answers)
	}
	for text, want := range map[string]string{
		"at = '1s'\nkind = 'crash'\nrole = 'leader'":        "looked up among processes",
		"at = '1s'\nkind = 'restart'\nreplica = 2":          "no crash comes before",
		"at = '1s'\nkind = 'disk full'\nreplica = 2":        "no fault is called \"disk full\"",
		"at = '1s'\nkind = 'crash'\nreplica = 4":            "has 0 to 3",
		"at = '1s'\nkind = 'delay'\nreplica = 0\nby = '2s'": "no fault is called \"delay\"",
	} {
		if _, err := run("[[fault]]\n" + text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestRunScenarioWithoutSets: there is nothing to run.
func TestRunScenarioWithoutSets(t *testing.T) {
	s, err := spec.ParseScenario(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := RunScenario(s, nil); !errors.Is(err, spec.ErrScenario) {
		t.Errorf("got %v", err)
	}
}

// TestRunScenarioWithoutRequests: where nobody asks for anything, nothing is judged.
func TestRunScenarioWithoutRequests(t *testing.T) {
	s := &spec.Scenario{File: "idle.toml", Replicas: 4, Sets: []spec.Set{{}, {Lasts: sim.Second}}}
	if r, err := RunScenario(s, nil); !errors.Is(err, spec.ErrScenario) || !strings.Contains(err.Error(), "nothing would be judged") {
		t.Errorf("got %+v, %v, want %v", r, err, spec.ErrScenario)
	}
}

// TestAllLiarsAreNotJudged: whatever came of it, nobody is left of whom to say that it
// was safe.
func TestAllLiarsAreNotJudged(t *testing.T) {
	s := spec.Spec{Protocol: "pbft", Replicas: 4, Clients: 1, Invoked: 4, Seed: 1, Traitors: []sim.Traitor{{}, {Replica: 1}, {Replica: 2}, {Replica: 3}}}
	o, err := Run(s)
	if err != nil || o.Verdict.Safe() || o.Verdict.Unjudged == "" || o.Word() == spec.Live {
		t.Errorf("%s, safe %t, %v", o.Word(), o.Verdict.Safe(), err)
	}
}
