package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/testnet"
)

// byzantineCommands is quorate byzantine.
func byzantineCommands() *cli.Command {
	return &cli.Command{
		Name: "byzantine", Usage: "how replicas and clients can misbehave",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "name every behaviour, or describe one", ArgsUsage: "[NAME]",
				Description: "Shows the outcome that each must have: in PBFT with f traitors of 3f+1 replicas, and with\n" +
					"f+1 that collude; in Raft, which tolerates only crashes, with one traitor of 2f+1.",
				Flags:  []cli.Flag{outputFlag()},
				Action: does(0, 1, byzantineList),
				BashComplete: completes(func(*cli.Context) []string {
					return behaviourNames(func(byzantine.Profile) bool { return true })
				}),
			},
			byzantineRun(),
			byzantineScenario(),
		},
	}
}

// behaviourNames are those that completion offers.
func behaviourNames(wanted func(byzantine.Profile) bool) []string {
	var all []string
	for _, p := range catalogue.All() {
		if wanted(p) {
			all = append(all, p.Name)
		}
	}
	return all
}

// completeCorrupt offers replicas first, and then what can be made of one.
func completeCorrupt(c *cli.Context) []string {
	if c.NArg() > 0 {
		cluster, err := openCluster(c)
		return behaviourNames(func(p byzantine.Profile) bool {
			return !p.Client && (err != nil || p.For(cluster.Genesis.Protocol))
		})
	}
	return completeReplica(c)
}

// completeReplica offers the numbers of replicas.
func completeReplica(c *cli.Context) []string {
	cluster, err := openCluster(c)
	if err != nil || c.NArg() > 0 {
		return nil
	}
	all := make([]string, cluster.Size())
	for i := range all {
		all[i] = strconv.Itoa(i)
	}
	return all
}

// byzantineList prints the catalogue. A single name gets all that is known of it.
func byzantineList(c *cli.Context, args []string) error {
	all := catalogue.All()
	if len(args) == 1 {
		p := all.Lookup(args[0])
		if p == nil {
			return unknownBehaviour(args[0])
		}
		all = byzantine.Catalogue{*p}
	}
	switch {
	case forPrograms(c):
		for i := range all {
			all[i].AtCrash = all[i].Crash()
		}
		return printSnake(c.App.Writer, all)
	case len(args) == 1:
		return describe(c.App.Writer, &all[0])
	}
	return printCatalogue(c.App.Writer, all)
}

// unknownBehaviour is the error of package byzantine, which has the nearest name.
func unknownBehaviour(name string) error {
	_, err := catalogue.Parse(name)
	if err == nil {
		err = fmt.Errorf("%w: %q; see `quorate byzantine list`", byzantine.ErrSpec, name)
	}
	return usageError("%w", err)
}

