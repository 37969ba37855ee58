package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/testnet"
)

// nodeShortcuts are flags for the settings that people change most.
var nodeShortcuts = map[string]string{"listen": "listen", "admin": "admin", "log-level": "log.level", "log-format": "log.format"}

// nodeCommand is quorate node, which is also what testnet starts for each
// replica: there is one way to run a home.
func nodeCommand() *cli.Command {
	return &cli.Command{
		Name: "node", Usage: "run one replica in this process, until SIGINT or SIGTERM",
		Description: "Every key of config.toml can be set by --set KEY=VALUE, or by the environment:\nQUORATE_ENGINE_TICK sets engine.tick. A flag comes before\nthe environment, the environment before the file, the file before the default.",
		Flags: []cli.Flag{
			homeFlag(),
			&cli.StringFlag{Name: "listen", Usage: "`HOST:PORT` for replicas and clients (QUORATE_LISTEN)"},
			&cli.StringFlag{Name: "admin", Usage: "`HOST:PORT` for health, status, metrics and pprof (QUORATE_ADMIN)"},
			choiceFlag("log-level", "", "debug, info, warn or error (QUORATE_LOG_LEVEL)", "debug", "info", "warn", "error"),
			choiceFlag("log-format", "", "text or json (QUORATE_LOG_FORMAT)", "text", "json"),
			&cli.StringSliceFlag{Name: "set", Usage: "`KEY=VALUE`: any key of config.toml; may be repeated"},
			&cli.BoolFlag{Name: "traitor", Usage: "misbehave as byzantine.toml in the home says; testnets only"},
			passphraseFlag(),
		},
		Action: does(0, 0, runNode),
	}
}

// homeFlag names one replica's directory.
func homeFlag() cli.Flag {
	return &cli.PathFlag{Name: "home", EnvVars: []string{"QUORATE_HOME"}, Usage: "`DIR` of the replica: config.toml, genesis.toml, key, data"}
}

// runNode ends in good order on SIGINT and SIGTERM, which end the context.
func runNode(c *cli.Context, _ []string) error {
	dir := c.Path("home")
	if dir == "" {
		return usageError("quorate node needs --home DIR, such as quorate-testnet/replica-0")
	}
	flags, err := settingFlags(c)
	if err != nil {
		return err
	}
	ctx, about, err := testnet.Leashed(c.Context, dir)
	if err != nil {
		return err
	}
	warnOfUnknown(os.Environ())
	h, err := home.Load(dir, home.Overrides{Flags: flags, Lookup: lookupEnv}, passphrase(c))
	if err != nil {
		return err
	}
	h.Holder = about
	defer tidies(c)()
	if c.Bool("traitor") {
		err = testnet.RunTraitor(ctx, h, kv.Store{})
	} else {
		err = h.Run(ctx, kv.Store{})
	}
	if err != nil {
		return err
	}
	var by *interrupted
	if errors.As(context.Cause(c.Context), &by) && by.signal == syscall.SIGTERM {
		return nil // it was asked to stop, and has stopped in good order
	}
	return c.Context.Err()
}

// warnOfUnknown names the variables that look like settings and are none: a
// mistyped one would be a setting that somebody believes in. It is no error, as
// the environment may be meant for another version too.
func warnOfUnknown(environment []string) {
	for _, name := range home.UnknownEnv(environment) {
		note("quorate: warning: environment variable %s sets nothing: config.toml lists the keys", name)
	}
}

// settingFlags gathers the settings that flags give, by key.
func settingFlags(c *cli.Context) (map[string]string, error) {
	flags := map[string]string{}
	for _, pair := range c.StringSlice("set") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, usageError("--set %q: write KEY=VALUE, such as engine.tick=20ms", pair)
		}
		flags[key] = value
	}
	for name, key := range nodeShortcuts {
		if c.IsSet(name) {
			flags[key] = c.String(name)
		}
	}
	return flags, nil
}
