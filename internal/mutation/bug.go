package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"quorate.dev/quorate/protocol"
)

// Edit replaces a piece of one file.
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
	Sim   bool   // the simulator is tried, too
	Of    string // the protocol whose systems the simulator runs; PBFT if empty
	Quick bool   // belongs to the share that every run of the tests tries
}

// edit is the one Edit of most bugs.
func edit(file, old, new string) []Edit { return []Edit{{file, old, new}} }

// bugs is the whole table.
func bugs() []Bug {
	ofRaft := slices.Clone(raftBugs)
	for i := range ofRaft {
		ofRaft[i].Of = protocol.Raft
	}
	return slices.Concat(countingBugs, openingBugs, normalBugs, viewBugs, checkpointBugs, restartBugs, clientBugs, stateBugs, hostBugs, ofRaft)
}

// protocol is the one whose systems are simulated.
func (b *Bug) protocol() string { return cmp.Or(b.Of, protocol.PBFT) }

// mutated returns the file with the edits of b that concern it.
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
				return nil, fmt.Errorf("bug %s: %w", b.Name, err)
			}
			text = string(raw)
		}
		after, err := e.mutated(text)
		if err != nil {
			return nil, fmt.Errorf("bug %s: %w", b.Name, err)
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
