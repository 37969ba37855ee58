package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"quorate.dev/quorate/protocol"
)

// readBugs reads the files of bugs of the module at root, in the order of their
// names.
func readBugs(root string) ([]Bug, error) {
	files, err := filepath.Glob(filepath.Join(root, "internal/mutation/testdata/*.txt"))
	if err != nil {
		return nil, fmt.Errorf("read the bugs: %w", err)
	}
	var all []Bug
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the bugs: %w", err)
		}
		some, err := parse(filepath.Base(file), string(raw))
		if err != nil {
			return nil, fmt.Errorf("read the bugs: %w", err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// parse reads a file of bugs. Each begins with a line of its name; empty lines
// and those that begin with # say nothing.
func parse(name, text string) ([]Bug, error) {
	var list []Bug
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		place := fmt.Sprintf("%s:%d", name, number)
		if line == "" || line[0] == '#' {
			continue
		}
		if bug, ok := strings.CutPrefix(line, "bug: "); ok {
			list = append(list, Bug{Name: bug, at: place})
			continue
		}
		if len(list) == 0 {
			return nil, fmt.Errorf("%s: begin the first bug with a line \"bug: NAME\"", place)
		}
		if err := list[len(list)-1].add(line); err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
	}
	for _, b := range list {
		if err := b.check(); err != nil {
			return nil, fmt.Errorf("%s: bug %s: %w", b.at, b.Name, err)
		}
	}
	return list, nil
}

// add takes one line of a bug: a field, or a line of the diff of the last file.
func (b *Bug) add(line string) error {
	if strings.ContainsRune(" -+", rune(line[0])) {
		if len(b.Edits) == 0 {
			return errors.New("put a line \"file: PATH\" before the diff")
		}
		e := &b.Edits[len(b.Edits)-1]
		if line[0] != '+' {
			e.Old += line[1:] + "\n"
		}
		if line[0] != '-' {
			e.New += line[1:] + "\n"
		}
		return nil
	}
	key, value, _ := strings.Cut(line, ": ")
	field := map[string]*string{"from": &b.From, "what": &b.What, "sim": &b.Sim, "rule": &b.Rule.Package, "quick": new(string)}[key]
	switch {
	case value != "" && key == "file":
		b.Edits = append(b.Edits, Edit{File: value})
		return nil
	case value == "" || field == nil:
		return fmt.Errorf("%q is neither a field of a bug nor a line of a diff", line)
	case *field != "":
		return fmt.Errorf("%s is said twice", key)
	}
	*field = value
	b.Quick = b.Quick || key == "quick"
	if key == "rule" {
		b.Rule.Package, b.Rule.Test, _ = strings.Cut(value, " ")
	}
	return nil
}

// check holds a bug against what it must have.
func (b *Bug) check() error {
	if b.From == "" || b.What == "" || b.Rule.Test == "" || len(b.Edits) == 0 {
		return errors.New("give it lines from:, what:, rule: with a package and its tests, and file: with a diff")
	}
	for _, e := range b.Edits {
		if e.Old == "" || e.Old == e.New {
			return fmt.Errorf("the diff of %s must have a line that the file has, and change something", e.File)
		}
	}
	if b.Sim != "" {
		_, err := protocol.Lookup(b.Sim)
		return err
	}
	return nil
}
