package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/testnet"
	"quorate.dev/quorate/transcript"
)

// checkCommand is quorate check.
func checkCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "judge a run by the transcripts of its replicas and clients", ArgsUsage: "[DIR|LOG...]",
		Description: "Without an argument, judges the cluster of --dir. DIR is the directory of a cluster,\n" +
			"or one with its logs. Traitors are judged only by what they signed. testnet has\n" +
			"recorded which replicas it made traitors. Exit code 1 if the run was not safe.",
		Flags: []cli.Flag{
			dirFlag(), genesisFlag(), outputFlag(),
			&cli.StringFlag{Name: "traitors", Usage: "`N,M,...`: replicas that may have lied, instead of those that testnet recorded; \"\" = none"},
		},
		Action: does(0, -1, checkRun),
	}
}

// record is what is judged: what was written down, and the genesis to hold it against.
type record struct {
	genesis  *consensus.Genesis
	logs     []string
	suspects []consensus.ReplicaID
}

// checkRun judges and says so.
func checkRun(c *cli.Context, args []string) error {
	x, err := recordOf(c, args)
	if err != nil {
		return err
	}
	v, err := judge(x.genesis, x.logs, x.suspects)
	if err != nil {
		return err
	}
	if forPrograms(c) {
		err = printSnake(c.App.Writer, v)
	} else {
		err = printVerdict(c.App.Writer, &v, x)
	}
	if err == nil && !v.Safe() {
		err = errors.New(several(len(v.Violations), "violation"))
	}
	return err
}

// recordOf finds the logs, and the genesis to hold them against.
func recordOf(c *cli.Context, args []string) (*record, error) {
	x := &record{}
	var cluster *testnet.Cluster
	if len(args) == 0 {
		args = []string{c.String("dir")}
	}
	for _, arg := range args {
		logs, found, err := logsOf(arg)
		if err != nil {
			return nil, err
		}
		x.logs = append(x.logs, logs...)
		if found != nil {
			cluster = found
		}
	}
	var err error
	switch {
	case c.Path("genesis") != "":
		x.genesis, err = loadGenesis(c.Path("genesis"))
	case cluster != nil:
		x.genesis = &cluster.Genesis
	default:
		x.genesis, err = genesisOf(c)
	}
	if err != nil {
		return nil, err
	}
	if cluster != nil {
		x.suspects = cluster.Traitors()
	}
	if c.IsSet("traitors") {
		x.suspects = nil
		if c.String("traitors") != "" {
			numbers, err := numbersOf(c, "traitors", 0, len(x.genesis.Replicas)-1)
			if err != nil {
				return nil, err
			}
			x.suspects = replicaIDs(numbers)
		}
	}
	return x, nil
}

// logsOf is what an argument names: a cluster, a directory of logs, or a log.
func logsOf(arg string) ([]string, *testnet.Cluster, error) {
	cluster, err := testnet.Open(arg)
	if err == nil {
		logs, err := cluster.Logs()
		return logs, cluster, err
	}
	stat, statErr := os.Stat(arg)
	switch {
	case statErr != nil && errors.Is(err, testnet.ErrNoCluster):
		return nil, nil, err
	case statErr != nil:
		return nil, nil, statErr
	case !stat.IsDir():
		return []string{arg}, nil, nil
	case !errors.Is(err, testnet.ErrNoCluster):
		return nil, nil, err
	}
	logs, err := transcript.Files(arg)
	return logs, nil, err
}

// judge judges a run. If this program does not have the application, it judges
// only what was agreed on.
func judge(g *consensus.Genesis, logs []string, suspects []consensus.ReplicaID) (check.Verdict, error) {
	c := check.Case{Genesis: *g, Suspects: suspects}
	if g.Application == "" {
		c.Application, c.Model = kv.Store{}, check.Store()
	} else {
		note("nothing is re-executed: this program does not have the application %q", g.Application)
	}
	return transcript.Judge(c, logs)
}

// printVerdict says first what matters most.
func printVerdict(w io.Writer, v *check.Verdict, x *record) error {
	p, err := protocol.Of(*x.genesis)
	if err != nil {
		return err
	}
	place := p.Words.Place
	word := "safe: nothing was violated"
	switch {
	case v.Forked:
		word = fmt.Sprintf("FORKED at %s %d", place, v.ForkAt)
	case !v.Safe():
		word = "UNSAFE"
	}
	fmt.Fprintln(w, word)
	for _, violation := range v.Violations {
		fmt.Fprintf(w, "  %s\n", violation)
	}
	fmt.Fprintf(w, "judged: %d logs; possible traitors: %s\n", len(x.logs), listed(x.suspects))
	culprits := listed(v.Culprits)
	if !p.Signed {
		culprits = fmt.Sprintf("none can be named: members of %s sign nothing", p.Title)
	}
	fmt.Fprintf(w, "culprits, by evidence: %s\n", culprits)
	for _, e := range v.Evidence {
		fmt.Fprintf(w, "  %s\n", e.Fault)
	}
	fmt.Fprintf(w, "linearizable: %s\n", v.Linearizable)
	if v.Executed > 0 {
		fmt.Fprintf(w, "re-executed: up to %s %d\n", place, v.Executed)
	}
	return nil
}

// listed lists replicas, or says that there are none.
func listed(all []consensus.ReplicaID) string {
	if len(all) == 0 {
		return "none"
	}
	if len(all) == 1 {
		return fmt.Sprint("replica ", all[0])
	}
	return "replicas " + strings.ReplaceAll(ids(all), ",", ", ")
}
