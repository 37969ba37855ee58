package main

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
)

// kvRangeCommand is quorate kv range.
func kvRangeCommand() *cli.Command {
	return &cli.Command{
		Name: "range", Usage: "print entries in the order of their keys",
		Description: "One line per entry: key, tab, value. Bytes that would break the line, and\n" +
			"backslashes, are written as \\t, \\n, \\\\ or \\xNN. With --output json, one\n" +
			"object per line. What does not fit one answer is read page by page: each page is\n" +
			"of one moment, and only with --whole are all of them of the same. Then the range is\n" +
			"read over when anything is decided meanwhile, several times, and nothing is printed\n" +
			"before all is read.",
		Flags: kvFlags(
			&cli.StringFlag{Name: "prefix", Usage: "only keys that begin with `TEXT`"},
			&cli.StringFlag{Name: "from", Usage: "first `KEY`, inclusive"},
			&cli.StringFlag{Name: "to", Usage: "last `KEY`, exclusive"},
			&cli.Uint64Flag{Name: "limit", Usage: "at most `N` entries; 0 = all"},
			&cli.BoolFlag{Name: "keys", Usage: "leave the values out"},
			&cli.BoolFlag{Name: "whole", Usage: "all entries as they were at one moment, or none"},
			orderedFlag()),
		Action: does(0, 0, kvRange),
	}
}

// kvRange buffers its output, and flushes what there is also after an error.
func kvRange(c *cli.Context, _ []string) error {
	from, to := []byte(c.String("from")), []byte(c.String("to"))
	if c.IsSet("prefix") {
		if c.IsSet("from") || c.IsSet("to") {
			return usageError("--prefix excludes --from and --to")
		}
		from, to = []byte(c.String("prefix")), kv.PrefixEnd([]byte(c.String("prefix")))
	}
	if c.Bool("whole") && c.Bool("ordered") {
		return usageError("--whole excludes --ordered: it compares what was read without an order")
	}
	out := bufio.NewWriter(c.App.Writer)
	err := withStore(c, func(ctx context.Context, store client.KV) error {
		if c.Bool("whole") {
			return printWhole(ctx, out, store, from, to, c)
		}
		return pages(ctx, store, from, to, c.Uint64("limit"), c.Bool("keys"), func(e kv.Entry) error {
			return printEntry(out, e, forPrograms(c), !c.Bool("keys"))
		})
	})
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	return err
}

// printWhole prints a range that was read of one state.
func printWhole(ctx context.Context, out *bufio.Writer, store client.KV, from, to []byte, c *cli.Context) error {
	entries, err := store.Whole(ctx, from, to, c.Uint64("limit"), c.Bool("keys"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := printEntry(out, e, forPrograms(c), !c.Bool("keys")); err != nil {
			return err
		}
	}
	return nil
}

// pages visits the entries of a range, at most limit of them (0 = all).
func pages(ctx context.Context, store client.KV, from, to []byte, limit uint64, keysOnly bool, visit func(kv.Entry) error) error {
	for left := limit; ; {
		page, err := store.Range(ctx, from, to, uint32(min(left, 1<<20)), keysOnly)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if err := visit(e); err != nil {
				return err
			}
		}
		left -= min(left, uint64(len(page.Entries)))
		if !page.More || limit > 0 && left == 0 {
			return nil
		}
		from = page.Next
	}
}

// printEntry writes one line per entry, whatever bytes it holds: lines are what
// other programs count and split.
func printEntry(w *bufio.Writer, e kv.Entry, machine, withValue bool) error {
	if machine {
		return newEncoder(w).Encode(jsonOf(e.Key, e, withValue))
	}
	line := plainText(e.Key)
	if withValue {
		line += "\t" + plainText(e.Value)
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// plainText is b on one line, readable back.
func plainText(b []byte) string {
	var out strings.Builder
	for _, r := range string(b) {
		switch {
		case r == '\\':
			out.WriteString(`\\`)
		case r == '"', strconv.IsPrint(r) && r != '\uFFFD':
			out.WriteRune(r)
		default:
			return escaped(b)
		}
	}
	return out.String()
}

// escaped is b as a Go string without its quotes.
func escaped(b []byte) string {
	q := strconv.Quote(string(b))
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