// printCatalogue lists clients' behaviours apart: a replica cannot have them.
func printCatalogue(w io.Writer, all []byzantine.Profile) error {
	for _, part := range []struct {
		heading string
		client  bool
	}{{"REPLICAS", false}, {"CLIENTS", true}} {
		t := newTable(w)
		fmt.Fprintf(t, "%s\tPARAMETERS\tF OF 3F+1\tF+1 OF 3F+1\t1 OF 2F+1\tWHAT IT DOES\n", part.heading)
		for _, p := range all {
			if p.Client == part.client {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", names(&p), parameters(&p), dash(string(p.AtF)), dash(string(p.AtF1)), dash(string(p.Crash())), p.Sentence)
			}
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return sentence(w, "Every behaviour of a replica also takes to=1,2 kind=PREPARE,COMMIT chance=30% after=2s until=9s.\nKinds of Raft are named like MsgApp,MsgVoteResp,FETCH, those of Paxos like PREPARE,ACCEPTED,STATE. - means that no protocol of that size has this lie.")
}

// names are a behaviour's name and, behind it, its aliases.
func names(p *byzantine.Profile) string {
	if len(p.Aliases) == 0 {
		return p.Name
	}
	return p.Name + " (" + strings.Join(p.Aliases, ", ") + ")"
}

// parameters are what may stand behind the name, with the defaults.
func parameters(p *byzantine.Profile) string {
	var words []string
	for i, q := range p.Params {
		switch {
		case i == 0 && q.Default == "":
			words = append(words, strings.ToUpper(q.Name))
		case i == 0:
			words = append(words, q.Default)
		default:
			words = append(words, q.Name+"="+q.Default)
		}
	}
	return dash(strings.Join(words, " "))
}

// dash stands for nothing.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// describe prints one behaviour in full.
func describe(w io.Writer, p *byzantine.Profile) error {
	t := newTable(w)
	who := "a replica"
	if p.Client {
		who = "a client"
	}
	fmt.Fprintf(t, "name\t%s\n", names(p))
	fmt.Fprintf(t, "what it does\t%s\n", p.Sentence)
	fmt.Fprintf(t, "who\t%s", who)
	if p.Protocols != nil {
		fmt.Fprintf(t, ", of protocol %s", strings.Join(p.Protocols, " or "))
	}
	fmt.Fprintf(t, "\ngroup\t%s\n", p.Group)
	fmt.Fprintf(t, "f of 3f+1\t%s\n", dash(string(p.AtF)))
	fmt.Fprintf(t, "f+1 of 3f+1\t%s\n", dash(string(p.AtF1)))
	fmt.Fprintf(t, "1 of 2f+1\t%s\n", dash(string(p.Crash())))
	for i, q := range p.Params {
		name, standard := q.Name, ""
		if i == 0 {
			name += " (its name may be left out)"
		}
		if q.Default != "" {
			standard = "; default " + q.Default
		}
		fmt.Fprintf(t, "parameter\t%s: %s%s\n", name, q.Help, standard)
	}
	return t.Flush()
}

// traitorFlags switch traitors on as the cluster starts.
func traitorFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "byzantine", Usage: "`N=BEHAVIOUR`: replica N is a traitor; may be repeated, also for one replica"},
		&cli.StringFlag{Name: "gang", Usage: "`N,M,...`: traitors that collude: they share their private keys and a plan"},
	}
}

// traitorsOf reads --byzantine: behaviours by replica.
func traitorsOf(c *cli.Context) (map[int][]string, error) {
	all := map[int][]string{}
	for _, text := range c.StringSlice("byzantine") {
		number, behaviour, ok := strings.Cut(text, "=")
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if !ok || err != nil {
			return nil, usageError("--byzantine %q: write N=BEHAVIOUR, such as 0=equivocate or \"3=delay 80%%\"", text)
		}
		if _, err := catalogue.Parse(behaviour); err != nil {
			return nil, usageError("--byzantine %q: %w", text, err)
		}
		all[n] = append(all[n], strings.TrimSpace(behaviour))
	}
	return all, nil
}

// switchOn makes the traitors that the flags of up ask for, running or not.
func switchOn(c *cli.Context, cluster *testnet.Cluster) error {
	traitors, err := traitorsOf(c)
	if err != nil {
		return err
	}
	for n := range traitors {
		if err := cluster.Has(n); err != nil {
			return usageError("--byzantine: %w", err)
		}
	}
	if c.IsSet("gang") {
		gang, err := numbersOf(c, "gang", 0, cluster.Size()-1)
		if err != nil {
			return err
		}
		if err := cluster.Collude(gang); err != nil {
			return err
		}
	}
	for n := range cluster.Size() {
		if len(traitors[n]) == 0 {
			continue
		}
		if err := corrupt(cluster, n, traitors[n]); err != nil {
			return err
		}
	}
	return nil
}

// corrupt turns a behaviour that this replica cannot have into a usage error.
func corrupt(cluster *testnet.Cluster, n int, behaviours []string) error {
	err := cluster.Corrupt(n, behaviours)
	if errors.Is(err, byzantine.ErrSpec) {
		return &codedError{exitUsage, err}
	}
	return err
}

