package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/table"
)

// isTerminal decides between what people see and what programs read.
func isTerminal(fd int) bool { return term.IsTerminal(fd) }

// columns is the width of the terminal that f is, or 0 if it is none.
func columns(f *os.File) int {
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// printJSON prints one value on one line.
func printJSON(w io.Writer, v any) error { return newEncoder(w).Encode(v) }

// show prints a value for programs, or what people is made of.
func show(c *cli.Context, v any, people func() error) error {
	if forPrograms(c) {
		return printJSON(c.App.Writer, v)
	}
	return people()
}

// newTable is a table of lines whose cells have tabs between them, the first line
// being the heading. It is printed when it is flushed, as wide as the terminal is.
func newTable(w io.Writer) *tabbed { return &tabbed{w: w, columns: columns(os.Stdout)} }

// tabbed is what newTable makes.
type tabbed struct {
	bytes.Buffer
	w       io.Writer
	columns int
}

// Flush prints the table.
func (t *tabbed) Flush() error {
	var out table.Table
	for line := range strings.Lines(t.String()) {
		out.Row(strings.Split(strings.TrimSuffix(line, "\n"), "\t")...)
	}
	return out.Write(t.w, t.columns)
}

// sentence prints a text, broken between words where the terminal ends. What goes on
// is indented, so that each sentence is seen to begin.
func sentence(w io.Writer, text string) error {
	for line := range strings.Lines(text) {
		if _, err := fmt.Fprintln(w, strings.Join(table.Hang(strings.TrimSuffix(line, "\n"), columns(os.Stdout)), "\n")); err != nil {
			return err
		}
	}
	return nil
}

// note prints a line for people, on stderr.
func note(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// passphraseFlag takes a file and never the passphrase itself, which every user
// of the machine could read in the list of processes.
func passphraseFlag() cli.Flag {
	return &cli.PathFlag{Name: "passphrase-file", Usage: "`FILE` whose first line is the key's passphrase (default: QUORATE_PASSPHRASE, or a prompt)"}
}

// passphrase asks for the passphrase of an existing key file: from the file
// that the flag names, else the environment, else the terminal.
func passphrase(c *cli.Context) home.Passphrase {
	return func() (string, error) {
		if file := c.Path("passphrase-file"); file != "" {
			return home.PassphraseFile(file)()
		}
		if phrase := os.Getenv("QUORATE_PASSPHRASE"); phrase != "" {
			return phrase, nil
		}
		if !onTerminal(os.Stdin) {
			return "", nil
		}
		return prompt(c, "passphrase: ")
	}
}

// newPassphrase is for a key in the making; empty means no encryption.
func newPassphrase(c *cli.Context) (string, error) {
	if c.Path("passphrase-file") != "" || os.Getenv("QUORATE_PASSPHRASE") != "" {
		phrase, err := passphrase(c)()
		if err == nil && phrase == "" {
			err = errors.New("the passphrase is empty: omit it for a key that is not encrypted")
		}
		return phrase, err
	}
	if !c.Bool("encrypt") {
		return "", nil
	}
	if !onTerminal(os.Stdin) {
		return "", errors.New("no passphrase: give --passphrase-file or set QUORATE_PASSPHRASE")
	}
	first, err := prompt(c, "new passphrase: ")
	if err != nil || first == "" {
		return "", errors.Join(err, errors.New("no passphrase was given"))
	}
	second, err := prompt(c, "once more: ")
	if err == nil && first != second {
		err = errors.New("the two passphrases differ: nothing was made")
	}
	return first, err
}

// prompt asks on stderr, for stdout is for data, and does not show the answer. After
// an interruption the terminal shows again what is typed.
func prompt(c *cli.Context, text string) (string, error) {
	fd := int(os.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for a passphrase: %w", err)
	}
	fmt.Fprint(os.Stderr, text)
	defer fmt.Fprintln(os.Stderr)
	type answer struct {
		phrase []byte
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		b, err := term.ReadPassword(fd)
		answered <- answer{b, err}
	}()
	select {
	case a := <-answered:
		return string(a.phrase), a.err
	case <-c.Context.Done():
		return "", errors.Join(c.Context.Err(), term.Restore(fd, before))
	}
}

// newEncoder writes values for programs: one line each, and no HTML in mind.
func newEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

// libraryWords are what Go and its libraries put into errors that is no explanation,
// and what is said instead.
var libraryWords = []struct {
	theirs *regexp.Regexp
	ours   string
}{
	{regexp.MustCompile(`: (?:context deadline exceeded|context canceled|file does not exist|file already exists|permission denied)((?:\n|$))`), "$1"},
	{regexp.MustCompile(`context deadline exceeded`), "time ran out"},
	{regexp.MustCompile(`context canceled`), "interrupted"},
	{regexp.MustCompile(`\bmkdir (\S+): no such file or directory`), "no directory can be made at $1: choose another place"},
	{regexp.MustCompile(`\b(?:open|stat|lstat|readlink) (\S+): no such file or directory`), "$1 does not exist"},
	{regexp.MustCompile(`\b(?:open|read|fdopendir|getdents64?) (\S+): is a directory`), "$1 is a directory, not a file"},
	{regexp.MustCompile(`\b(?:open|stat|lstat|fdopendir|readdirent|mkdir) (\S+): not a directory`), "$1 is a file, or lies below one: choose a directory"},
	{regexp.MustCompile(`\b(?:open|stat|lstat|mkdir|remove|unlinkat|openat) (\S+): permission denied`), "$1 is not yours to open: check its owner and mode"},
	{regexp.MustCompile(`strconv\.\w+: parsing ("(?:[^"\\]|\\.)*"): (?:invalid syntax|value out of range)`), "$1 is no number that is possible here"},
	{regexp.MustCompile(`time: (?:invalid|missing unit in|unknown unit "[^"]*" in) duration ("[^"]*")`), "$1 is no duration: write 500ms, 30s or 2m"},
}

// inOurWords is an error's text without those of the libraries below it.
func inOurWords(text string) string {
	for _, w := range libraryWords {
		text = w.theirs.ReplaceAllString(text, w.ours)
	}
	return text
}

// reason is why the system refused something, without the call and the path that Go
// puts before it.
func reason(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}
