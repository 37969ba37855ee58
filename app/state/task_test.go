package state

import (
	"errors"
	"fmt"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// A state is read and written between any two steps of its tasks, as if they had
// been done at once, and a store that is opened anew then has one height or another.
func TestTasksBesideExecution(t *testing.T) {
	const keys, marks = 3000, 4
	store := NewMemory()
	s, at := open(t, store), open(t, NewMemory())
	var tasks []*Task
	var roots []crypto.Digest
	written := map[string]string{}
	for n := range consensus.Seq(marks) {
		n++
		for i := range keys {
			if i%int(n) != 0 {
				continue
			}
			key, value := fmt.Sprintf("k%d", i), fmt.Sprintf("%d at %d", i, n)
			written[key] = value
			for _, state := range []*State{s, at} {
				tx := state.Begin()
				tx.Put(key, []byte(value))
				must(t, tx.Commit())
			}
		}
		roots = append(roots, mark(t, at, n))
		task, err := s.BeginMark(n)
		must(t, err)
		keep, err := s.BeginKeep(n, roots[n-1], []byte{byte(n)})
		must(t, err)
		tasks = append(tasks, task, keep)
	}
	if _, _, err := s.RestoreBegin(9, roots[0], nil); !errors.Is(err, errBusy) {
		t.Fatalf("a restore begins while tasks are under way: %v", err)
	}
	step := 0
	for i, task := range tasks {
		for more := true; more; step++ {
			more = task.Step()
			key := fmt.Sprintf("k%d", step*7%keys)
			if value, ok, err := s.Get(key); err != nil || !ok || string(value) != written[key] {
				t.Fatalf("step %d of task %d: %s is %q, want %q", step, i, key, value, written[key])
			}
			if n, root, _ := open(t, store.Copy()).Height(); n > 0 && root != roots[n-1] || int(n) > i/2+1 {
				t.Fatalf("step %d of task %d: the store has %d with root %s", step, i, n, root.Short())
			}
		}
		must(t, s.Finish(task))
		if n := consensus.Seq(i/2 + 1); i%2 == 0 && task.Root() != roots[n-1] {
			t.Fatalf("another root at %d", n)
		}
		if n, _, _ := s.Height(); n != consensus.Seq((i+1)/2) {
			t.Fatalf("after task %d the height is %d", i, n)
		}
	}
	if step < 5*len(tasks) {
		t.Errorf("%d steps: nothing was done in slices", step)
	}
}

// What was found out by a task changes nothing that a later one needs.
func TestATaskThatFindsAnotherRoot(t *testing.T) {
	s := open(t, NewMemory())
	var tasks []*Task
	for n := consensus.Seq(1); n <= 2; n++ {
		put(t, s, fmt.Sprint(n), "v")
		task, err := s.BeginMark(n)
		must(t, err)
		tasks = append(tasks, task)
	}
	wrong, err := s.BeginKeep(1, crypto.Hash([]byte("other")), nil)
	must(t, err)
	none, err := s.BeginKeep(7, crypto.Digest{}, nil)
	must(t, err)
	for _, task := range tasks {
		must(t, s.run(task))
	}
	right, err := s.BeginKeep(2, tasks[1].Root(), nil)
	must(t, err)
	var diverged *DivergedError
	if err := s.run(wrong); !errors.As(err, &diverged) || diverged.Own != tasks[0].Root() {
		t.Errorf("diverged: %v", err)
	}
	if err := s.run(none); !errors.Is(err, ErrNotMarked) {
		t.Errorf("not marked: %v", err)
	}
	must(t, s.run(right))
	if n, root, _ := s.Height(); n != 2 || root != tasks[1].Root() {
		t.Errorf("height %d", n)
	}
}
