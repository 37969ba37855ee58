package tidy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestArchitecture: the picture in docs/ARCHITECTURE.md is the table of floors.
func TestArchitecture(t *testing.T) {
	b, err := os.ReadFile("../../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, picture, _ := strings.Cut(string(b), "## Floors")
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
