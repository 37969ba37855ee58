package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/testnet"
)

// evidenceCommands is quorate evidence.
func evidenceCommands() *cli.Command {
	return &cli.Command{
		Name: "evidence", Usage: "list, gather and verify proofs that a replica contradicted itself",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "list the evidence that the replicas of a cluster have kept; exit code 4 if there is none",
				Flags: []cli.Flag{dirFlag(), outputFlag()}, Action: does(0, 0, evidenceList),
			},
			{
				Name: "verify", Usage: "verify files offline, against a genesis; exit code 1 if one proves nothing", ArgsUsage: "FILE...",
				Flags:  []cli.Flag{dirFlag(), genesisFlag(), outputFlag()},
				Action: does(1, -1, evidenceVerify),
			},
			{
				Name: "collect", Usage: "write one file per proof, from the replicas' evidence and transcripts; exit code 4 if there is none",
				Flags:  []cli.Flag{dirFlag(), &cli.PathFlag{Name: "out", Value: "evidence", Usage: "`DIR` for the files"}, outputFlag()},
				Action: does(0, 0, evidenceCollect),
			},
		},
	}
}

// genesisOf reads the genesis that the flags name.
func genesisOf(c *cli.Context) (*consensus.Genesis, error) {
	if path := c.Path("genesis"); path != "" {
		return loadGenesis(path)
	}
	cluster, err := openCluster(c)
	if err != nil {
		return nil, err
	}
	return &cluster.Genesis, nil
}

// loadGenesis reads a genesis file for what all members agree on.
func loadGenesis(path string) (*consensus.Genesis, error) {
	file, err := genesis.Load(path)
	if err != nil {
		return nil, err
	}
	return &file.Genesis, nil
}

// proofLine is one proof for programs.
type proofLine struct {
	File    string `json:"file"`
	Holds   bool   `json:"holds"`
	Replica int    `json:"replica"`
	Proves  string `json:"proves,omitempty"`
	Error   string `json:"error,omitempty"`
}

// printProofs prints proofs and counts those that do not hold.
func printProofs(c *cli.Context, proofs []testnet.Proof) (bad int, err error) {
	lines := []proofLine{}
	for _, p := range proofs {
		l := proofLine{File: p.Path, Holds: p.Err == nil, Replica: -1}
		if p.Err == nil {
			l.Replica, l.Proves = int(p.Fault.Replica), p.Fault.String()
		} else {
			l.Error, bad = p.Err.Error(), bad+1
		}
		lines = append(lines, l)
	}
	return bad, show(c, lines, func() error {
		for _, l := range lines {
			if l.Holds {
				fmt.Fprintf(c.App.Writer, "%s: proven: %s\n", l.File, l.Proves)
			} else {
				fmt.Fprintf(c.App.Writer, "%s: rejected: %s\n", l.File, l.Error)
			}
		}
		return nil
	})
}

// evidenceVerify needs nobody's word: a genesis and the file suffice.
func evidenceVerify(c *cli.Context, args []string) error {
	genesis, err := genesisOf(c)
	if err != nil {
		return err
	}
	proofs, err := readProofs(args, genesis)
	if err != nil {
		return err
	}
	bad, err := printProofs(c, proofs)
	if err == nil && bad > 0 {
		err = fmt.Errorf("%d of %s proved nothing for cluster %s", bad, noun.Several(len(proofs), "file"), genesis.ID().Short())
	}
	return err
}

// evidenceList shows also what does not hold: a damaged file is worth knowing of.
func evidenceList(c *cli.Context, _ []string) error {
	return withCluster(c, func(cluster *testnet.Cluster) error {
		proofs, err := cluster.Evidence()
		if err != nil {
			return err
		}
		bad, err := printProofs(c, proofs)
		switch {
		case err != nil:
			return err
		case bad > 0:
			return fmt.Errorf("%d of %s proved nothing for cluster %s", bad, noun.Several(len(proofs), "file"), cluster.Genesis.ID().Short())
		case len(proofs) == 0:
			return noProof(cluster, "no replica of %s has evidence: %s also searches their transcripts", cluster.Dir, testnet.Advice(cluster.Dir, "evidence collect"))
		}
		return nil
	})
}

// noProof is the answer that there is no proof, and why there can be none, if so.
func noProof(cluster *testnet.Cluster, format string, args ...any) error {
	if p, err := protocol.Of(cluster.Genesis); err == nil && !p.Signed {
		return no("%s runs %s, whose messages are not signed: no replica can be convicted. %s shows what happened", cluster.Dir, p.Title, testnet.Advice(cluster.Dir, "check"))
	}
	return no(format, args...)
}

// evidenceCollect writes what holds, and says what that proves. It asks the
// replicas' own folders first: they have what a bounded transcript has lost.
func evidenceCollect(c *cli.Context, _ []string) error {
	return withCluster(c, func(cluster *testnet.Cluster) error {
		entries, err := gathered(cluster)
		if err != nil {
			return err
		}
		paths, err := testnet.SaveEvidence(c.Path("out"), entries)
		if err != nil {
			return err
		}
		saved, err := readProofs(paths, &cluster.Genesis)
		if err != nil {
			return err
		}
		if _, err = printProofs(c, saved); err == nil && len(saved) == 0 {
			err = noProof(cluster, "there is no proof against any replica")
		}
		return err
	})
}

// readProofs reads and judges files of evidence, one proof each.
func readProofs(paths []string, genesis *consensus.Genesis) ([]testnet.Proof, error) {
	var proofs []testnet.Proof
	for _, path := range paths {
		p, err := testnet.ReadEvidence(path, genesis)
		if err != nil {
			return nil, err
		}
		proofs = append(proofs, p)
	}
	return proofs, nil
}

// gathered is all evidence of a cluster, each proven fault once.
func gathered(cluster *testnet.Cluster) ([]evidence.Entry, error) {
	proofs, err := cluster.Evidence()
	if err != nil {
		return nil, err
	}
	var store evidence.Store
	for _, p := range proofs {
		if p.Err != nil {
			note("skipping %s: %v", p.Path, p.Err)
			continue
		}
		store.Add(p.Fault, p.Encoded)
	}
	logs, err := cluster.Logs()
	if err != nil || len(logs) == 0 {
		return store.All(), err
	}
	v, err := judge(&cluster.Genesis, logs, cluster.Traitors())
	if err != nil {
		return nil, err
	}
	for _, e := range v.Evidence {
		store.Add(e.Fault, e.Encoded)
	}
	return store.All(), nil
}
