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
// in dir, which may lie. The program is quorate, or one that calls Serve.
func Arguments(dir string) []string { return []string{"node", "--traitor", "--home", dir} }

// honestArguments are those of a replica that cannot lie.
func honestArguments(dir string) []string { return []string{"node", "--home", dir} }

// Serve runs a replica of a, and does not return, in a process that Up has
// started. In any other it returns at once. A program that makes a cluster of its
// own application calls it first.
func Serve(a app.Application) {
	dir, run := os.Args[len(os.Args)-1], (*home.Home).Run
	switch args := os.Args[1:]; {
	case slices.Equal(args, honestArguments(dir)):
	case slices.Equal(args, Arguments(dir)):
		run = func(h *home.Home, ctx context.Context, a app.Application) error { return RunTraitor(ctx, h, a) }
	default:
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := serve(ctx, dir, func(ctx context.Context, h *home.Home) error { return run(h, ctx, a) })
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve loads a home and runs it, once its process is known.
func serve(ctx context.Context, dir string, run func(context.Context, *home.Home) error) error {
	ctx, about, err := Leashed(ctx, dir)
	if err != nil {
		return err
	}
	h, err := home.Load(dir, home.Overrides{Lookup: os.LookupEnv}, envPassphrase)
	if err != nil {
		return err
	}
	h.Holder = about
	return run(ctx, h)
}
