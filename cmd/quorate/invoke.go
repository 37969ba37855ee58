package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
)

// invokeCommand is quorate invoke.
func invokeCommand() *cli.Command {
	return &cli.Command{
		Name: "invoke", Usage: "execute operations of any application, and print their results", ArgsUsage: "[OPERATION...]",
		Description: "OPERATION is a text, hex:DIGITS, @FILE, or - for stdin, which is also the default.\n" +
			"text:TEXT is for a text that begins like one of these. Several operations travel in\n" +
			"one request and are executed in order, with none in between; each is atomic by\n" +
			"itself. Prints one line per result: text, hex or json. A single text has no newline\n" +
			"added. Exit code 4 if the application refused an operation.",
		Flags:  callerFlags(timeoutFlag(30*time.Second, giveUp), outputFlag("text", "hex", "json")),
		Action: does(0, -1, invoke),
	}
}

// invoke sends all operations in one request, or none.
func invoke(c *cli.Context, args []string) error {
	if len(args) == 0 {
		if onTerminal(os.Stdin) {
			return usageError("quorate invoke needs an operation: as an argument, @FILE, or on stdin")
		}
		args = []string{"-"}
	}
	ops, err := operationsOf(args)
	if err != nil {
		return err
	}
	return withAccess(c, func(a *access) error {
		limits := &a.genesis.Limits
		if size := len(bytes.Join(ops, nil)); len(ops) > limits.RequestOperations || size > limits.RequestBytes/2 && len(ops) > 1 {
			return fmt.Errorf("%w: %d operations of %d bytes do not fit one request: send them one by one", session.ErrTooLarge, len(ops), size)
		}
		ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
		defer cancel()
		defer waits("waiting for answers of the cluster, for %v at most; %s shows how it stands", c.Duration("timeout"), advice(c, "status"))()
		var results []client.Result
		err := a.withCaller(ctx, session.Config{GatherBytes: limits.RequestBytes}, func(cl caller) (err error) {
			results, err = cl.InvokeAll(ctx, ops)
			return err
		})
		if err != nil {
			return explainTimeout(c, err)
		}
		if err := printResults(c.App.Writer, c.String("output"), results); err != nil {
			return err
		}
		return refusedBy(results)
	})
}

// operationsOf reads the operations. Stdin can be one of them.
func operationsOf(args []string) ([][]byte, error) {
	var ops [][]byte
	stdin := false
	for _, arg := range args {
		var op []byte
		var err error
		switch {
		case arg == "-" && stdin:
			return nil, usageError("- is given twice: stdin is one operation")
		case arg == "-":
			op, err = readValue(os.Stdin)
			stdin = true
		case arg == "@":
			return nil, usageError("@ needs a file name")
		case strings.HasPrefix(arg, "@"):
			op, err = readFile(arg[1:])
		case strings.HasPrefix(arg, "hex:"):
			if op, err = hex.DecodeString(arg[len("hex:"):]); err != nil {
				err = usageError("%s: write an even number of hexadecimal digits", arg)
			}
		default:
			op = []byte(strings.TrimPrefix(arg, "text:"))
		}
		if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// printResults prints one line per result; a single text is printed as it is.
func printResults(w io.Writer, form string, results []client.Result) error {
	if form == "json" {
		return printJSON(w, resultLines(results))
	}
	end := "\n"
	if form == "text" && len(results) == 1 {
		end = ""
	}
	for _, r := range results {
		text := string(r.Data)
		switch {
		case form == "hex":
			text = hex.EncodeToString(r.Data)
		case r.Code != consensus.ResultOK:
			text = "" // the error says it
		}
		if _, err := io.WriteString(w, text+end); err != nil {
			return err
		}
	}
	return nil
}

// resultLine is one result for programs.
type resultLine struct {
	OK    bool          `json:"ok"`
	Seq   consensus.Seq `json:"seq"` // the batch that it was executed in
	Hex   string        `json:"data_hex"`
	Text  *string       `json:"data,omitempty"` // if it is UTF-8
	Error string        `json:"error,omitempty"`
}

// resultLines are results for programs.
func resultLines(results []client.Result) []resultLine {
	lines := make([]resultLine, len(results))
	for i, r := range results {
		lines[i] = resultLine{OK: r.Code == consensus.ResultOK, Seq: r.Seq, Hex: hex.EncodeToString(r.Data)}
		if utf8.Valid(r.Data) {
			text := string(r.Data)
			lines[i].Text = &text
		}
		if !lines[i].OK {
			lines[i].Error = refusal(&r).Error()
		}
	}
	return lines
}

// refusal is why an operation failed, in the application's words if it has any.
func refusal(r *client.Result) error {
	return &client.ResultError{Code: r.Code, Text: strconv.Quote(string(r.Data))}
}

// refusedBy is the answer no if the application refused an operation.
func refusedBy(results []client.Result) error {
	for i, r := range results {
		if r.Code != consensus.ResultOK {
			return no("operation %d of %d: %w", i+1, len(results), refusal(&r))
		}
	}
	return nil
}
