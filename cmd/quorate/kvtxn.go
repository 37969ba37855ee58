package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/internal/noun"
)

// txnHelp is the reference of the language.
const txnHelp = `Reads lines from FILE, or from stdin. If all conditions hold, the operations
after "then" are executed, otherwise those after "else": all of them or, if one
fails, none. Exit code 4 if a condition did not hold.

   if exists KEY | if missing KEY
   if value KEY (= | != | < | >) VALUE
   if revision KEY (= | != | < | >) NUMBER
   then put KEY VALUE | then get KEY | then del KEY
   else ...                                    the same

Blanks separate words. A word with blanks, or with bytes that cannot be typed, is
written as a Go string: "two words", "\x00". Lines that begin with # are ignored.
Prints one line per operation: its kind, its key and its result.`

// kvTxnCommand is quorate kv txn.
func kvTxnCommand() *cli.Command {
	return &cli.Command{
		Name: "txn", Usage: "execute operations atomically, under conditions", ArgsUsage: "[FILE]", Description: txnHelp,
		Flags: kvFlags(), Action: does(0, 1, kvTxn),
	}
}

// txn is a transaction as its text says it.
type txn struct {
	compares        []kv.Compare
	then, otherwise []txnOp
}

// txnOp is one operation of it.
type txnOp struct {
	kind  string
	key   string
	bytes []byte
	value []byte // of a put
}

// kvTxn reads the whole text before it connects: a mistake in the last line must
// not leave the first ones executed.
func kvTxn(c *cli.Context, args []string) error {
	script, err := txnText(args)
	if err != nil {
		return err
	}
	t, err := parseTxn(script)
	if err != nil {
		return &codedError{exitUsage, err}
	}
	return withStore(c, func(ctx context.Context, store client.KV) error {
		b, err := store.Txn(ctx, t.compares, encoded(t.then), encoded(t.otherwise))
		if err != nil {
			return err
		}
		ran := t.then
		if !b.Held {
			ran = t.otherwise
		}
		err = printBranch(c.App.Writer, ran, b, forPrograms(c))
		if !b.Held {
			return errors.Join(err, no("a condition did not hold"))
		}
		return err
	}, t.values()...)
}

// values are what its operations would store.
func (t *txn) values() (all [][]byte) {
	for _, o := range slices.Concat(t.then, t.otherwise) {
		all = append(all, o.value)
	}
	return all
}

// txnText reads the file, or stdin.
func txnText(args []string) (string, error) {
	if len(args) > 0 && args[0] != "-" {
		b, err := readFile(args[0])
		return string(b), err
	}
	b, err := readValue(os.Stdin)
	return string(b), err
}

// encoded lists the operations as the store takes them.
func encoded(ops []txnOp) [][]byte {
	var out [][]byte
	for _, o := range ops {
		out = append(out, o.bytes)
	}
	return out
}

// parseTxn reads a transaction. Errors name the line and say what to write.
func parseTxn(script string) (*txn, error) {
	t := &txn{}
	number := 0
	for text := range strings.Lines(script) {
		number++
		text = strings.TrimSpace(text)
		if text == "" || text[0] == '#' {
			continue
		}
		words, err := splitWords(text)
		if err == nil {
			err = t.add(words)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d, %s: %w", number, noun.Quote(text), err)
		}
	}
	if len(t.then)+len(t.otherwise) == 0 {
		return nil, errors.New("the transaction has no operation: see quorate kv txn --help")
	}
	return t, nil
}

// splitWords splits a line at blanks, but for those in quoted words.
func splitWords(text string) ([]string, error) {
	var words []string
	for text = strings.TrimLeft(text, " \t"); text != ""; text = strings.TrimLeft(text, " \t") {
		if text[0] != '"' {
			end := strings.IndexAny(text+" ", " \t")
			words, text = append(words, text[:end]), text[end:]
			continue
		}
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return nil, errors.New("a quoted word does not end")
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, fmt.Errorf("the word %s: %w", quoted, err)
		}
		words, text = append(words, word), text[len(quoted):]
	}
	return words, nil
}

