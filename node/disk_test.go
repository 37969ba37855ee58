package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
)

// failingViews is a store whose snapshots cannot be read.
type failingViews struct{ *state.Memory }

func (s failingViews) Snapshot() (state.StoreSnapshot, error) {
	view, err := s.Memory.Snapshot()
	return failingView{view}, err
}

type failingView struct{ state.StoreSnapshot }

func (failingView) Get(string) ([]byte, bool, error) { return nil, false, errors.New("bad block") }

// A snapshot that the disk cannot read is gone for the asker, and no secret.
func TestUnreadableSnapshotIsReported(t *testing.T) {
	s, err := state.Open(failingViews{state.NewMemory()}, state.Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, root, _ := s.Height()
	snapshot, err := s.Snapshot(0, root)
	if err != nil {
		t.Fatal(err)
	}
	chunks, notes := make(chan consensus.Chunk, 1), make(chan []consensus.Note, 1)
	r := newReader(host.DefaultBounds(), func(c consensus.Chunk) { chunks <- c }, func(n []consensus.Note) { notes <- n })
	done := make(chan struct{})
	go func() { defer close(done); r.run() }()
	r.ask(consensus.ChunkRead{Root: root, Items: []consensus.Item{{ID: "n", Hash: root}}}, snapshot)
	if c := <-chunks; !c.Gone {
		t.Fatalf("%+v", c)
	}
	r.close()
	<-done
	select {
	case n := <-notes:
		if n[0].Kind != consensus.Alarm || !strings.Contains(n[0].Text, "bad block") {
			t.Fatalf("%v", n)
		}
	default:
		t.Fatal("nobody is told of the failed disk")
	}
}

// What a crash leaves of a proof does not stand under the name of one.
func TestEvidenceIsWholeOrNotThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "R1-x.evidence")
	if err := os.Mkdir(path, 0o700); err != nil { // so that naming it fails
		t.Fatal(err)
	}
	if err := writeWhole(path, []byte("proof")); err == nil {
		t.Fatal("no error")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || !left[0].IsDir() {
		t.Fatalf("left: %v %v", left, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := writeWhole(path, []byte("proof")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "proof" {
		t.Fatalf("%q %v", got, err)
	}
}
