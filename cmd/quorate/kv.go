package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/noun"
)

// kvHelp is what all of these commands have in common.
const kvHelp = `Values are bytes: from the argument, from --file FILE (- is stdin), or from
stdin if it is not a terminal. An empty value is not an absent one.
With --output json, keys and values that are not valid UTF-8 are in base64,
under key_base64 and value_base64.`

// kvCommands is quorate kv: signed requests of a client, as any program makes
// them through package client.
func kvCommands() *cli.Command {
	return &cli.Command{
		Name: "kv", Usage: "read and write the replicated key-value store", Description: kvHelp,
		Subcommands: []*cli.Command{
			{Name: "put", Usage: "store a value", ArgsUsage: "KEY [VALUE]", Flags: kvFlags(fileFlag()), Action: does(1, 2, kvPut)},
			{Name: "get", Usage: "print a value; exit code 4 if the key is absent", ArgsUsage: "KEY", Flags: kvFlags(orderedFlag()), Action: does(1, 1, kvGet)},
			{Name: "del", Usage: "remove a key; exit code 4 if it was absent", ArgsUsage: "KEY", Flags: kvFlags(), Action: does(1, 1, kvDel)},
			{
				Name: "cas", Usage: "store a value if the key holds the expected one; exit code 4 if it does not", ArgsUsage: "KEY [VALUE]",
				Flags: kvFlags(fileFlag(),
					&cli.StringFlag{Name: "expect", Usage: "the `VALUE` that the key must hold"},
					&cli.PathFlag{Name: "expect-file", Usage: "`FILE` with that value"},
					&cli.BoolFlag{Name: "absent", Usage: "the key must be absent"},
					&cli.BoolFlag{Name: "delete", Usage: "remove the key instead of storing a value"}),
				Action: does(1, 2, kvCas),
			},
			kvRangeCommand(), kvTxnCommand(), kvImportCommand(), kvExportCommand(),
		},
	}
}

// kvFlags are those of every command here, with more of its own.
func kvFlags(more ...cli.Flag) []cli.Flag {
	return callerFlags(append(more, timeoutFlag(30*time.Second, giveUp), outputFlag())...)
}

// fileFlag is for values that no command line can hold.
func fileFlag() cli.Flag {
	return &cli.PathFlag{Name: "file", Aliases: []string{"f"}, Usage: "read the value from `FILE`; - is stdin"}
}

// orderedFlag is for commands that read.
func orderedFlag() cli.Flag {
	return &cli.BoolFlag{Name: "ordered", Usage: "have reads ordered like writes, which takes longer and shows no more"}
}

// storeOf is the store as a command wants it.
func storeOf(c *cli.Context, cl caller) client.KV {
	if c.Bool("ordered") {
		return client.KV{Invoker: client.Ordered{Invoker: cl}}
	}
	return client.KV{Invoker: cl}
}

// maxInput bounds what is read as one value, bytes: a little over the largest
// value that any genesis can allow, so that the cluster's own limit answers.
const maxInput = consensus.MaxFrame + 1

// valueOf finds the value of a command: the second argument, --file, or stdin.
func valueOf(c *cli.Context, args []string) ([]byte, error) {
	file := c.Path("file")
	switch {
	case len(args) > 1 && file != "":
		return nil, usageError("VALUE and --file exclude each other: choose one")
	case len(args) > 1:
		return []byte(args[1]), nil
	case file == "" && onTerminal(os.Stdin):
		return nil, usageError("%s %s needs a value: as an argument, by --file, or on stdin", commandPath(c), args[0])
	case file == "" || file == "-":
		return readValue(os.Stdin)
	}
	return readFile(file)
}

// readFile reads a file, bounded.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return readValue(f)
}

// readValue reads to the end, bounded: a value is held in memory whole.
func readValue(r io.Reader) ([]byte, error) {
	defer waits("reading, until the end of the input")()
	b, err := io.ReadAll(io.LimitReader(r, maxInput))
	if err == nil && len(b) == maxInput {
		err = fmt.Errorf("the value has %d bytes or more, the limit of every cluster is less", maxInput)
	}
	return b, err
}

// entryJSON is an entry as --output json prints it.
type entryJSON struct {
	Key         *string `json:"key,omitempty"`
	KeyBase64   []byte  `json:"key_base64,omitempty"`
	Value       *string `json:"value,omitempty"`
	ValueBase64 []byte  `json:"value_base64,omitempty"`
	Revision    uint64  `json:"revision,omitempty"`
}

