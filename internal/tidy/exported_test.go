package tidy

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestNames is the referee of exported names at work.
func TestNames(t *testing.T) {
	found, err := breachesOfNames("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// TestUnused measures a module of two packages in which every kind of use
// occurs, and every kind of disuse.
func TestUnused(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module " + modulePath + "\n\ngo 1.26\n",
		"low/low.go": `package low

import "fmt"

type Mentioned struct{ Field int } // in the result of a function that is used
type Alone struct{}
type Text struct{}

func (Text) String() string { return fmt.Sprint(1) } // satisfies fmt.Stringer
func (Text) Idle()          {}
func (Text) Busy()          {}

type Shape interface{ Area() int }
type Square struct{}

func (Square) Area() int { return 1 } // satisfies Shape

type Closer interface{ CloseIt() } // a type of the other package is one

type Kind int

const (
	First Kind = iota
	Second // its sister is used
)

const Tested = 1 // by the package's own test
const Size, Limit = 1, 2

func Make() *Mentioned { return nil }
func Twice[T any](t T) (T, T) { return t, t }
func Area(s Shape) int { return s.Area() }

var ErrLost error
`,
		"low/low_test.go":     "package low_test\n\nimport \"" + modulePath + "/low\"\n\nvar _ = low.Tested\n",
		"high/high.go":        "package high\n\nimport \"" + modulePath + "/low\"\n\nvar a, b = low.Twice(low.First)\nvar _, _ = low.Make(), low.Area(low.Square{})\n\ntype door struct{}\n\nfunc (door) CloseIt() {}\n",
		"high/high_test.go":   "package high\n\nimport \"" + modulePath + "/low\"\n\nfunc use(t low.Text) { t.Busy(); _ = low.Size }\n",
		"cmd/tool/command.go": "package main\n\nfunc Main() {}\nfunc main() {}\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, err := exportedNames(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := e.unused()
	if want := []string{"Alone", "ErrLost", "Limit", "Tested", "Text.Idle"}; !slices.Equal(got["low"], want) || len(got) != 1 {
		t.Errorf("got %v, want %v in low", got, want)
	}
}

func TestJudgeNames(t *testing.T) {
	unused := map[string][]string{"pbft": {"Old"}, "client": {"ErrLimit", "Repeat"}}
	offered := map[string][]string{"client": {"ErrLimit", "Gone"}}
	got := judgeNames(unused, offered)
	want := []string{
		"client: Gone is listed in internal/tidy/surface.go, but it is used or gone: take it off",
		"client: no other package uses Repeat: unexport it, delete it, or offer it in internal/tidy/surface.go",
		"pbft: no other package uses Old: unexport it, delete it, or offer it in internal/tidy/surface.go",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestSurface: the public packages exist, and README and the module's doc.go
// name these and no others.
func TestSurface(t *testing.T) {
	public := slices.Sorted(maps.Keys(surface))
	for _, p := range public {
		if _, err := os.Stat(filepath.Join("../..", p, "doc.go")); err != nil {
			t.Errorf("%s is public, but: %v", p, err)
		}
	}
	for file, pattern := range map[string]string{
		"README.md": `(?s)Its public packages are (.*?); all others`,
		"doc.go":    `(?s)public packages are\n//\n(.*?)//\n// All others`,
	} {
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		list := regexp.MustCompile(pattern).FindSubmatch(text)
		if list == nil {
			t.Fatalf("%s has no list of the public packages", file)
		}
		var named []string
		for _, m := range regexp.MustCompile("`([^`]+)`|//\t(\\S+)").FindAllSubmatch(list[1], -1) {
			named = append(named, string(m[1])+string(m[2]))
		}
		if slices.Sort(named); !slices.Equal(named, public) {
			t.Errorf("%s names %v, surface.go has %v", file, named, public)
		}
	}
}
