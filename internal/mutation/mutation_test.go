package main

import (
	"context"
	"errors"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func testRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func allBugs(t *testing.T) []Bug {
	t.Helper()
	all, err := readBugs(testRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// When the code moves on, the table must move with it: what a bug replaces
// stands exactly once in its file, and what comes out of it parses.
func TestEveryBugApplies(t *testing.T) {
	seen := map[string]bool{}
	root := testRoot(t)
	for _, bug := range allBugs(t) {
		if seen[bug.Name] {
			t.Errorf("two bugs are called %s", bug.Name)
		}
		seen[bug.Name] = true
		texts, err := bug.files(root)
		if err != nil {
			t.Error(err)
			continue
		}
		for file, text := range texts {
			before, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Error(err)
			}
			if text == string(before) {
				t.Errorf("bug %s changes nothing in %s", bug.Name, file)
			}
			if _, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution); err != nil {
				t.Errorf("bug %s: %v", bug.Name, err)
			}
		}
	}
	if n := len(allBugs(t)); n < 40 {
		t.Errorf("%d bugs, the tests are to be held against 40 at least", n)
	}
}

// The tests that are to catch the bugs exist, by their names.
func TestEveryRuleIsThere(t *testing.T) {
	root := testRoot(t)
	sources := map[string]string{}
	for _, bug := range allBugs(t) {
		if sources[bug.Rule.Package] == "" {
			files, err := filepath.Glob(filepath.Join(root, bug.Rule.Package, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				raw, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				sources[bug.Rule.Package] += string(raw)
			}
		}
		for _, name := range strings.Split(bug.Rule.Test, "|") {
			if !strings.Contains(sources[bug.Rule.Package], "func "+name+"(t *testing.T)") {
				t.Errorf("bug %s: package %s has no %s", bug.Name, bug.Rule.Package, name)
			}
		}
	}
}

// A few bugs, here and now; make mutation tries them all.
func TestShare(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles packages with bugs in them")
	}
	b := &bench{root: testRoot(t), rules: true}
	for _, bug := range allBugs(t) {
		if !bug.Quick {
			continue
		}
		f, err := b.try(context.Background(), bug, Finding{})
		if err != nil {
			t.Error(err)
		} else if !f.Rule {
			t.Errorf("bug %s survives %s %s", bug.Name, bug.Rule.Package, bug.Rule.Test)
		}
	}
}

// A wrong table is told apart from a caught bug.
func TestWrongTables(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles packages with bugs in them")
	}
	b := &bench{root: testRoot(t), rules: true}
	const old = "func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }"
	edit := func(now string) []Edit { return []Edit{{"consensus/quorum/set.go", old, now}} }
	for _, tc := range []struct {
		name string
		bug  Bug
	}{
		{"does not compile", Bug{Name: "x", Edits: edit("func (s Set) Len() int { return s }"), Rule: Rule{"consensus/quorum", "TestSet"}}},
		{"no such test", Bug{Name: "x", Edits: edit(old + "\n"), Rule: Rule{"consensus/quorum", "TestNothing"}}},
	} {
		if _, err := b.try(context.Background(), tc.bug, Finding{}); !errors.Is(err, errTable) {
			t.Errorf("%s: got error %v", tc.name, err)
		}
	}
	for _, bad := range []Edit{{"consensus/quorum/set.go", "no such text", "x"}, {"consensus/quorum/set.go", "Set", "x"}, {"consensus/quorum/none.go", "x", "y"}} {
		bug := Bug{Name: "x", Edits: []Edit{bad}}
		if _, err := bug.files(b.root); err == nil {
			t.Errorf("an edit of %q in %s applies", bad.Old, bad.File)
		}
	}
	harmless := Bug{Name: "x", Edits: edit(old + "\n"), Rule: Rule{"consensus/quorum", "TestSet"}}
	if f, err := b.try(context.Background(), harmless, Finding{}); err != nil || f.Caught() {
		t.Errorf("a change of nothing is caught %v, error %v", f.Caught(), err)
	}
}

func TestReadSeeds(t *testing.T) {
	for _, tc := range []struct {
		out         string
		took, tried uint64
		why         string
	}{
		{"passed 1\npassed 2\ncaught 3 FORK at n=4\n", 3, 3, "FORK at n=4"},
		{"passed 1\npassed 2\n", 0, 2, ""},
		{"passed 1\npanic: no\n", 0, 1, ""},
		{"", 0, 0, ""},
	} {
		if took, tried, why := readSeeds(tc.out); took != tc.took || tried != tc.tried || why != tc.why {
			t.Errorf("%q: took %d of %d, %q", tc.out, took, tried, why)
		}
	}
}

