package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/noun"
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
			"recorded which replicas it made traitors. What clients were told is held against the\n" +
			"history that the replicas agreed on, as far as both are written down; the verdict says\n" +
			"what was judged and what was not. Exit code 1 if the run was not safe, and if too\n" +
			"little was written down to say so: without an answer to a client that is judged,\n" +
			"only --replicas-only calls a run safe, and of the replicas alone.",
		Flags: []cli.Flag{
			dirFlag(), genesisFlag(), outputFlag(),
			&cli.StringFlag{Name: "traitors", Usage: "`N,M,...`: replicas that may have lied, instead of those that testnet recorded; \"\" = none"},
			&cli.BoolFlag{Name: "replicas-only", Usage: "do not ask for answers to clients: judge whether the replicas agree"},
		},
		Action: does(0, -1, checkRun),
	}
}

// record is what is judged: what was written down, and the genesis to hold it against.
type record struct {
	genesis  *consensus.Genesis
	logs     []string
	suspects []consensus.ReplicaID
	running  *testnet.Cluster // whose logs these are, and no others; nil = of several, or of files
}

// checkRun judges and says so.
func checkRun(c *cli.Context, args []string) error {
	x, err := recordOf(c, args)
	if err != nil {
		return err
	}
	v, err := judge(x.genesis, x.logs, x.suspects)
	for range patience {
		if err != nil || v.Scope.Late == 0 || x.running == nil || !x.running.Answers(c.Context) {
			break
		}
		// Replicas write down a moment later what a client was told already.
		time.Sleep(patienceStep)
		if x.logs, err = x.running.Logs(); err == nil {
			v, err = judge(x.genesis, x.logs, x.suspects)
		}
	}
	if err != nil {
		return err
	}
	if v.Unjudged == "" && v.Scope.Held == 0 && !c.Bool("replicas-only") {
		v.Unjudged = answersUnjudged
	}
	if forPrograms(c) {
		err = printSnake(c.App.Writer, v)
	} else {
		err = printVerdict(c.App.Writer, &v, x)
	}
	switch {
	case err != nil:
		return err
	case len(v.Violations) > 0 || v.Forked:
		return errors.New(noun.Several(len(v.Violations), "violation"))
	}
	if v.Unjudged == answersUnjudged {
		return errors.New(answersUnjudged) // something was judged
	}
	return v.Enough()
}

// answersUnjudged is why a run is not called safe of which nobody knows what clients
// were told.
const answersUnjudged = "the replicas agree, but no answer to a client was judged: give the histories of clients, or ask for the replicas alone by --replicas-only"

// How often, and how long apart, replicas that run are looked at again that have not
// yet written down what a client was told.
const (
	patience     = 8
	patienceStep = 250 * time.Millisecond
)

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
		if len(args) == 1 {
			x.running = cluster
		}
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
	defer waits("judging %s", noun.Several(len(logs), "log"))()
	return transcript.Judge(c, logs)
}

// printVerdict says first what matters most.
func printVerdict(w io.Writer, v *check.Verdict, x *record) error {
	p, err := protocol.Of(*x.genesis)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(verdictLine(v, p.Words.Place) + "\n")
	for _, violation := range v.Violations {
		fmt.Fprintf(&b, "  %s\n", violation)
	}
	fmt.Fprintf(&b, "judged: %s; possible traitors: %s\n", noun.Several(len(x.logs), "log"), listed(x.suspects))
	printScope(&b, v, p.Words.Place)
	culprits := listed(v.Culprits)
	if !p.Signed {
		culprits = fmt.Sprintf("none can be named: members of %s sign nothing", p.Title)
	}
	fmt.Fprintf(&b, "culprits, by evidence: %s\n", culprits)
	for _, e := range v.Evidence {
		fmt.Fprintf(&b, "  %s\n", e.Fault)
	}
	fmt.Fprintf(&b, "linearizable: %s\n", v.Linearizable)
	for _, why := range v.Why {
		fmt.Fprintf(&b, "  %s\n", why)
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// verdictLine is the verdict in a line.
func verdictLine(v *check.Verdict, place string) string {
	switch {
	case v.Forked:
		return fmt.Sprintf("FORKED at %s %d", place, v.ForkAt)
	case slices.ContainsFunc(v.Violations, func(x check.Violation) bool { return x.Kind == check.Deceived }):
		return "DECEIVED: a client was told what the agreed history does not have"
	case len(v.Violations) > 0:
		return "UNSAFE"
	case v.Unjudged != "":
		return "NOT JUDGED: " + v.Unjudged
	case v.Scope.Held == 0:
		return "safe: nothing was violated among the replicas; no answer to a client was judged"
	}
	if n := v.Scope.Untold + v.Scope.Late + v.Scope.Cut; n > 0 {
		return fmt.Sprintf("safe: nothing was violated in what was judged; not judged: %s", noun.Several(n, "answer"))
	}
	return "safe: nothing was violated"
}

// printScope says what was judged, and what was not.
func printScope(b *strings.Builder, v *check.Verdict, place string) {
	s := v.Scope
	fmt.Fprintf(b, "  agreement: %s of %s", noun.Several(s.Batches, "decision"), listed(s.Replicas))
	if s.Batches > 0 {
		fmt.Fprintf(b, ", %s %d to %d", place, s.First, s.Last)
	}
	if v.Executed > 0 {
		fmt.Fprintf(b, "; executed again up to %d", v.Executed)
	}
	fmt.Fprintf(b, "\n  answers: %d of %s held against the agreed history\n", s.Held, noun.Several(s.Answered, "answer"))
	for _, x := range []struct {
		n    int
		what string
	}{
		{len(s.Missing), listed(s.Missing) + " wrote nothing down that counts"},
		{s.Untold, fmt.Sprintf("what was answered to %s that clients did not write down: each command writes down 8 MiB of calls at most, and none over 64 KiB", noun.Several(s.Untold, "operation"))},
		{s.Calls - s.Answered, noun.Several(s.Calls-s.Answered, "call") + " without an answer"},
		{s.Late, noun.Several(s.Late, "answer") + " after which a replica wrote nothing down any more"},
		{s.Cut, noun.Several(s.Cut, "answer") + " to operations that the transcripts do not have: record.level is not \"all\", or record.bytes has cut them off"},
		{s.Torn, noun.Several(s.Torn, "log") + " that end in the middle of an entry, as a kill leaves them"},
	} {
		if x.n > 0 {
			fmt.Fprintf(b, "not judged: %s\n", x.what)
		}
	}
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
