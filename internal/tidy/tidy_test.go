package tidy

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func loadModule(t *testing.T) *module {
	t.Helper()
	tree, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Packages) == 0 {
		t.Fatal("no packages found: where is the module's root?")
	}
	return tree
}

// TestModule is the referee at work.
func TestModule(t *testing.T) {
	for _, found := range loadModule(t).breaches() {
		t.Error(found)
	}
}

// TestReport prints the shape of the code; see it with -v.
func TestReport(t *testing.T) {
	report := loadModule(t).report()
	if !strings.Contains(report, "internal/tidy") {
		t.Error("the report does not mention this package")
	}
	t.Log("\n" + report)
}

// doc is a doc.go for a package that a test makes up.
func doc(name string) string { return "// Package " + name + " is here.\npackage " + name + "\n" }

// long is a function of exactly n lines.
func long(n int) string { return "func long() {\n" + strings.Repeat("\t_ = 1\n", n-2) + "}\n" }

// methods are n of a type t, by value and by reference.
func methods(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "func (%st) m%d() {}\n", strings.Repeat("*", i%2), i)
	}
	return b.String()
}

func loadSources(t *testing.T, sources map[string]string) *module {
	t.Helper()
	root := fstest.MapFS{}
	for name, text := range sources {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tree, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestCatches gives the referee one breach at a time, in the file src of a
// documented package, and one look-alike of it that is fine.
func TestCatches(t *testing.T) {
	for _, c := range []struct{ name, dir, src, want string }{
		{"downward", "pbft", `import "quorate.dev/quorate/checkpoint"`, ""},
		{"upward", "checkpoint", `import "quorate.dev/quorate/pbft"`, "src.go:2: checkpoint (floor 6) imports pbft (floor 7): upward"},
		{"far upward", "crypto", `import "quorate.dev/quorate/cmd/quorate"`, "upward"},
		{"sibling", "viewchange", `import "quorate.dev/quorate/checkpoint"`, "must not know each other"},
		{"renamed", "viewchange", `import x "quorate.dev/quorate/checkpoint"`, "must not know each other"},
		{"nested floors", "pbft/message", `import "quorate.dev/quorate/pbft"`, "upward"},
		{"unknown import", "pbft", `import "quorate.dev/quorate/helpers"`, "helpers, which stands on no floor"},
		{"a module with a similar name", "pbft", `import "quoratex/sim"`, ""},
		{"unknown package", "helpers", "", "helpers: stands on no floor"},
		{"an example", "examples/bank", `import "quorate.dev/quorate/node"`, ""},
		{"the store of the application", "app/kv", `import "quorate.dev/quorate/app"`, ""},
		{"unknown package with imports", "app/other", `import "quorate.dev/quorate/sim"`, "app/other: stands on no floor"},
		{"below an example", "examples/bank/inner", "", "stands on no floor"},

		{"goroutine", "pbft", "func f() { go f() }", "go statement in pbft"},
		{"goroutine above the line", "node", "func f() { go f() }", ""},
		{"channel type", "sim", "type t struct{ c chan int }", "channel type in sim"},
		{"channel parameter", "sim", "func f(c <-chan int) {}", "channel type"},
		{"receive", "consensus/driver", "func f() { <-g() }", "channel receive"},
		{"send", "consensus/driver", "func f() { g() <- 1 }", "channel send"},
		{"select", "consensus/driver", "func f() { select {} }", "select statement"},
		{"clock", "pbft", "import \"time\"\nfunc f() { time.Now() }", "time.Now in pbft"},
		{"clock as a value", "pbft", "import \"time\"\nvar now = time.Now", "time.Now in pbft"},
		{"renamed clock", "pbft", "import clock \"time\"\nfunc f() { clock.Since(x) }", "clock.Since"},
		{"timer", "pbft", "import \"time\"\nvar t *time.Timer", "time.Timer"},
		{"everything of time", "pbft", "import . \"time\"\n", "everything in time"},
		{"durations", "pbft", "import \"time\"\nvar d = time.Second", ""},
		{"a variable named time", "pbft", "import \"time\"\nvar d time.Duration\nfunc f(time clock) { time.Now() }", ""},
		{"disk", "app", `import "os"`, "import of os in app"},
		{"files", "app", `import "os/exec"`, "import of os/exec"},
		{"sync", "crypto", `import "sync/atomic"`, "import of sync/atomic"},
		{"network", "byzantine", `import "net/http"`, "import of net/http"},
		{"network addresses", "p2p", `import "net/netip"`, ""},
		{"context", "client/session", `import "context"`, "import of context"},
		{"a package that begins alike", "pbft", `import "netlike/os"`, ""},
		{"system randomness", "crypto", `import "crypto/rand"`, "import of crypto/rand"},
		{"global randomness", "sim", "import \"math/rand/v2\"\nvar x = rand.IntN(3)", "rand.IntN"},
		{"old global randomness", "sim", "import \"math/rand\"\nvar x = rand.Intn(3)", "rand.Intn"},
		{"seeded randomness", "sim", "import \"math/rand/v2\"\nvar r *rand.Rand = rand.New(rand.NewPCG(1, 2))", ""},
		{"standard output", "pbft", "import \"fmt\"\nfunc f() { fmt.Println() }", "fmt.Println"},
		{"formatting", "pbft", "import \"fmt\"\nvar s = fmt.Sprint()", ""},
		{"println", "pbft", "func f() { println() }", "builtin println"},

		{"an engine above the registry", "sim", `import "quorate.dev/quorate/raft"`, "sim imports the engine raft"},
		{"frames above the registry", "transcript", `import "quorate.dev/quorate/pbft/message"`, "the engine pbft/message"},
		{"the registry", "protocol", `import "quorate.dev/quorate/raft"`, ""},
		{"lies", "byzantine/raft", `import "quorate.dev/quorate/raft"`, ""},
		{"the traitor", "byzantine", `import "quorate.dev/quorate/raft"`, "byzantine imports the engine raft"},
		{"a part of PBFT", "viewchange", `import "quorate.dev/quorate/pbft/message"`, ""},
		{"a part of nothing", "testnet", `import "quorate.dev/quorate/byzantine/raft"`, ""},
		{"a name compared", "sim", "import \"quorate.dev/quorate/protocol\"\nvar b = x == protocol.Raft", "src.go:3: comparison with the name of a protocol"},
		{"a name under another one", "sim", "import p \"quorate.dev/quorate/protocol\"\nvar b = (p.PBFT) != x", "comparison with the name of a protocol"},
		{"a name as a string", "consensus", "var b = x != \"pbft\"", "comparison with the name of a protocol"},
		{"a name in a switch", "node", "func f() {\n\tswitch x {\n\tcase 1, \"raft\":\n\t}\n}", "src.go:4: comparison with the name of a protocol"},
		{"a table by names", "sim", "import \"quorate.dev/quorate/protocol\"\nvar m = map[string]int{protocol.PBFT: 1}", "src.go:3: table by the name of a protocol"},
		{"a table by a text", "sim", "var m = map[string]int{\"raft\": 1}", "table by the name of a protocol"},
		{"a field", "sim", "var m = t{raft: 1}", ""},
		{"a name that the registry lacks", "sim", "var b = x == \"paxos\"", ""},
		{"a name in the registry", "protocol", "var b = x == \"raft\"", ""},
		{"a name handed on", "sim", "import \"quorate.dev/quorate/protocol\"\nvar c = f(protocol.Raft, \"raft\") == 3", ""},
		{"a name of something else", "sim", "var b = protocol.Raft == 3", ""},
		{"a property", "sim", "import \"quorate.dev/quorate/protocol\"\nvar b = p.Model == quorum.Crash && protocol.Other == x", ""},

		{"longest function", "node", long(maxFunction), ""},
		{"too long a function", "node", long(maxFunction + 1), "src.go:2: long has 71 lines, at most 70"},
		{"too long a method", "node", strings.Replace(long(71), "long()", "(t) long()", 1), "long has 71 lines"},
		{"too long a literal", "node", "var f = " + strings.Replace(long(71), "long", "", 1), "function literal has 71 lines"},
		{"long comment, short function", "node", strings.Repeat("// why\n", 80) + long(3), ""},
		{"most methods", "node", "type t struct{}\n" + methods(maxMethods), ""},
		{"too many methods", "node", "type t struct{}\n" + methods(maxMethods+1), "src.go:93: t has more than 90 methods"},
		{"unfinished", "node", "// TO" + "DO: later\n", "finish it"},
		{"a word that contains a mark", "node", "// TODOS of others\n", ""},
	} {
		name := c.dir[strings.LastIndex(c.dir, "/")+1:]
		tree := loadSources(t, map[string]string{
			registryFile:      "package protocol\nconst (\n\tPBFT = \"pbft\"\n\tRaft = \"raft\"\n)\n",
			"protocol/doc.go": doc("protocol"),
			c.dir + "/doc.go": doc(name),
			c.dir + "/src.go": "package " + name + "\n" + c.src + "\n",
		})
		found := tree.breaches()
		switch {
		case c.want == "" && len(found) > 0:
			t.Errorf("%s: found %q, nothing is wrong", c.name, found)
		case c.want != "" && (len(found) != 1 || !strings.Contains(found[0], c.want)):
			t.Errorf("%s: found %q, want %q alone", c.name, found, c.want)
		}
	}
}

func TestDocs(t *testing.T) {
	for _, c := range []struct {
		name    string
		sources map[string]string
		fine    bool
	}{
		{"with doc.go", map[string]string{"pbft/doc.go": doc("pbft")}, true},
		{"without", map[string]string{"pbft/a.go": doc("pbft")}, false},
		{"doc.go without a comment", map[string]string{"pbft/doc.go": "package pbft\n"}, false},
		{"a command", map[string]string{"cmd/quorate/main.go": "package main\n"}, true},
		{"tests alone", map[string]string{"examples/tour/tour_test.go": "package tour\n"}, true},
	} {
		if found := loadSources(t, c.sources).breaches(); (len(found) == 0) != c.fine {
			t.Errorf("%s: found %q", c.name, found)
		}
	}
}

// TestHonest: no chain of imports leads from production to the traitors, and tests are none.
func TestHonest(t *testing.T) {
	file := func(pkg, imported string) string {
		return "package " + pkg + "\nimport \"quorate.dev/quorate/" + imported + "\"\n"
	}
	sources := map[string]string{
		"home/doc.go": doc("home"), "home/a.go": file("home", "node"), "home/a_test.go": file("home", "testnet"),
		"node/doc.go": doc("node"), "node/a.go": file("node", "check"), "check/doc.go": doc("check"),
		"byzantine/raft/doc.go": doc("raft"),
	}
	if found := loadSources(t, sources).breaches(); len(found) > 0 {
		t.Errorf("found %q", found)
	}
	sources["check/a.go"] = file("check", "byzantine/raft")
	found := loadSources(t, sources).checkHonest()
	if want := "home is honest and reaches byzantine/raft: home imports node imports check imports byzantine/raft"; len(found) != 2 || found[0] != want {
		t.Errorf("found %q, want %q and the same of node", found, want)
	}
}

// Tests may import what they need and start goroutines; what the go command
// does not build is not judged.
func TestLeavesAlone(t *testing.T) {
	bad := "package x\nimport \"os\"\nimport \"quorate.dev/quorate/sim\"\nfunc f() { go f() }\n"
	found := loadSources(t, map[string]string{
		"pbft/doc.go":            doc("pbft"),
		"pbft/pbft_test.go":      bad,
		"pbft/testdata/x.go":     bad,
		".hidden/x.go":           bad,
		"_old/x.go":              bad,
		"vendor/x/x.go":          bad,
		"elsewhere/go.mod":       "module elsewhere\n",
		"elsewhere/x.go":         bad,
		"pbft/_ignored.go":       bad,
		"docs/notes.txt":         "import sim",
		"cmd/quorate/main.go":    "package main\n",
		"cmd/quorate/x_linux.go": "package main\nimport \"os\"\n",
	}).breaches()
	if len(found) > 0 {
		t.Errorf("found %q", found)
	}
}

func TestReportMeasures(t *testing.T) {
	wide := "type wide struct {\n\tembedded\n" + strings.Repeat("\ta, b int\n", 8) + "}\n"
	report := loadSources(t, map[string]string{
		"pbft/doc.go":       doc("pbft"),
		"pbft/a.go":         "package pbft\n// why\nfunc a() {}\n" + wide + long(9) + long(5) + strings.Repeat("\n", longFile),
		"pbft/pbft_test.go": "package pbft\nimport \"quorate.dev/quorate/sim\"\n" + long(80),
	}).report()
	for _, want := range []string{
		// 2 + 428 lines, 82 of tests, 3 functions of 1, 5 and 9 lines, 2 comments in 31 filled lines.
		"pbft                430     82      3       5        9        6%",
		"pbft/a.go: 428 lines, aim for 400",
		"pbft/a.go:4: wide has 17 fields, aim for 15",
		"imports sim (floor 12): upward (a test: allowed)",
		"long has 80 lines, at most 70 are allowed (a test: allowed)",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
}

func TestBrokenSourceIsNamed(t *testing.T) {
	_, err := load(fstest.MapFS{"pbft/a.go": &fstest.MapFile{Data: []byte("package pbft\nfunc {")}})
	if err == nil || !strings.Contains(err.Error(), "pbft/a.go:2") {
		t.Errorf("error %v does not name the place", err)
	}
}
