package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Where the app keeps the command line as it came, and the run that it belongs to.
const (
	rawArgs = "args"
	runKey  = "run"
)

// does makes an action of a function that takes positional arguments, at least
// least and at most most of them (-1 = any number).
func does(least, most int, do func(c *cli.Context, args []string) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		args, err := arguments(c)
		if err != nil {
			return err
		}
		switch {
		case len(args) < least:
			return usageError("%s needs %s: see %s --help", commandPath(c), c.Command.ArgsUsage, commandPath(c))
		case most >= 0 && len(args) > most:
			return usageError("%s takes no argument %q: see %s --help", commandPath(c), args[most], commandPath(c))
		}
		return do(c, args)
	}
}

// arguments are the positional arguments. The flag parser stops at the first
// of them, so that a flag behind it would silently become an argument: that is
// an error here, which shows the line as it was meant. After -- everything is
// an argument.
func arguments(c *cli.Context) ([]string, error) {
	raw, _ := c.App.Metadata[rawArgs].([]string)
	args := c.Args().Slice()
	before := raw[:max(0, len(raw)-len(args))]
	if len(args) == 0 || len(before) > 0 && before[len(before)-1] == "--" {
		return args, nil
	}
	var plain, moved []string
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--":
			return misplaced(c, before, moved, append(plain, args[i+1:]...))
		case len(a) < 2 || a[0] != '-':
			plain = append(plain, a)
		case flagOf(c, a) == nil:
			return nil, usageError("%q looks like a flag: if it is an argument, put -- before the arguments: %s", a,
				line(append(append(before, "--"), args...)))
		default:
			moved = append(moved, a)
			if takesValue(flagOf(c, a), a) && i+1 < len(args) {
				i++
				moved = append(moved, args[i])
			}
		}
	}
	return misplaced(c, before, moved, plain)
}

// misplaced answers the plain arguments if no flag stood among them. Otherwise
// it is an error: to obey the flag would teach a habit that fails as soon as an
// argument looks like one.
func misplaced(c *cli.Context, before, moved, plain []string) ([]string, error) {
	if len(moved) == 0 {
		return plain, nil
	}
	corrected := append(append([]string{}, before...), moved...)
	for _, a := range plain {
		if strings.HasPrefix(a, "-") && a != "-" {
			corrected = append(corrected, "--")
			break
		}
	}
	return nil, usageError("flags come before arguments: %s", line(append(corrected, plain...)))
}

// flagOf finds the command's flag that an argument such as --name=value names.
func flagOf(c *cli.Context, arg string) cli.Flag {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	for _, f := range append(c.Command.Flags, cli.HelpFlag) {
		for _, n := range f.Names() {
			if n == name {
				return f
			}
		}
	}
	return nil
}

// given reports whether a flag stands on the command line, and not in the environment
// alone.
func given(c *cli.Context, name string) bool {
	raw, _ := c.App.Metadata[rawArgs].([]string)
	return c.IsSet(name) && slices.ContainsFunc(raw, func(a string) bool {
		f := flagOf(c, a)
		return strings.HasPrefix(a, "-") && f != nil && slices.Contains(f.Names(), name)
	})
}

// firstGiven is the first of some flags that is given; "" = none is.
func firstGiven(c *cli.Context, names ...string) string {
	for _, name := range names {
		if given(c, name) {
			return name
		}
	}
	return ""
}

// takesValue reports whether the next word belongs to the flag.
func takesValue(f cli.Flag, arg string) bool {
	_, isBool := f.(*cli.BoolFlag)
	return !isBool && !strings.Contains(arg, "=")
}

// line is a command line that a shell reads back as the same words.
func line(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if i == 0 {
			w = "quorate"
		}
		quoted[i] = quoteWord(w)
	}
	return strings.Join(quoted, " ")
}

// quoteWord leaves plain words as they are, so that the common case reads well.
func quoteWord(w string) string {
	if w != "" && strings.IndexFunc(w, func(r rune) bool {
		return !strings.ContainsRune("-_./:=,@%+", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0 {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// commandPath is the command's full name.
func commandPath(c *cli.Context) string {
	if c.Command == nil || c.Command.HelpName == "" {
		return c.App.Name
	}
	return c.Command.HelpName
}
