package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// askedForHelp turns "quorate help kv put", as many programs have it, into what the
// commands here have: the same line without help, and --help at its end.
func askedForHelp(app *cli.App, args []string) []string {
	commands := app.Commands
	for i, word := range args[min(1, len(args)):] {
		if word == "help" {
			return append(slices.Delete(slices.Clone(args), i+1, i+2), "--help")
		}
		c := commandOf(commands, word)
		if c == nil || len(c.Subcommands) == 0 {
			break
		}
		commands = c.Subcommands
	}
	return args
}

// commandOf finds a command by its name.
func commandOf(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// The texts of the flag parser, as it has no types for them.
var (
	undefinedFlag = regexp.MustCompile(`^flag provided but not defined: -(\S+)$`)
	withoutValue  = regexp.MustCompile(`^flag needs an argument: -(\S+)$`)
	wrongValue    = regexp.MustCompile(`^invalid (?:boolean )?value ("(?:[^"\\]|\\.)*") for (?:flag )?-([^\s:]+): `)
	wrongVariable = regexp.MustCompile(`^could not parse ("(?:[^"\\]|\\.)*") as .* from environment variable "(\w+)" for flag (\S+): `)
)

// onUsageError says in one line, instead of the library's page of help, what to write
// instead: the mistake must not scroll away.
func onUsageError(c *cli.Context, err error, _ bool) error {
	text := err.Error()
	see := fmt.Sprintf("see %s --help", commandPath(c))
	if m := undefinedFlag.FindStringSubmatch(text); m != nil {
		raw, _ := c.App.Metadata[rawArgs].([]string)
		if moved := behindCommand(c.App, raw); moved != nil {
			return usageError("flags come behind the command that they belong to: %s", line(moved))
		}
		if near := nearest(m[1], flagNames(c)); near != "" {
			return usageError("unknown flag %s: did you mean %s? %s", dashed(m[1]), dashed(near), see)
		}
		return usageError("unknown flag %s: %s", dashed(m[1]), see)
	}
	if m := withoutValue.FindStringSubmatch(text); m != nil {
		return usageError("%s needs a value, %s: %s", dashed(m[1]), form(flagOf(c, m[1])), see)
	}
	if m := wrongValue.FindStringSubmatch(text); m != nil {
		return usageError("%s %s: write %s", dashed(m[2]), m[1], form(flagOf(c, m[2])))
	}
	if m := wrongVariable.FindStringSubmatch(text); m != nil {
		return usageError("environment variable %s, %s: write %s", m[2], m[1], form(flagOf(c, m[3])))
	}
	return usageError("%s: %s", text, see)
}

// dashed is a flag as people write it.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// flagNames are the flags of a command, with their aliases.
func flagNames(c *cli.Context) (all []string) {
	flags := c.App.Flags
	if c.Command != nil {
		flags = c.Command.Flags
	}
	for _, f := range append(slices.Clone(flags), cli.HelpFlag) {
		all = append(all, f.Names()...)
	}
	return all
}

// form is what a flag's value looks like.
func form(f cli.Flag) string {
	switch f := f.(type) {
	case *cli.BoolFlag:
		return "nothing behind it, or true or false behind ="
	case *cli.DurationFlag:
		return "a time such as 500ms, 30s or 2m"
	case *cli.IntFlag:
		return "a whole number such as " + fmt.Sprint(max(f.Value, 1))
	case *cli.Uint64Flag:
		return "a whole number such as " + fmt.Sprint(max(f.Value, 1)) + ", below 2^64"
	case cli.DocGenerationFlag:
		return strings.ReplaceAll(f.GetUsage(), "`", "")
	}
	return "one"
}

// behindCommand is a line whose flags stand before the command that they belong to,
// with the flags where they belong; nil if that is not what is wrong.
func behindCommand(app *cli.App, raw []string) []string {
	commands, path, moved := app.Commands, raw[:min(1, len(raw))], []string(nil)
	path = slices.Clone(path)
	for i := 1; i < len(raw); i++ {
		word := raw[i]
		if strings.HasPrefix(word, "-") {
			moved = append(moved, word)
			if i+1 < len(raw) && !strings.Contains(word, "=") && !strings.HasPrefix(raw[i+1], "-") && commandOf(commands, raw[i+1]) == nil {
				i++
				moved = append(moved, raw[i])
			}
			continue
		}
		c := commandOf(commands, word)
		if c == nil {
			return nil
		}
		path = append(path, word)
		if len(c.Subcommands) > 0 {
			commands = c.Subcommands
			continue
		}
		if len(moved) == 0 || !takes(c, moved) {
			return nil
		}
		return slices.Concat(path, moved, raw[i+1:])
	}
	return nil
}

// takes reports whether a command has all these flags.
func takes(c *cli.Command, words []string) bool {
	for _, w := range words {
		name, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
		if strings.HasPrefix(w, "-") && !slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }) {
			return false
		}
	}
	return true
}

// unknownCommand names the command that is spelled most like it, or one of that name
// in another group.
func unknownCommand(c *cli.Context, group, name string) error {
	commands := c.App.Commands
	for _, word := range strings.Fields(group)[1:] {
		commands = commandOf(commands, word).Subcommands
	}
	var names []string
	for _, sub := range commands {
		names = append(names, sub.Name)
	}
	switch near := nearest(name, append(names, "help")); near {
	case "":
	case "help": // which stands at the end here
		return usageError("unknown command %q: did you mean `%s --help`?", name, group)
	default:
		return usageError("unknown command %q: did you mean `%s %s`? see %s --help", name, group, near, group)
	}
	paths := map[string]string{}
	names = nil
	for _, other := range c.App.Commands {
		for _, sub := range other.Subcommands {
			names, paths[sub.Name] = append(names, sub.Name), other.Name+" "+sub.Name
		}
	}
	if near := nearest(name, names); near != "" {
		return usageError("unknown command %q: did you mean `%s %s`? see %s --help", name, c.App.Name, paths[near], group)
	}
	return usageError("unknown command %q: see %s --help", name, group)
}

// nearest is the word that is spelled most like another one; "" if none is near.
func nearest(word string, words []string) (near string) {
	best := max(2, len(word)/3) + 1
	if len(word) < 3 {
		best = 2
	}
	for _, w := range words {
		if len(word) >= 3 && strings.HasPrefix(w, word) {
			return w // it was cut short
		}
		if d := distance(word, w); d < best && 2*d <= max(len(word), len(w)) {
			best, near = d, w
		}
	}
	return near
}

// distance is how many letters to insert, drop, replace, or exchange with the next.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
