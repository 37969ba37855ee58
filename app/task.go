package app

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
)

// Task is what a checkpoint costs and need not hold up execution: finding the root
// of the state there, or bringing the disk to a certified height. Its owner calls
// Step until there is no more, on any goroutine, and hands it to Machine.Finish on
// the machine's. Tasks are done one after the other, in the order in which Begin
// gave them out.
type Task struct {
	work      *state.Task
	seq       consensus.Seq
	stabilize *consensus.Stabilize // nil: it finds a root
}

// Step does a small part of the task and reports whether there is more.
func (t *Task) Step() (more bool) { return t.work.Step() }

// Pausing has the task call pause, also within a step that cannot be divided.
func (t *Task) Pausing(pause func()) { t.work.Pausing(pause) }

// Bytes estimates the memory that waits for the task.
func (t *Task) Bytes() int { return t.work.Bytes() }

// String says what the task is for.
func (t *Task) String() string {
	if t.stabilize != nil {
		return fmt.Sprintf("the keeping of the state at %d", t.seq)
	}
	return fmt.Sprintf("the root of the state at %d", t.seq)
}

// Begin performs one job up to what may be done beside execution: that is the task,
// nil if there is none. Jobs must come in the order in which the engine put them
// out, and those of a restore while no task is under way. An error means that the
// disk failed or that an invariant is broken: nothing of the outcome may leave the
// process, which must stop. The machine stays failed.
func (m *Machine) Begin(job consensus.Job) (out Outcome, t *Task, err error) {
	if m.err == nil {
		t, m.err = m.begin(job, &out)
	}
	if m.err != nil {
		return Outcome{}, nil, m.err
	}
	if t != nil {
		m.tasks++
	}
	return out, t, nil
}

// Finish takes in a task that has no more steps: the outcome says which root it
// has found (Rooted), or what the disk has (Kept). Errors are those of Begin.
func (m *Machine) Finish(t *Task) (out Outcome, err error) {
	if m.err != nil {
		return Outcome{}, m.err
	}
	m.tasks--
	err = m.state.Finish(t.work)
	switch {
	case t.stabilize != nil:
		m.err = kept(t.stabilize, err, &out)
	case err != nil:
		m.err = fmt.Errorf("checkpoint %d: %w", t.seq, err)
	default:
		out.Events = append(out.Events, consensus.Rooted{Seq: t.seq, Root: t.work.Root()})
	}
	if m.err != nil {
		return Outcome{}, m.err
	}
	return out, nil
}

// Do is Begin with the whole of the task, for whoever has nothing else to do.
func (m *Machine) Do(job consensus.Job) (Outcome, error) {
	out, t, err := m.Begin(job)
	if err != nil || t == nil {
		return out, err
	}
	for t.Step() {
	}
	done, err := m.Finish(t)
	if err != nil {
		return Outcome{}, err
	}
	out.Events = append(out.Events, done.Events...)
	for _, n := range done.Notes {
		out.note(n)
	}
	return out, nil
}

// mark closes the state at a checkpoint.
func (m *Machine) mark(seq consensus.Seq) (*Task, error) {
	if err := m.settle(); err != nil {
		return nil, fmt.Errorf("checkpoint %d: %w", seq, err)
	}
	work, err := m.state.BeginMark(seq)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %d: %w", seq, err)
	}
	return &Task{work: work, seq: seq}, nil
}

// stabilize begins to bring the disk to a certified height.
func (m *Machine) stabilize(j *consensus.Stabilize, out *Outcome) (*Task, error) {
	work, err := m.state.BeginKeep(j.Seq, j.Root, j.Certificate)
	if err != nil {
		return nil, kept(j, err, out)
	}
	return &Task{work: work, seq: j.Seq, stabilize: j}, nil
}

// kept says what became of a Stabilize. What cannot be kept is not an error here:
// the engine knows this replica's roots from Rooted, and gets no Kept.
func kept(j *consensus.Stabilize, err error, out *Outcome) error {
	var diverged *state.DivergedError
	switch {
	case err == nil:
		out.Events = append(out.Events, consensus.Kept{Seq: j.Seq})
		return nil
	case errors.As(err, &diverged):
		out.note(consensus.Note{Kind: consensus.Diverged, Seq: j.Seq, Digest: diverged.Own, Text: err.Error()})
		return nil
	case errors.Is(err, state.ErrNotMarked), errors.Is(err, state.ErrRestoring):
		out.note(consensus.Note{Kind: consensus.Alarm, Seq: j.Seq, Digest: j.Root, Text: err.Error()})
		return nil
	}
	return fmt.Errorf("keep the state at %d: %w", j.Seq, err)
}
