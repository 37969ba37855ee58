package spec

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

const small = `
name = "two sets"
balance = 10
seed = 3
[[set]]
requests = ["transfer A B 3", "put color red"]
live = [0, 1, 2]
lasts = "3s"
[set.byzantine]
0 = ["silent"]
[[set]]
requests = ["balance A"]
print = ["state"]
`

func TestParseScenario(t *testing.T) {
	s, err := ParseScenario([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	want := &Scenario{Name: "two sets", Replicas: 4, Balance: 10, Seed: 3, Sets: []Set{
		{
			Requests: []Request{{"transfer", []string{"A", "B", "3"}}, {"put", []string{"color", "red"}}},
			Live:     []consensus.ReplicaID{0, 1, 2}, Byzantine: map[consensus.ReplicaID][]string{0: {"silent"}}, Lasts: 3 * sim.Second, Line: 5,
		},
		{Requests: []Request{{"balance", []string{"A"}}}, Byzantine: map[consensus.ReplicaID][]string{}, Print: []string{"state"}, Line: 11},
	}}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got %+v", s)
	}
	if got := strings.Join(s.Accounts(), " "); got != "A B" {
		t.Errorf("accounts %q", got)
	}
}

// TestScenariosSayWhatIsWrong: each mistake is named, none panics.
func TestScenariosSayWhatIsWrong(t *testing.T) {
	for want, change := range map[string][2]string{
		"unknown key \"colour\"": {"seed = 3", "colour = 3"},
		"no replica 4":           {"[0, 1, 2]", "[0, 4]"},
		"no replica 9":           {"0 = [", "9 = ["},
		"no replica -1":          {"[0, 1, 2]", "[-1]"},
		"not the number":         {"0 = [", "first = ["},
		"not a whole number":     {"A B 3", "A B three"},
		"write put KEY VALUE":    {"put color red", "paint red"},
		"empty request":          {"put color red", ""},
		"choose of log":          {`["state"]`, `["stat"]`},
		"lasts":                  {"3s", "soon"},
		"sielnt":                 {"silent", "sielnt"},
		"choose 1 to":            {"balance = 10", "balance = 10\nreplicas = 99"},
		"line 3":                 {"balance = 10", "balance = ten"},
	} {
		if _, err := ParseScenario([]byte(strings.Replace(small, change[0], change[1], 1))); !errors.Is(err, ErrScenario) || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %q, got %v", want, err)
		}
	}
}

// TestSetsFitTheProtocol: a lie of another protocol is refused with its file and
// line, and a set with too few replicas is named.
func TestSetsFitTheProtocol(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.toml")
	if err := os.WriteFile(path, []byte(strings.Replace(small, "silent", "fork-entries", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := LoadScenario(path)
	if err != nil {
		t.Fatal(err)
	}
	pbft, _ := protocol.Lookup(protocol.PBFT)
	raft, _ := protocol.Lookup(protocol.Raft)
	want := path + ":5: set 1: replica 0: fork-entries is a lie of raft; this cluster runs pbft: see `quorate byzantine list`"
	if err := s.Fits(pbft); !errors.Is(err, ErrScenario) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := s.Fits(raft); err != nil {
		t.Error(err)
	}
	one := Set{Live: []consensus.ReplicaID{0}}
	if got := one.Short(pbft.Model.System(4)); got != "1 of 4 live, 3 needed" {
		t.Errorf("got %q", got)
	}
	if got := s.Sets[0].Short(pbft.Model.System(4)); got != "" {
		t.Errorf("three of four are enough: %q", got)
	}
}

const course = `Set Number,Transactions,Live,Byzantine,Attack
1,"(A, B, 3)","[n1, n2, n3, n4, n5, n6, n7]","[n3, n5]","[crash; dark(n6); equivocation(n5, n6)]"
,"(B, C, 4)",,,
,(C),,,
2,"(C, A, 1)","[n1, n2, n3, n4, n5]",[],[]
`

func TestParseCourse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "course.CSV")
	if err := os.WriteFile(path, []byte(course), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := LoadScenario(path)
	if err != nil {
		t.Fatal(err)
	}
	lies := []string{"crash", "dark to=5", "equivocation to=4,5"}
	want := []Set{
		{
			Requests: []Request{{"transfer", []string{"A", "B", "3"}}, {"transfer", []string{"B", "C", "4"}}, {"balance", []string{"C"}}},
			Live:     []consensus.ReplicaID{0, 1, 2, 3, 4, 5, 6}, Byzantine: map[consensus.ReplicaID][]string{2: lies, 4: lies}, Print: Parts,
		},
		{Requests: []Request{{"transfer", []string{"C", "A", "1"}}}, Live: []consensus.ReplicaID{0, 1, 2, 3, 4}, Byzantine: map[consensus.ReplicaID][]string{}, Print: Parts},
	}
	if s.Replicas != 7 || s.Balance != courseBalance || !reflect.DeepEqual(s.Sets, want) {
		t.Errorf("got %+v", s)
	}
}

func TestCoursesSayWhatIsWrong(t *testing.T) {
	for want, change := range map[string][2]string{
		"column Transactions": {"(A, B, 3)", "A to B"},
		"column Live":         {"[n1, n2, n3, n4, n5]", "[n1; m2]"},
		"column Byzantine":    {"[n3, n5]", "[n0]"},
		"column Attack":       {"crash;", "cr(sh;"},
		"whole number":        {"(A, B, 3)", "(A, B, x)"},
		"equivocaton":         {"equivocation", "equivocaton"},
	} {
		if _, err := ParseCourse([]byte(strings.Replace(course, change[0], change[1], 1))); !errors.Is(err, ErrScenario) || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %q, got %v", want, err)
		}
	}
}

func FuzzScenario(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(course))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, parse := range []func([]byte) (*Scenario, error){ParseScenario, ParseCourse} {
			if s, err := parse(text); err == nil && s.Replicas < 1 {
				t.Fatalf("accepted %+v", s)
			}
		}
	})
}
