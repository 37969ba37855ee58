package compare

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/experiment/spec"
)

// TestScenarioErrors: what is wrong with a file, on which line, and what to
// write instead.
func TestScenarioErrors(t *testing.T) {
	for _, c := range []struct {
		text string
		line int
		want string
	}{
		{"name = 3", 1, "key \"name\": must be a text in quotes"},
		{"[[fault]]\nat = 5", 2, "key \"fault.at\": must be a text such as \"5s\""},
		{"[[fault]]\nreplica = \"1\"", 2, "key \"fault.replica\": must be a whole number"},
		{"[[fault]]\nbehaviours = \"silent\"", 2, "key \"fault.behaviours\": must be a list in brackets"},
		{"[[replicas]]\nid = 0", 1, "must be a whole number"},
		{"[[fault]]\nat = \"5s\"\nkind = \"crash\"\nwho = 1", 4, "unknown key \"fault.who\": a file has name, replicas"},
		{"\n[[fault]]\nat = \"5s\"", 2, "fault 1: kind = \"\": write crash, pause"},
		{"[[fault]]\nat = \"5s\"\nkind = \"explode\"", 1, "kind = \"explode\": write crash, pause"},
		{"[[fault]]\nat = \"5s\"\nkind = \"crash\"", 1, "name the replica: role = \"leader\", or replica = 0"},
		{"[[fault]]\nat = \"5s\"\nkind = \"crash\"\nrole = \"king\"", 1, "role = \"king\": write leader, follower"},
		{"[[fault]]\nat = \"5s\"\nkind = \"crash\"\nrole = \"leader\"\nreplica = 0", 1, "a replica and a role: write one"},
		{"[[fault]]\nat = \"5s\"\nkind = \"crash\"\nreplica = -1", 1, "replica = -1: write a number from 0"},
		{"[[fault]]\nat = \"soon\"\nkind = \"crash\"\nrole = \"leader\"", 1, "at = \"soon\": write a time since the load began"},
		{"[[fault]]\nat = \"101%\"\nkind = \"crash\"\nrole = \"leader\"", 1, "at = \"101%\""},
		{"[[fault]]\nat = \"-1s\"\nkind = \"crash\"\nrole = \"leader\"", 1, "at = \"-1s\""},
		{"[[fault]]\nat = \"NaN%\"\nkind = \"crash\"\nrole = \"leader\"", 1, "at = \"NaN%\""},
		{"[[fault]]\nat = \"5s\"\nkind = \"corrupt\"\nrole = \"leader\"", 1, "write behaviours = [\"silent\"]"},
		{"[[fault]]\nat = \"5s\"\nkind = \"corrupt\"\nrole = \"leader\"\nbehaviours = [\"sielnt\"]", 1, "no such behaviour"},
		{"[[fault]]\nat = \"5s\"\nkind = \"corrupt\"\nrole = \"leader\"\nbehaviours = [\"equivocate\"]", 1, "equivocate is a lie of pbft; this cluster runs raft: see `quorate byzantine list`; write each protocol's own, as pbft = [...] and raft = [...]"},
		{"[[fault]]\nat = \"5s\"\nkind = \"corrupt\"\nrole = \"leader\"\nbehaviours = [\"conflict\"]", 1, "a client's behaviour"},
		{"[[fault]]\nat = \"1s\"\nkind = \"crash\"\nrole = \"leader\"\n[[fault]]\nat = \"5s\"\nkind = \"crash\"\nrole = \"leader\"\nbehaviours = [\"silent\"]", 5, "fault 2: a crash has no behaviours"},
		{strings.Repeat("[[fault]]\nat = \"1s\"\nkind = \"crash\"\nrole = \"leader\"\n", 101), 0, "101 faults: at most 100"},
	} {
		s, err := spec.ParseScenario([]byte(c.text))
		if err == nil {
			_, err = bind(s, 10*time.Second, 1)
		}
		var wrong *spec.ScenarioError
		if !errors.As(err, &wrong) || !errors.Is(err, spec.ErrScenario) || wrong.Line != c.line || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want line %d: %s", c.text, err, c.line, c.want)
		}
	}
}