func TestMedians(t *testing.T) {
	for _, tc := range []struct {
		seeds, tried []uint64
		want         string
	}{
		{nil, nil, "–"},
		{[]uint64{7, 2, 9}, []uint64{7, 2, 9}, "7"},
		{[]uint64{0, 2, 9}, []uint64{300, 2, 9}, "9"},
		{[]uint64{0, 0, 9}, []uint64{300, 200, 9}, "> 200, 1 of 3 trials at 9"},
		{[]uint64{0, 0}, []uint64{300, 200}, "> 200"},
		{[]uint64{0, 0, 0}, []uint64{300, 200, 300}, "> 200"},
	} {
		f := Finding{Seeds: tc.seeds, Tried: tc.tried}
		if got := f.seeds(); got != tc.want {
			t.Errorf("%v of %v: %q, want %q", tc.seeds, tc.tried, got, tc.want)
		}
	}
}

// The documentation has the table, and no other bugs than these.
func TestTableIsDocumented(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(testRoot(t), "docs/TESTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), beginMark)
	text, _, ok := strings.Cut(rest, endMark)
	if !ok {
		t.Fatalf("docs/TESTING.md has no lines %s and %s", beginMark, endMark)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([a-z0-9+-]+) \|`).FindAllStringSubmatch(text, -1) {
		documented[row[1]] = true
	}
	delete(documented, "bug")
	for _, bug := range allBugs(t) {
		if !documented[bug.Name] {
			t.Errorf("bug %s is not in the table: run make mutation", bug.Name)
		}
		delete(documented, bug.Name)
	}
	for name := range documented {
		t.Errorf("the table has %s, which is no bug any more: run make mutation", name)
	}
}

// aBug is a whole file of one bug.
const aBug = `# Why.

bug: forgotten
from: B1
what: nothing is kept
rule: app TestKept|TestFound
sim: pbft
quick: yes
file: app/a.go
 	if a {
-		b()
+		c()
 	}
file: app/b.go
-	d()
`

func TestParse(t *testing.T) {
	list, err := parse("a.txt", aBug)
	want := []Bug{{
		Name: "forgotten", From: "B1", What: "nothing is kept", Rule: Rule{"app", "TestKept|TestFound"}, Sim: "pbft", Quick: true, at: "a.txt:3",
		Edits: []Edit{{"app/a.go", "\tif a {\n\t\tb()\n\t}\n", "\tif a {\n\t\tc()\n\t}\n"}, {"app/b.go", "\td()\n", ""}},
	}}
	if err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("got %+v, error %v", list, err)
	}
}

// A mistake in a file of bugs is named with its place.
func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ old, now, want string }{
		{"bug: forgotten", "name: forgotten", `a.txt:3: begin the first bug`},
		{"from: B1", "form: B1", `a.txt:4: "form: B1" is neither`},
		{"from: B1", "from: ", `a.txt:4: "from: " is neither`},
		{"from: B1", "from: B1\nfrom: B2", "a.txt:5: from is said twice"},
		{"from: B1\n", "", "a.txt:3: bug forgotten: give it"},
		{"what: nothing is kept\n", "", "a.txt:3: bug forgotten: give it"},
		{" TestKept|TestFound", "", "a.txt:3: bug forgotten: give it"},
		{"sim: pbft", "sim: zab", "a.txt:3: bug forgotten: "},
		{"file: app/a.go\n", "", `a.txt:9: put a line "file: PATH"`},
		{"-\td()\n", "", "a.txt:3: bug forgotten: the diff of app/b.go"},
		{"-\td()", "+\td()", "a.txt:3: bug forgotten: the diff of app/b.go"},
		{"-\td()", " \td()", "a.txt:3: bug forgotten: the diff of app/b.go"},
		{"-\td()", "\td()", `a.txt:15: "\td()" is neither`},
	} {
		_, err := parse("a.txt", strings.Replace(aBug, tc.old, tc.now, 1))
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%q for %q: got error %v, want %s", tc.now, tc.old, err, tc.want)
		}
	}
}
