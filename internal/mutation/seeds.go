package main

import (
	"fmt"
	"io"
	"strings"

	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// runSeeds is the simulator as a bug is built into it: it runs seeds one after
// the other until one breaks a promise. It says how far it is, a line per seed,
// because its time may be up at any moment.
func runSeeds(w io.Writer, name string, from, count uint64) error {
	p, err := protocol.Lookup(name)
	if err != nil {
		return err
	}
	for i := range count {
		world, err := sim.New(sim.FromSeedOf(p, from+i))
		if err != nil {
			return fmt.Errorf("seed %d: %w", from+i, err)
		}
		if v := world.Run().Violations; len(v) > 0 {
			text, _, _ := strings.Cut(v[0].Text, "\n")
			fmt.Fprintf(w, "caught %d %s\n", i+1, text)
			return nil
		}
		fmt.Fprintf(w, "passed %d\n", i+1)
	}
	return nil
}

// readSeeds reads what runSeeds wrote: how many seeds it took, 0 if none was
// caught, how many were run, and the violation.
func readSeeds(out string) (took, tried uint64, why string) {
	for line := range strings.Lines(out) {
		var n uint64
		var word string
		if count, err := fmt.Sscan(line, &word, &n); err != nil || count != 2 {
			continue
		}
		switch word {
		case "passed":
			tried = n
		case "caught":
			_, why, _ = strings.Cut(strings.TrimSpace(line), fmt.Sprintf(" %d ", n))
			return n, n, why
		}
	}
	return 0, tried, ""
}
