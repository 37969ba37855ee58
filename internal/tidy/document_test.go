package tidy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// quoted finds what a document says in code.
var quoted = regexp.MustCompile("`([^`\n]+)`")

// TestArchitecture holds docs/ARCHITECTURE.md to the house: what it names is
// there, and its picture is the table of floors.
func TestArchitecture(t *testing.T) {
	b, err := os.ReadFile("../../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		name := m[1]
		if !strings.Contains(name, "/") || strings.ContainsAny(name, " *(") {
			continue
		}
		if _, err := os.Stat(filepath.Join("../..", name)); err != nil {
			t.Errorf("it names %s, which is not there", name)
		}
	}
	_, picture, _ := strings.Cut(text, "## Floors")
	_, picture, _ = strings.Cut(picture, "```")
	picture, after, _ := strings.Cut(picture, "```")
	checkPicture(t, picture, after)
}

// checkPicture: the packages stand in the picture from high to low, and none
// is missing that is not named right below it.
func checkPicture(t *testing.T, picture, after string) {
	shown := map[string]bool{}
	above := len(floors)
	for line := range strings.Lines(picture) {
		floor := above
		for _, word := range strings.Fields(line) {
			if f, known := floorOf(word); known && isDirectory(word) {
				shown[word], floor = true, min(floor, f)
				if f > above {
					t.Errorf("%s stands too low in the picture", word)
				}
			}
		}
		above = floor
	}
	for _, packages := range floors {
		for _, p := range packages {
			if p != "." && !strings.Contains(p, "*") && !shown[p] && !strings.Contains(after, "`"+p+"`") {
				t.Errorf("%s is missing in the picture", p)
			}
		}
	}
}

func isDirectory(name string) bool {
	info, err := os.Stat(filepath.Join("../..", name))
	return err == nil && info.IsDir()
}