// TestScenarioMisfits: what cannot happen to clusters of this size in a load of
// this length.
func TestScenarioMisfits(t *testing.T) {
	for text, want := range map[string]string{
		"[[fault]]\nat = \"20s\"\nkind = \"crash\"\nrole = \"leader\"":                                             "f.toml:1: fault 1: it is at 20s, and the load lasts 10s",
		"[[fault]]\nat = \"100%\"\nkind = \"crash\"\nrole = \"leader\"":                                            "the load lasts 10s",
		"[[fault]]\nat = \"1s\"\nkind = \"crash\"\nreplica = 3":                                                    "replica = 3: the cluster of raft has 0 to 2",
		"[[fault]]\nat = \"1s\"\nkind = \"restart\"":                                                               "restart: no earlier fault crashes a replica",
		"[[fault]]\nat = \"5s\"\nkind = \"pause\"\nrole = \"leader\"\n[[fault]]\nat = \"4s\"\nkind = \"resume\"\n": "f.toml:5: fault 2: resume: no earlier fault pauses a replica",
	} {
		s, err := spec.ParseScenario([]byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		s.File = "f.toml"
		if _, err := bind(s, 10*time.Second, 1); !errors.Is(err, spec.ErrScenario) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// TestScenarioOrder: faults happen by time, shares and times alike, and roles
// mean who was made so before.
func TestScenarioOrder(t *testing.T) {
	s, err := spec.ParseScenario([]byte(`
[[fault]]
at = "50%"
kind = "restart"
[[fault]]
at = "4s"
kind = "crash"
role = "primary"
[[fault]]
at = "45%"
kind = "corrupt"
role = "backup"
behaviours = ["silent"]
pbft = ["delay 80%"]
`))
	if err != nil {
		t.Fatal(err)
	}
	bound, err := bind(s, 10*time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	all := bound["raft"]
	if len(all) != 3 || all[0].Kind != spec.Crash || all[0].Role != spec.RoleLeader || all[1].Kind != spec.Corrupt || all[1].Role != spec.RoleFollower ||
		all[2].Role != spec.RoleCrashed || !all[2].Ends {
		t.Fatalf("%+v", all)
	}
	if time.Duration(all[1].At) != 4500*time.Millisecond || all[1].Behaviours[0] != "silent" || bound["pbft"][1].Behaviours[0] != "delay 80%" {
		t.Errorf("%+v", all[1])
	}
}

// TestShippedScenarios: the built-in one and the examples are good for the usual
// load.
func TestShippedScenarios(t *testing.T) {
	files, err := filepath.Glob("../../examples/compare/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	all := []*spec.Scenario{Default()}
	for _, f := range files {
		s, err := spec.LoadScenario(f)
		if err != nil {
			t.Error(err)
			continue
		}
		all = append(all, s)
	}
	for _, s := range all {
		if _, err := bind(s, 24*time.Second, 1); err != nil || len(s.Faults) == 0 {
			t.Errorf("%s: %v", s.File, err)
		}
	}
}

// TestScenarioFiles: errors name the file.
func TestScenarioFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.toml")
	if err := os.WriteFile(path, []byte("\n[[fault]]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := spec.LoadScenario(path); err == nil || !strings.HasPrefix(err.Error(), path+":2: fault 1: ") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := spec.LoadScenario(path); !errors.Is(err, spec.ErrScenario) {
		t.Errorf("got %v", err)
	}
	if _, err := spec.LoadScenario(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// FuzzScenario: no text makes it panic, and what it accepts can be bound or is
// refused in words.
func FuzzScenario(f *testing.F) {
	f.Add(defaultText)
	f.Add("[[fault]]\nat = \"1e300%\"\nkind = \"corrupt\"\nraft = []\nreplica = 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := spec.ParseScenario([]byte(text))
		if err == nil {
			_, err = bind(s, 10*time.Second, 1)
		}
		if err != nil && !errors.Is(err, spec.ErrScenario) {
			t.Error(err)
		}
	})
}
