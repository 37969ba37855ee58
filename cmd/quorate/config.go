package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/home"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/testnet"
)

// configCommands is quorate config.
func configCommands() *cli.Command {
	return &cli.Command{
		Name: "config", Usage: "check configurations",
		Subcommands: []*cli.Command{{
			Name: "check", Usage: "check a home, or all homes of a cluster, without starting anything",
			Description: "Checks config.toml with the environment over it, the genesis, the key, and that the\ndata belong to this replica of this cluster; of a whole cluster also that each home\nis in its place and has its genesis. Changes nothing.",
			Flags:       []cli.Flag{dirFlag(), homeFlag(), passphraseFlag()},
			Action:      does(0, 0, configCheck),
		}},
	}
}

// lookupEnv is the environment as testnet asks for it.
func lookupEnv(name string) (string, bool) { return os.LookupEnv(name) }

// configCheck goes on after a bad home: who repairs one wants to know of all.
func configCheck(c *cli.Context, _ []string) error {
	warnOfUnknown(os.Environ())
	if dir := c.Path("home"); dir != "" {
		return checkHome(c, dir)
	}
	cluster, err := openCluster(c)
	if err != nil {
		return err
	}
	var errs []error
	for i := range cluster.Size() {
		errs = append(errs, cmp.Or(cluster.Fits(i), checkHome(c, cluster.Home(i))))
	}
	return errors.Join(errs...)
}

// checkHome says in one line what a good home is, so that a wrong but consistent
// one is noticed too.
func checkHome(c *cli.Context, dir string) error {
	h, err := home.Load(dir, home.Overrides{Lookup: lookupEnv}, passphrase(c))
	if err != nil {
		return err
	}
	origin, err := h.Check()
	if err != nil {
		return err
	}
	system, err := protocol.System(h.Genesis)
	if err != nil {
		return err
	}
	traitor, err := traitorOf(h)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s: ok: replica %d of cluster %s, %s, home is %s%s\n", dir, h.Config.Replica, h.Genesis.ID().Short(), system, origin, traitor)
	return nil
}

// traitorOf says how the replica of a testnet's home lies, if it does.
func traitorOf(h *home.Home) (string, error) {
	if !h.Genesis.Testnet {
		return "", nil
	}
	behaviours, err := testnet.Behaviours(h.Dir)
	if err != nil || len(behaviours) == 0 {
		return "", err
	}
	return ", A TRAITOR: " + strings.Join(behaviours, ", "), nil
}
