package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/table"
	"quorate.dev/quorate/protocol"
)

// narrow is the width, in columns, below which peer ids are shortened: whole ones
// fill most of a line.
const narrow = 160

// tailOf is how much of a peer id's end is shown then: its beginning is the same
// for all keys of one type.
const tailOf = 8

// WriteTable prints one line per replica under a heading, for a terminal of so
// many columns; 0 = no terminal, or any width.
func WriteTable(w io.Writer, all []ReplicaStatus, columns int) error {
	all = slices.Clone(all)
	for i := range all {
		if id := all[i].PeerID; columns > 0 && columns < narrow && len(id) > tailOf {
			all[i].PeerID = id[len(id)-tailOf:]
		}
	}
	traitors := slices.ContainsFunc(all, isTraitor)
	var t table.Table
	words := protocol.Words{}
	if len(all) > 0 {
		words = wordsOf(all[0])
	}
	heading := []string{"REPLICA", "PEER ID", "ADDRESS", strings.ToUpper(words.View), strings.ToUpper(words.Place), "STATE ROOT", "HEALTH"}
	if traitors {
		heading = slices.Insert(heading, len(heading)-1, "TRAITOR")
	}
	t.Row(heading...)
	for _, s := range all {
		cells := row(s)
		if traitors {
			cells = slices.Insert(cells, len(cells)-1, mark(s))
		}
		t.Row(cells...)
	}
	return t.Write(w, columns)
}

// wordsOf are those of the protocol that a replica runs. A cluster whose genesis
// names none is never asked for its status.
func wordsOf(s ReplicaStatus) protocol.Words {
	p, err := protocol.Lookup(s.Protocol)
	if err != nil {
		return protocol.Words{View: "view", Place: "sequence"}
	}
	return p.Words
}

// mark is how a traitor shows in the table.
func mark(s ReplicaStatus) string {
	if !isTraitor(s) {
		return "-"
	}
	return strings.Join(s.Byzantine, ", ")
}

func isTraitor(s ReplicaStatus) bool { return len(s.Byzantine) > 0 }

// row is one line of the table. The root stands with its height: roots of
// different heights are no disagreement.
func row(s ReplicaStatus) []string {
	name, view, seq, root := fmt.Sprint(s.Replica), "-", "-", "-"
	if r := s.Report; r != nil {
		view, seq = fmt.Sprint(r.View), fmt.Sprint(r.Applied)
		if r.RootSeq > 0 {
			root = fmt.Sprintf("%s @ %d", r.Root.Short(), r.RootSeq)
		}
		if r.Primary == r.Replica && !r.Changing {
			name += " " + wordsOf(s).Lead
		}
	}
	return []string{name, s.PeerID, s.Address, view, seq, root, s.Health}
}

// Watch shows the table until ctx ends, or the cluster's directory is gone: redrawn in place on a terminal, and
// otherwise a plain line whenever a replica's view or health changes.
func (c *Cluster) Watch(ctx context.Context, w io.Writer, terminal bool, columns int) error {
	screen := screen{columns: columns}
	known := make([]string, c.Size())
	for {
		all := c.Statuses(ctx)
		_, err := os.Stat(filepath.Join(c.Dir, manifestName))
		if ctx.Err() != nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err := show(w, terminal, &screen, known, all); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// show is one round of Watch.
func show(w io.Writer, terminal bool, s *screen, known []string, all []ReplicaStatus) error {
	if terminal {
		return s.draw(w, all)
	}
	for i := range all {
		if line := plain(all[i]); line != known[i] {
			known[i] = line
			if _, err := fmt.Fprintln(w, line); err != nil {
				return err
			}
		}
	}
	return nil
}

// plain is a line that changes only when something of note does.
func plain(s ReplicaStatus) string {
	if isTraitor(s) {
		s.Health += "; traitor: " + mark(s)
	}
	if s.Report == nil {
		return fmt.Sprintf("replica %d %s: %s", s.Replica, s.Address, s.Health)
	}
	words := wordsOf(s)
	lead := fmt.Sprintf("%s %d", words.Lead, s.Report.Primary)
	if s.Report.Changing {
		lead = words.Between
	}
	return fmt.Sprintf("replica %d %s: %s %d, %s: %s", s.Replica, s.Address, words.View, s.Report.View, lead, s.Health)
}

// screen redraws lines in place.
type screen struct{ lines, columns int }

// draw writes the table over the one before, in one write, so that it does not
// flicker.
func (s *screen) draw(w io.Writer, all []ReplicaStatus) error {
	var b bytes.Buffer
	if s.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.lines) // up to the heading
	}
	var table bytes.Buffer
	if err := WriteTable(&table, all, s.columns); err != nil {
		return err
	}
	s.lines = 0
	for line := range strings.Lines(table.String()) {
		// No wrapping while it is drawn, or the count of lines would be wrong.
		fmt.Fprintf(&b, "\x1b[?7l%s\x1b[K\x1b[?7h\n", strings.TrimSuffix(line, "\n"))
		s.lines++
	}
	fmt.Fprint(&b, "\x1b[J")
	_, err := w.Write(b.Bytes())
	return err
}