// jsonOf leaves the value out where none was read, which differs from an empty
// one.
func jsonOf(key []byte, e kv.Entry, withValue bool) entryJSON {
	j := entryJSON{Revision: e.Revision}
	j.Key, j.KeyBase64 = text(key)
	if withValue {
		j.Value, j.ValueBase64 = text(e.Value)
	}
	return j
}

// text is b as a string, or as bytes if it is none.
func text(b []byte) (*string, []byte) {
	if !utf8.Valid(b) {
		return nil, b
	}
	s := string(b)
	return &s, nil
}

// kvPut prints nothing on success: the exit code says it.
func kvPut(c *cli.Context, args []string) error {
	value, err := valueOf(c, args)
	if err != nil {
		return err
	}
	return withStore(c, func(ctx context.Context, store client.KV) error {
		revision, err := store.Put(ctx, []byte(args[0]), value)
		if err != nil || !forPrograms(c) {
			return err
		}
		return printJSON(c.App.Writer, jsonOf([]byte(args[0]), kv.Entry{Revision: revision}, false))
	}, value)
}

// kvGet prints the value's bytes and nothing else, so that a file that was put
// comes back the same.
func kvGet(c *cli.Context, args []string) error {
	return withStore(c, func(ctx context.Context, store client.KV) error {
		e, found, err := store.Get(ctx, []byte(args[0]))
		switch {
		case err != nil:
			return err
		case !found:
			return no("%s not found", noun.Quote(args[0]))
		case forPrograms(c):
			return printJSON(c.App.Writer, jsonOf([]byte(args[0]), e, true))
		}
		return printValue(c.App.Writer, e.Value)
	})
}

// printValue writes the bytes as they are; only on a terminal, a line that is
// not ended is ended.
func printValue(w io.Writer, b []byte) error {
	if _, err := w.Write(b); err != nil {
		return err
	}
	if onTerminal(os.Stdout) && !bytes.HasSuffix(b, []byte("\n")) {
		fmt.Fprintln(w)
	}
	return nil
}

// kvDel has the answer "was absent" as an exit code, not as a failure: the key is
// gone in both cases.
func kvDel(c *cli.Context, args []string) error {
	return withStore(c, func(ctx context.Context, store client.KV) error {
		existed, err := store.Delete(ctx, []byte(args[0]))
		if err != nil {
			return err
		}
		if forPrograms(c) {
			err = printJSON(c.App.Writer, map[string]bool{"existed": existed})
		}
		if !existed {
			return errors.Join(err, no("%s not found", noun.Quote(args[0])))
		}
		return err
	})
}

// kvCas says what the key holds instead, which is what the next attempt needs.
func kvCas(c *cli.Context, args []string) error {
	expect, next, err := swapOf(c, args)
	if err != nil {
		return err
	}
	return withStore(c, func(ctx context.Context, store client.KV) error {
		s, err := store.CompareAndSwap(ctx, []byte(args[0]), expect, next)
		if err != nil {
			return err
		}
		if forPrograms(c) {
			j := struct {
				Done    bool `json:"done"`
				Present bool `json:"present"`
				entryJSON
			}{s.Done, s.Present, entryJSON{Revision: s.Revision}}
			if !s.Done && s.Present {
				j.entryJSON = jsonOf([]byte(args[0]), s.Current, true)
			}
			err = printJSON(c.App.Writer, j)
		}
		if !s.Done {
			return errors.Join(err, refusedSwap(args[0], s))
		}
		return err
	}, next.Value)
}

// refusedSwap shows the beginning of the other value; --output json has all of it.
func refusedSwap(key string, s kv.Swapped) error {
	if !s.Present {
		return no("%s is absent: nothing was changed", noun.Quote(key))
	}
	return no("%s holds another value, %s: nothing was changed", noun.Quote(key), noun.Quote(s.Current.Value))
}

// swapOf reads what a compare-and-swap expects and what it stores.
func swapOf(c *cli.Context, args []string) (expect, next kv.Maybe, err error) {
	given := 0
	for _, name := range []string{"expect", "expect-file", "absent"} {
		if c.IsSet(name) {
			given++
		}
	}
	if given != 1 {
		return expect, next, usageError("%s needs exactly one of --expect VALUE, --expect-file FILE and --absent", commandPath(c))
	}
	if c.IsSet("expect") {
		expect = kv.Some([]byte(c.String("expect")))
	}
	if file := c.Path("expect-file"); file != "" {
		b, err := readFile(file)
		if err != nil {
			return expect, next, err
		}
		expect = kv.Some(b)
	}
	if c.Bool("delete") {
		if len(args) > 1 || c.Path("file") != "" {
			return expect, next, usageError("--delete takes no value")
		}
		return expect, kv.None, nil
	}
	value, err := valueOf(c, args)
	return expect, kv.Some(value), err
}
