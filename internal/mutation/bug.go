package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Edit replaces lines of one file.
type Edit struct {
	File string // within the module
	Old  string // must occur exactly once
	New  string
}

// Rule is the test that must fail.
type Rule struct {
	Package string // within the module
	Test    string // names, separated by |
}

// Bug is one seeded mistake and what catches it.
type Bug struct {
	Name  string
	From  string // [B..] of ADVERSARIES.md, or the section of PROTOCOL.md that it breaks
	What  string
	Edits []Edit
	Rule  Rule
	Sim   string // the protocol whose systems the simulator tries; none if empty
	Quick bool   // belongs to the share that every run of the tests tries

	at string // file and line
}

// mutated returns the text of a file with the edit in it.
func (e Edit) mutated(text string) (string, error) {
	if n := strings.Count(text, e.Old); n != 1 {
		return "", fmt.Errorf("%s: the text to replace occurs %d times, must be once:\n%s", e.File, n, e.Old)
	}
	return strings.Replace(text, e.Old, e.New, 1), nil
}

// files applies all edits to the sources at root.
func (b *Bug) files(root string) (map[string]string, error) {
	texts := map[string]string{}
	for _, e := range b.Edits {
		text, ok := texts[e.File]
		if !ok {
			raw, err := os.ReadFile(filepath.Join(root, e.File))
			if err != nil {
				return nil, fmt.Errorf("%s: bug %s: %w", b.at, b.Name, err)
			}
			text = string(raw)
		}
		after, err := e.mutated(text)
		if err != nil {
			return nil, fmt.Errorf("%s: bug %s: %w", b.at, b.Name, err)
		}
		texts[e.File] = after
	}
	return texts, nil
}

// overlay writes the mutated files into dir and returns the path of the file
// that -overlay wants.
func (b *Bug) overlay(root, dir string) (string, error) {
	texts, err := b.files(root)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range texts {
		path := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("bug %s: %w", b.Name, err)
		}
		replace[filepath.Join(root, file)] = path
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("bug %s: %w", b.Name, err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return "", fmt.Errorf("bug %s: %w", b.Name, err)
	}
	return path, nil
}
