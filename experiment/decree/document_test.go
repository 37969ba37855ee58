package decree

import (
	"os"
	"strings"
	"testing"
)

// What docs/PAXOS.md shows is what the commands print.
func TestDocument(t *testing.T) {
	page, err := os.ReadFile("../../docs/PAXOS.md")
	if err != nil {
		t.Fatal(err)
	}
	holds := func(command string, write func(b *strings.Builder) error) {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		want.WriteString("    $ " + command + "\n\n")
		for text := range strings.Lines(b.String()) {
			if text != "\n" {
				want.WriteString("    ")
			}
			want.WriteString(text)
		}
		if !strings.Contains(string(page), want.String()) {
			t.Errorf("docs/PAXOS.md must have this, and has not:\n%s", want.String())
		}
	}
	holds("quorate paxos run --seed 2", func(b *strings.Builder) error {
		r, err := Decide(Options{Shape: Shape{2, 3, 1}, Seed: 2, Loss: 10})
		if err != nil {
			return err
		}
		return r.WriteText(b)
	})
	holds("quorate paxos break highest-vote", func(b *strings.Builder) error {
		r, err := RunBreak("highest-vote")
		if err != nil {
			return err
		}
		return r.WriteText(b, 0)
	})
	holds("quorate paxos break", func(b *strings.Builder) error {
		var all []*Break
		for _, rule := range Rules() {
			r, err := RunBreak(rule)
			if err != nil {
				return err
			}
			all = append(all, r)
		}
		return WriteRules(b, all, 0)
	})
	if testing.Short() {
		t.Skip("a thousand duels take seconds")
	}
	holds("quorate paxos duel", func(b *strings.Builder) error {
		d, err := RunDuel(t.Context(), DuelOptions{Cure: anyCure, Runs: 1000, Seed: 1, Limit: 100})
		if err != nil {
			return err
		}
		return d.WriteText(b, 0)
	})
	holds("quorate paxos flp", func(b *strings.Builder) error {
		f, err := RunFLP(t.Context(), FLPOptions{Steps: 3000, Then: random, Seed: 1})
		if err != nil {
			return err
		}
		return f.WriteText(b, 0)
	})
}
