// Command quorate runs replicas, talks to them as a client, and simulates
// whole systems. `quorate --help` lists what it does; docs/CLI.md is the
// reference. Each file holds one group of commands, which parse, make one call,
// and print: data on stdout, everything else on stderr.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/testnet"
)

// The exit codes, as --help and docs/CLI.md list them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitNo          = 4
	exitInterrupted = 130 // 128 and the number of the signal
	exitPipe        = 141 // the same, of SIGPIPE
)

// exitHelp stands in quorate --help.
const exitHelp = `Exit codes: 0 done; 1 failed; 2 wrong usage; 3 the cluster was not reached or did
   not answer in time; 4 not found, or a condition did not hold; 130 interrupted
   (143 by SIGTERM, 129 by SIGHUP); 141 the reader of the output has left.

   Flags come before arguments; -- ends the flags. Data go to stdout, everything
   else to stderr. --dir names the cluster; without it QUORATE_DIR does, or it is
   ./quorate-testnet.`

// main leaves everything to run, which tests can call too.
func main() {
	slacken(os.Args)
	os.Exit(run(os.Args))
}

// run executes one command line and returns its exit code.
func run(args []string) int {
	ctx, fail := context.WithCancelCause(context.Background())
	defer fail(nil)
	defer untilSignal(fail)()
	// A reader that leaves, as in `quorate ... | head`, is an error of the next
	// write, so that what was started is also stopped.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	if len(args) == 2 && (args[1] == "--version" || args[1] == "-version") {
		args = []string{args[0], "version"} // where everybody looks first
	}
	r := &running{out: &output{file: os.Stdout, fail: fail}}
	for _, name := range []string{"QUORATE_DIR", "QUORATE_HOME", "QUORATE_HISTORY"} {
		if os.Getenv(name) == "" {
			_ = os.Unsetenv(name) // an empty one names nothing
		}
	}
	args = askedForHelp(newApp(nil), args)
	app := newApp(args)
	app.Writer, app.Metadata[runKey] = r.out, r
	return r.report(ctx, r.await(ctx, func() error { return app.RunContext(ctx, args) }))
}

// newApp puts the commands together.
func newApp(args []string) *cli.App {
	app := &cli.App{
		Name:                 "quorate",
		Usage:                "a replicated service that stays right when some of its replicas lie",
		Description:          exitHelp,
		EnableBashCompletion: true,
		HideVersion:          true,
		HideHelpCommand:      true,
		Suggest:              true,
		Metadata:             map[string]any{rawArgs: args},
		// A list within one value, as in "drop to=1,2", is the value's own.
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              onUsageError,
		Commands: []*cli.Command{
			testnetCommands(), byzantineCommands(), boundsCommand(), capCommand(), costsCommand(), paxosCommands(), checkCommand(), evidenceCommands(), nodeCommand(), keysCommands(), configCommands(), kvCommands(),
			invokeCommand(),
			statusCommand(), benchCommand(), simCommand(), completionCommand(), versionCommand(),
		},
	}
	app.Action = group("quorate")
	strict(app.Commands, app.Name)
	return app
}

// strict gives every command errors of one line, and every group an answer to
// a name that it does not know.
func strict(commands []*cli.Command, path string) {
	for _, c := range commands {
		c.OnUsageError, c.HideHelpCommand = onUsageError, true
		name := path + " " + c.Name
		if len(c.Subcommands) > 0 {
			if c.Action == nil {
				c.Action = group(name)
			}
			strict(c.Subcommands, name)
		}
	}
}

// group is the action of a command that only has subcommands.
func group(name string) cli.ActionFunc {
	return func(c *cli.Context) error {
		if first := c.Args().First(); first != "" {
			return unknownCommand(c, name, first)
		}
		if name == c.App.Name && c.Args().Len() == 0 && c.Command.Name == c.App.Name {
			return cli.ShowAppHelp(c)
		}
		return cli.ShowSubcommandHelp(c)
	}
}

// codedError is an error with an exit code of its own.
type codedError struct {
	code int
	err  error
}

// Error is the error's own text: the code is for scripts.
func (e *codedError) Error() string { return e.err.Error() }

// Unwrap lets errors.Is see what is inside.
func (e *codedError) Unwrap() error { return e.err }

// usageError is for what the caller can only cure by another command line.
func usageError(format string, args ...any) error {
	return &codedError{exitUsage, fmt.Errorf(format, args...)}
}

// no is the answer of a command that worked and whose answer is no.
func no(format string, args ...any) error {
	return &codedError{exitNo, fmt.Errorf(format, args...)}
}

// unreachable is for a cluster that was not reached, or did not answer in time.
func unreachable(format string, args ...any) error {
	return &codedError{exitUnreachable, fmt.Errorf(format, args...)}
}

// codeOf is the exit code of an error. An error without a code of its own that
// came of time running out means that the cluster did not answer.
func codeOf(err error) int {
	var coded *codedError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		return coded.code
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, session.ErrClosed):
		return exitUnreachable
	case strings.HasPrefix(err.Error(), "flag provided but not defined"):
		return exitUsage
	}
	return exitFailure
}

// onTerminal reports whether f is a terminal.
func onTerminal(f *os.File) bool { return isTerminal(int(f.Fd())) }

// openCluster opens the cluster that --dir names. This program starts replicas of
// the store alone.
func openCluster(c *cli.Context) (*testnet.Cluster, error) {
	cluster, err := testnet.Open(c.String("dir"))
	if err == nil {
		cluster.Runs = kv.Store{}
	}
	return cluster, err
}

// advice is a command line that people are told to run, for the cluster that
// this one was run for.
func advice(c *cli.Context, command string) string {
	if !c.IsSet("genesis") {
		return testnet.Advice(c.String("dir"), command)
	}
	words := "quorate " + command
	for _, flag := range []string{"genesis", "key", "addresses"} {
		if value := c.String(flag); value != "" {
			words += " --" + flag + " " + quoteWord(value)
		}
	}
	return "`" + words + "`"
}
