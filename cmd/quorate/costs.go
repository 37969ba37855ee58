package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/experiment/costs"
	"quorate.dev/quorate/internal/files"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
)

// costsCommand is quorate costs.
func costsCommand() *cli.Command {
	return &cli.Command{
		Name: "costs", Usage: "count messages, bytes, signatures and syncs per decision and per read, and compare them with the formulas",
		Description: "Runs the replicas' own code in the simulator, on a quiet network: the counts are the\n" +
			"same on every machine. quorate bench measures time.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "protocol", Usage: "count only " + noun.Either(protocol.Names()), DefaultText: "all"},
			&cli.StringFlag{Name: "sizes", Usage: "numbers of replicas, as in `N,N,...`", DefaultText: measuredSizes()},
			numberFlag("decisions", costs.Decisions, 1, costs.MaxDecisions, "how many to count in each run"),
			outputFlag("table", "json"),
			&cli.PathFlag{Name: "write", Usage: "replace the tables in the Markdown `FILE`"},
			&cli.PathFlag{Name: "svg", Usage: "write the plot to `FILE`"},
		},
		Action: does(0, 0, runCosts),
	}
}

// runCosts measures what was asked for, and writes it.
func runCosts(c *cli.Context, _ []string) error {
	wanted, err := costOptions(c)
	if err != nil {
		return err
	}
	if err := writable(c); err != nil {
		return err
	}
	done := waits("counting in %s", noun.Several(len(wanted), "system"))
	all, err := costs.MeasureAll(wanted)
	if done(); err != nil {
		return err
	}
	return writeCosts(c, all)
}

// costOptions reads which systems are to be measured.
func costOptions(c *cli.Context) ([]costs.Options, error) {
	protocols := protocol.All()
	if c.IsSet("protocol") {
		p, err := protocolOf(c)
		if err != nil {
			return nil, err
		}
		protocols = []protocol.Protocol{p}
	}
	var wanted []costs.Options
	for _, p := range protocols {
		sizes := p.Costs.Sizes
		if c.String("sizes") != "" {
			var err error
			if sizes, err = numbersOf(c, "sizes", 2, costs.MaxReplicas); err != nil {
				return nil, err
			}
		}
		for _, size := range sizes {
			wanted = append(wanted, costs.Options{Protocol: p.Name, Replicas: size, Decisions: c.Int("decisions")})
		}
	}
	return wanted, nil
}

// writeCosts writes the table, and then document and plot.
func writeCosts(c *cli.Context, all []costs.Cost) error {
	if err := show(c, all, func() error { return costs.WriteText(c.App.Writer, all, columns(os.Stdout)) }); err != nil {
		return err
	}
	if path := c.Path("write"); path != "" {
		if err := intoDocument(path, all); err != nil {
			return fmt.Errorf("--write: %w", err)
		}
	}
	return writeFile(c, "svg", "plot", func(w io.Writer) error {
		_, err := io.WriteString(w, costs.SVG(all))
		return err
	})
}

// intoDocument replaces the tables of a document.
func intoDocument(path string, all []costs.Cost) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	document, err := costs.Insert(string(text), all)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return files.Replace(path, func(w io.Writer) error {
		_, err := io.WriteString(w, document)
		return err
	})
}

// measuredSizes are the numbers of replicas that are measured unless others are
// wished for.
func measuredSizes() string {
	var all []string
	for _, p := range protocol.All() {
		all = append(all, strings.ReplaceAll(strings.Trim(fmt.Sprint(p.Costs.Sizes), "[]"), " ", ",")+" of "+p.Name)
	}
	return strings.Join(all, ", ")
}
