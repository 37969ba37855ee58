package app

import (
	"fmt"

	"quorate.dev/quorate/consensus"
)

// restoreBegin opens the side space. What was executed above the disk's
// height is gone from here on: the restore ends above it, or the log executes
// it again.
func (m *Machine) restoreBegin(j *consensus.RestoreBegin, out *Outcome) error {
	missing, more, err := m.state.RestoreBegin(j.Seq, j.Root, j.Certificate)
	if err != nil {
		return fmt.Errorf("begin restore to %d: %w", j.Seq, err)
	}
	m.target = *j
	out.Events = append(out.Events, consensus.Staged{Missing: missing, More: more})
	return m.load()
}

// restorePut hands parts to the side space, which judges them by their hashes.
func (m *Machine) restorePut(j *consensus.RestorePut, out *Outcome) error {
	done, bad, missing, more, err := m.state.RestorePut(j.Items, j.Parts)
	if err != nil {
		return fmt.Errorf("stage parts of %d: %w", m.target.Seq, err)
	}
	out.Events = append(out.Events, consensus.Staged{From: j.From, Put: true, Done: done, Bad: bad, Missing: missing, More: more})
	return nil
}

// restoreEnd swaps the side space in. If something is missing the restore
// stays open, and the engine goes on with it or aborts it.
func (m *Machine) restoreEnd(out *Outcome) error {
	ok, err := m.state.RestoreEnd()
	if err != nil {
		return fmt.Errorf("end restore to %d: %w", m.target.Seq, err)
	}
	out.Events = append(out.Events, consensus.Restored{Seq: m.target.Seq, Root: m.target.Root, OK: ok})
	if !ok {
		return nil
	}
	return m.reload()
}

// restoreAbort goes back to the disk's state; the log executes what follows.
// With no restore open there is nothing to go back from.
func (m *Machine) restoreAbort() error {
	if m.state.Restoring() == 0 {
		return nil
	}
	m.state.RestoreAbort()
	return m.reload()
}
