package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/p2p"
)

// keysCommands is quorate keys.
func keysCommands() *cli.Command {
	return &cli.Command{
		Name: "keys", Usage: "make and show key files",
		Subcommands: []*cli.Command{
			{
				Name: "new", Usage: "make a key file with mode 0600 and print its public key", ArgsUsage: "FILE",
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "encrypt", Usage: "ask for a passphrase"},
					passphraseFlag(), outputFlag(),
				},
				Action: does(1, 1, keysNew),
			},
			{
				Name: "show", Usage: "print the public key and the peer id of a key file", ArgsUsage: "FILE",
				Flags:  []cli.Flag{&cli.BoolFlag{Name: "verify", Usage: "also read the private key; an encrypted one needs its passphrase"}, passphraseFlag(), outputFlag()},
				Action: does(1, 1, keysShow),
			},
		},
	}
}

// keysNew asks for the passphrase before anything is made: an interrupted
// question leaves no file behind.
func keysNew(c *cli.Context, args []string) error {
	phrase, err := newPassphrase(c)
	if err != nil {
		return err
	}
	seed, err := home.NewSeed()
	if err != nil {
		return err
	}
	if err := home.WriteKey(args[0], seed, phrase); err != nil {
		return err
	}
	return printKey(c, crypto.PublicOf(seed), phrase != "")
}

// keysShow needs no passphrase: the public half stands in the file in plain.
func keysShow(c *cli.Context, args []string) error {
	public, encrypted, err := home.InspectKey(args[0])
	if err != nil {
		return err
	}
	if c.Bool("verify") {
		if _, err := home.ReadKey(args[0], passphrase(c)); err != nil {
			return err
		}
	}
	return printKey(c, public, encrypted)
}

// printKey shows both names of a key: a genesis has the one, libp2p and the
// tables here the other.
func printKey(c *cli.Context, public crypto.PublicKey, encrypted bool) error {
	id, err := p2p.PeerID(public)
	if err != nil {
		return err
	}
	return show(c, map[string]any{"public": public.String(), "peer_id": id.String(), "encrypted": encrypted}, func() error {
		fmt.Fprintf(c.App.Writer, "public     %s\npeer id    %s\nencrypted  %t\n", public, id, encrypted)
		return nil
	})
}
