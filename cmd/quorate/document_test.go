package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// documented is what the table of docs/CLI.md says of one flag: its names, its
// default and its variable. Flags of that name may differ between commands.
type documented struct{ names, standard, variable string }

// commandFlags lists the commands that do something, as "kv put", each with its
// flags.
func commandFlags() map[string][]documented {
	found := map[string][]documented{}
	var walk func(path string, commands []*cli.Command)
	walk = func(path string, commands []*cli.Command) {
		for _, c := range commands {
			name := strings.TrimSpace(path + " " + c.Name)
			if len(c.Subcommands) == 0 || len(c.Flags) > 0 {
				found[name] = nil
			}
			for _, f := range c.Flags {
				found[name] = append(found[name], document(f))
			}
			walk(name, c.Subcommands)
		}
	}
	walk("", newApp(nil).Commands)
	return found
}

func document(f cli.Flag) documented {
	doc := f.(cli.DocGenerationFlag)
	var names []string
	for _, n := range f.Names() {
		names = append(names, "`-"+strings.Repeat("-", min(1, len(n)-1))+n+"`")
	}
	d := documented{names: strings.Join(names, ", "), standard: strings.Trim(doc.GetDefaultText(), `"`)}
	if d.standard == "false" {
		d.standard = ""
	}
	if v := doc.GetEnvVars(); len(v) > 0 {
		d.variable = "`$" + strings.Join(v, "`, `$") + "`"
	}
	return d
}

// flagTable is the table as it must stand in docs/CLI.md. A group stands for its
// commands if all of them have the flag and it is no command itself.
func flagTable(commands map[string][]documented) string {
	groups := map[string][]string{}
	for name := range commands {
		group, _, _ := strings.Cut(name, " ")
		groups[group] = append(groups[group], name)
	}
	of := map[documented][]string{}
	for group, members := range groups {
		count := map[documented][]string{}
		for _, m := range members {
			for _, d := range commands[m] {
				count[d] = append(count[d], m)
			}
		}
		for d, having := range count {
			if commands[group] == nil && len(having) == len(members) {
				having = []string{group}
			}
			of[d] = append(of[d], having...)
		}
	}
	var rows []string
	for d, having := range of {
		slices.Sort(having)
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |\n", d.names, d.standard, d.variable, strings.Join(having, ", ")))
	}
	slices.Sort(rows)
	return "| flag | default | variable | of |\n|---|---|---|---|\n" + strings.Join(rows, "")
}

// TestFlagsAreDocumented holds docs/CLI.md to the commands, and the commands to
// docs/CLI.md: flags, aliases, defaults and variables are the same in both.
func TestFlagsAreDocumented(t *testing.T) {
	text := readDocument(t, "docs/CLI.md")
	commands := commandFlags()
	if want := flagTable(commands); !strings.Contains(text, want) {
		t.Errorf("docs/CLI.md must have this table, and has not:\n%s", want)
	}
	prose, _, _ := strings.Cut(text, "| flag |")
	for name := range commands {
		group, verb, _ := strings.Cut(name, " ")
		if !strings.Contains(prose, "`quorate "+name) && !strings.Contains(prose, "`"+name) &&
			!regexp.MustCompile("`"+group+" [^`]*`[^|]*, `"+verb+"[ `]").MatchString(prose) {
			t.Errorf("docs/CLI.md says nothing about `quorate %s`", name)
		}
	}
	known := map[string]bool{"--help": true, "--version": true, "--": true}
	for _, flags := range commands {
		for _, d := range flags {
			for _, n := range strings.Split(d.names, ", ") {
				known[strings.Trim(n, "`")] = true
			}
		}
	}
	for _, flag := range regexp.MustCompile("--[a-z][a-z-]*").FindAllString(prose, -1) {
		if !known[flag] {
			t.Errorf("docs/CLI.md mentions %s, which no command has", flag)
		}
	}
}

// TestDocumentedCommandsExist parses what the documents tell readers to type:
// the command is there, and so are its flags.
func TestDocumentedCommandsExist(t *testing.T) {
	commands := commandFlags()
	line := regexp.MustCompile("(?:\\./bin/|`|^ *)quorate ([a-z][^`#\n]*)")
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(documents) == 0 {
		t.Fatal(documents, err)
	}
	seen := 0
	for _, path := range append(documents, "../../README.md") {
		for _, m := range line.FindAllStringSubmatch(readDocument(t, strings.TrimPrefix(path, "../../")), -1) {
			words := strings.Fields(m[1])
			name := words[0]
			if len(words) > 1 && commands[name+" "+words[1]] != nil {
				name += " " + words[1]
			}
			flags, known := commands[name]
			if !known && !slices.ContainsFunc(slices.Collect(maps.Keys(commands)), func(c string) bool { return strings.HasPrefix(c, name+" ") }) {
				continue // a sentence about quorate
			}
			seen++
			for _, w := range words {
				flag, _, _ := strings.Cut(strings.Trim(w, "[]|"), "=")
				if strings.HasPrefix(flag, "--") && len(flag) > 2 && flag != "--help" && known &&
					!slices.ContainsFunc(flags, func(d documented) bool { return strings.Contains(d.names, "`"+flag+"`") }) {
					t.Errorf("%s: %q: %s has no flag %s", path, m[0], name, flag)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("%d commands found in the documents: does this test still read them?", seen)
	}
}

func readDocument(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
