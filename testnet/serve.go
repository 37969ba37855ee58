package testnet

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/home"
)

// Arguments are those with which Up starts a program as the replica of the home
// in dir. The program is quorate, or one that calls Serve.
func Arguments(dir string) []string { return []string{"node", "--traitor", "--home", dir} }

// Serve runs a replica of a, and does not return, in a process that Up has
// started: one whose arguments are node --traitor --home DIR. In any other it
// returns at once. A program that starts a cluster of its own application calls
// it first.
func Serve(a app.Application) {
	if len(os.Args) == 5 && slices.Equal(os.Args[1:], Arguments(os.Args[4])) {
		os.Exit(serve(os.Args[4], a))
	}
}

// serve runs the home in dir until SIGTERM, and answers the exit code.
func serve(dir string, a app.Application) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h, err := home.Load(dir, home.Overrides{Lookup: os.LookupEnv}, nil)
	if err == nil {
		err = RunTraitor(ctx, h, a)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