// add takes in the words of one line.
func (t *txn) add(words []string) error {
	switch words[0] {
	case "if":
		c, err := parseCompare(words[1:])
		t.compares = append(t.compares, c)
		return err
	case "then", "else":
		o, err := parseTxnOp(words[1:])
		if words[0] == "then" {
			t.then = append(t.then, o)
		} else {
			t.otherwise = append(t.otherwise, o)
		}
		return err
	}
	return fmt.Errorf("a line begins with if, then or else, not %s", noun.Quote(words[0]))
}

// relations are the words for how a compare relates two values.
var relations = map[string]kv.Relation{"=": kv.Equal, "!=": kv.NotEqual, "<": kv.Less, ">": kv.Greater}

// parseCompare reads what stands behind if.
func parseCompare(words []string) (kv.Compare, error) {
	switch {
	case len(words) == 2 && words[0] == "exists":
		return kv.Exists([]byte(words[1])), nil
	case len(words) == 2 && words[0] == "missing":
		return kv.Missing([]byte(words[1])), nil
	case len(words) == 4 && relations[words[2]] != 0 && words[0] == "value":
		return kv.CompareValue([]byte(words[1]), relations[words[2]], []byte(words[3])), nil
	case len(words) == 4 && relations[words[2]] != 0 && words[0] == "revision":
		n, err := strconv.ParseUint(words[3], 10, 64)
		if err != nil {
			return kv.Compare{}, fmt.Errorf("%s is not a revision", noun.Quote(words[3]))
		}
		return kv.CompareRevision([]byte(words[1]), relations[words[2]], n), nil
	}
	return kv.Compare{}, errors.New("write: exists KEY, missing KEY, value KEY = VALUE, or revision KEY = NUMBER (also != < >)")
}

// parseTxnOp reads what stands behind then or else.
func parseTxnOp(words []string) (txnOp, error) {
	switch {
	case len(words) == 3 && words[0] == "put":
		return txnOp{"put", words[1], kv.Put([]byte(words[1]), []byte(words[2])), []byte(words[2])}, nil
	case len(words) == 2 && words[0] == "get":
		return txnOp{"get", words[1], kv.Get([]byte(words[1])), nil}, nil
	case len(words) == 2 && words[0] == "del":
		return txnOp{"del", words[1], kv.Delete([]byte(words[1])), nil}, nil
	}
	return txnOp{}, errors.New("write: put KEY VALUE, get KEY, or del KEY")
}

// opJSON is the outcome of one operation.
type opJSON struct {
	Op      string `json:"op"`
	Found   *bool  `json:"found,omitempty"`
	Existed *bool  `json:"existed,omitempty"`
	entryJSON
}

// printBranch prints the outcomes in the order of the lines.
func printBranch(w io.Writer, ran []txnOp, b kv.Branch, machine bool) error {
	if len(ran) != len(b.Results) {
		return fmt.Errorf("the cluster answered %s for %s", noun.Several(len(b.Results), "result"), noun.Several(len(ran), "operation"))
	}
	outcomes := []opJSON{}
	for i, o := range ran {
		j, text, err := outcome(o, b.Results[i])
		if err != nil {
			return fmt.Errorf("result of %s %s: %w", o.kind, noun.Quote(o.key), err)
		}
		outcomes = append(outcomes, j)
		if !machine {
			fmt.Fprintf(w, "%s %s %s\n", o.kind, plainText([]byte(o.key)), text)
		}
	}
	if machine {
		return printJSON(w, map[string]any{"held": b.Held, "results": outcomes})
	}
	return nil
}

// outcome reads a result by the kind of its operation, which is not in it.
func outcome(o txnOp, data []byte) (j opJSON, text string, err error) {
	j.Op = o.kind
	switch o.kind {
	case "put":
		var revision uint64
		revision, err = kv.ParsePut(data)
		j.entryJSON = jsonOf([]byte(o.key), kv.Entry{Revision: revision}, false)
		return j, fmt.Sprintf("revision %d", revision), err
	case "del":
		var existed bool
		existed, err = kv.ParseDelete(data)
		j.entryJSON, j.Existed = jsonOf([]byte(o.key), kv.Entry{}, false), &existed
		return j, map[bool]string{true: "deleted", false: "was absent"}[existed], err
	}
	e, found, err := kv.ParseGet(data)
	j.entryJSON, j.Found = jsonOf([]byte(o.key), e, found), &found
	if !found {
		return j, "absent", err
	}
	return j, "value " + plainText(e.Value), err
}
