package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAdvisedCommandsExist parses what the program tells people to type, wherever in
// its source: the command is there, and so are its flags.
func TestAdvisedCommandsExist(t *testing.T) {
	commands := commandFlags()
	advised := regexp.MustCompile("`quorate ([a-z][^`]*)`")
	seen := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range advised.FindAllStringSubmatch(string(b), -1) {
			words := strings.Fields(m[1])
			name := words[0]
			if len(words) > 1 && commands[name+" "+words[1]] != nil {
				name += " " + words[1]
			}
			flags, known := commands[name]
			if !known {
				t.Errorf("%s: %s is no command", path, m[0])
			}
			for _, w := range words {
				if strings.HasPrefix(w, "--") && !hasFlag(flags, w) {
					t.Errorf("%s: %s: %s has no flag %s", path, m[0], name, w)
				}
			}
			seen++
		}
		return nil
	})
	if err != nil || seen < 20 {
		t.Errorf("%d commands found in the source, %v: does this test still read it?", seen, err)
	}
}

func hasFlag(flags []documented, name string) bool {
	for _, d := range flags {
		if strings.Contains(d.names, "`"+name+"`") {
			return true
		}
	}
	return false
}