// foresee refuses traitors that a new cluster could not have.
func foresee(c *cli.Context) error {
	traitors, err := traitorsOf(c)
	if err != nil {
		return err
	}
	of, err := protocolOf(c)
	if err != nil {
		return err
	}
	size, err := sizeOf(c, of)
	if err != nil {
		return err
	}
	if c.IsSet("gang") {
		gang, err := numbersOf(c, "gang", 0, size-1)
		if err != nil {
			return err
		}
		if len(gang) == 1 {
			return usageError("--gang: replica %d alone cannot collude", gang[0])
		}
	}
	for n, behaviours := range traitors {
		if n < 0 || n >= size {
			return usageError("--byzantine: no replica %d: the new cluster has 0 to %d", n, size-1)
		}
		for _, text := range behaviours {
			spec, err := catalogue.Parse(text)
			if err != nil {
				return usageError("--byzantine %q: %w", text, err)
			}
			if err := spec.Profile.Fits(of.Name); err != nil {
				return usageError("--byzantine: %w", err)
			}
		}
	}
	return nil
}

// behavioursOf puts arguments together: a word that can begin no behaviour
// belongs to the one before, so that `corrupt 2 delay 80%` needs no quotes.
func behavioursOf(args []string) []string {
	var all []string
	for _, a := range args {
		if n := len(all); n > 0 && (strings.Contains(strings.Fields(a + " x")[0], "=") || a != "" && a[0] >= '0' && a[0] <= '9') {
			all[n-1] += " " + a
			continue
		}
		all = append(all, a)
	}
	return all
}

// testnetCorrupt makes a traitor of a replica while it runs.
func testnetCorrupt(c *cli.Context, args []string) error {
	cluster, n, err := oneReplica(c, args[0])
	if err != nil {
		return err
	}
	defer waits("waiting for replica %d", n)()
	if err := corrupt(cluster, n, behavioursOf(args[1:])); err != nil {
		return err
	}
	return tellTraitor(c, cluster, n)
}

// testnetHeal makes a replica honest again.
func testnetHeal(c *cli.Context, args []string) error {
	cluster, n, err := oneReplica(c, args[0])
	if err != nil {
		return err
	}
	defer waits("waiting for replica %d", n)()
	if err := cluster.Heal(n); err != nil {
		return err
	}
	return tellTraitor(c, cluster, n)
}

// oneReplica opens the cluster and reads the number of a replica, to which something
// is about to be done.
func oneReplica(c *cli.Context, arg string) (*testnet.Cluster, int, error) {
	n, err := strconv.Atoi(arg)
	if err != nil {
		return nil, 0, usageError("%q is not the number of a replica", arg)
	}
	cluster, err := openCluster(c)
	if err != nil {
		return nil, 0, err
	}
	leaves(c, "replica %d may be between two states: %s shows how it stands, and %s starts what does not run", n,
		testnet.Advice(cluster.Dir, "testnet status"), testnet.Advice(cluster.Dir, "testnet up", "--detach"))
	return cluster, n, cluster.Has(n)
}

// tellTraitor says what holds from now on.
func tellTraitor(c *cli.Context, cluster *testnet.Cluster, n int) error {
	what := "is honest"
	if k := cluster.Behaviours(n); len(k) > 0 {
		what = "is a traitor: " + strings.Join(k, ", ")
	}
	s := cluster.Status(c.Context, n)
	switch s.Condition {
	case testnet.Stopped:
		what += "; it does not run: this takes effect when it starts"
	case testnet.Paused:
		what += "; it is paused: this takes effect when it resumes"
	}
	note("replica %d %s", n, what)
	if traitors := countTraitors(cluster); traitors > toleratedLies(cluster) {
		note("traitors: %d of %s, %d can be tolerated: the cluster may stop or fork", traitors, noun.Several(cluster.Size(), "replica"), toleratedLies(cluster))
	}
	return nil
}

// toleratedLies is how many liars the cluster tolerates: none where the protocol is
// one against crashes.
func toleratedLies(cluster *testnet.Cluster) int {
	if p, err := protocol.Of(cluster.Genesis); err != nil || p.Model == quorum.Crash {
		return 0
	}
	return faults(cluster)
}

// countTraitors counts the replicas that lie or will when they start.
func countTraitors(cluster *testnet.Cluster) int {
	return len(slices.DeleteFunc(slices.Clone(cluster.Manifest.Replicas), func(p testnet.Place) bool { return len(cluster.Behaviours(p.ID)) == 0 }))
}
