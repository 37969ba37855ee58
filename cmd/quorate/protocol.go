package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// protocolFlag chooses a protocol.
func protocolFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "protocol", Value: protocol.PBFT, Usage: usage + ": " + strings.Join(protocol.Names(), " or ")}
}

// protocolOf reads it.
func protocolOf(c *cli.Context) (protocol.Protocol, error) {
	p, err := protocol.Lookup(c.String("protocol"))
	if err != nil {
		return p, usageError("--%w", err)
	}
	return p, nil
}

// sizeOf reads how many replicas there are to be. Of --faults and --replicas
// one is enough; if both are there, they must fit.
func sizeOf(c *cli.Context, p protocol.Protocol) (int, error) {
	n, f := c.Int("replicas"), c.Int("faults")
	switch {
	case f < 0 || f > consensus.MaxReplicas:
		return 0, usageError("--faults %d: between 0 and %d", f, (consensus.MaxReplicas-1)/2)
	case !c.IsSet("replicas"):
		n = p.Model.Least(f)
	case c.IsSet("faults"):
		if err := p.Fit(n, f); err != nil {
			return 0, usageError("--faults %d --replicas %d: %w", f, n, err)
		}
	}
	if _, err := p.Model.Of(n); err != nil {
		return 0, usageError("%w", err)
	}
	return n, nil
}
