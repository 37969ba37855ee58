package pbft

import (
	"os"
	"regexp"
	"testing"

	"quorate.dev/quorate/consensus"
)

// Whatever constant is a Reason stands in the list, once.
func TestReasonsAreComplete(t *testing.T) {
	listed := map[consensus.Reason]bool{}
	for _, r := range Reasons() {
		if listed[r] {
			t.Errorf("%q stands twice", r)
		}
		listed[r] = true
	}
	constant := regexp.MustCompile(`(?m)^\t[rR]eason\w+ .*= "(.+)"`)
	for _, file := range []string{"ignore.go", "message/open.go", "../checkpoint/tracker.go", "../consensus/door.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := constant.FindAllSubmatch(source, -1)
		if len(found) == 0 {
			t.Errorf("%s defines no reason: nothing is tested here", file)
		}
		for _, m := range found {
			if !listed[consensus.Reason(m[1])] {
				t.Errorf("%s: %q is not listed", file, m[1])
			}
		}
	}
}
