package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/experiment/live"
	"quorate.dev/quorate/internal/files"
)

// temporarily runs do with a directory that is removed afterwards, however the command
// ends.
func temporarily(c *cli.Context, pattern string, do func(dir string) error) error {
	defer tidies(c)()
	dir, err := os.MkdirTemp("", pattern)
	if err != nil {
		err = fmt.Errorf("%w: %w", live.ErrPlace, err)
	} else {
		err = errors.Join(do(dir), os.RemoveAll(dir))
	}
	if errors.Is(err, live.ErrPlace) {
		return fmt.Errorf("%w: make room there, or set TMPDIR to another directory", err)
	}
	return err
}

// writable fails if a file that a flag names cannot be written, which nobody wants to
// hear after a long run. What exists stays as it is.
func writable(c *cli.Context) error {
	for _, flag := range []string{"html", "svg", "write"} {
		if path := c.Path(flag); c.IsSet(flag) {
			if path == "" {
				return usageError("--%s is empty: name a file, or leave it out", flag)
			}
			if err := files.Replaceable(path); err != nil {
				return fmt.Errorf("--%s: %w", flag, err)
			}
		}
	}
	if dir := c.Path("evidence"); dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("--evidence: %w", err)
		}
	}
	return nil
}

// writeFile writes the file that a flag names, if it is given, and says so.
func writeFile(c *cli.Context, flag, what string, write func(w io.Writer) error) error {
	path := c.Path(flag)
	if path == "" {
		return nil
	}
	if err := files.Replace(path, write); err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	note("%s: %s", what, path)
	return nil
}
