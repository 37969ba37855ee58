package transcript

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// echo answers with what was asked, and with more where more is asked for.
type echo struct{ extra int }

func (e echo) Invoke(_ context.Context, op []byte) (client.Result, error) {
	if string(op) == "fail" {
		return client.Result{}, errors.New("no answer")
	}
	return client.Result{Result: consensus.Result{Data: append(make([]byte, e.extra), op...)}, Seq: 7}, nil
}

// besides makes a history in dir that nobody depends on; lost counts what it hears.
func besides(dir string, inner client.Invoker) (h *History, lost *int) {
	g := consensus.NewGenesis("history", "pbft", []crypto.PublicKey{{1}})
	lost = new(int)
	return Beside(dir, &g, crypto.PublicKey{9}, inner, func(error) { *lost++ }), lost
}

// entriesOf reads the one history in a directory.
func entriesOf(t *testing.T, dir string) (all []check.Entry) {
	t.Helper()
	files, err := Files(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	if stat, err := os.Stat(files[0]); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: values stand in it", stat.Mode(), err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := check.NewReader(files[0], f)
	for err == nil {
		var e check.Entry
		if e, err = r.Next(); err == nil {
			all = append(all, e)
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return all
}

// TestHistoryBesideIsBounded: every call and its answer, alone or together, by many at
// once; what is too large, or too much, is left out, and the calls are made all the same.
func TestHistoryBesideIsBounded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "commands")
	h, lost := besides(dir, echo{})
	if _, err := os.Stat(dir); err == nil {
		t.Error("a directory without a call")
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if r, err := h.Invoke(t.Context(), fmt.Append(nil, i)); err != nil || string(r.Data) != fmt.Sprint(i) {
				t.Errorf("call %d: %q, %v", i, r.Data, err)
			}
		})
	}
	all.Wait()
	if rs, err := h.InvokeAll(t.Context(), [][]byte{[]byte("a"), []byte("b")}); err != nil || len(rs) != 2 || string(rs[1].Data) != "b" {
		t.Errorf("together: %v, %v", rs, err)
	}
	if _, err := h.Invoke(t.Context(), []byte("fail")); err == nil {
		t.Error("the error is lost")
	}
	if r, err := h.Invoke(t.Context(), make([]byte, maxCallBytes+1)); err != nil || len(r.Data) != maxCallBytes+1 {
		t.Errorf("a large call: %v", err)
	}
	begun, ended := map[uint64]string{}, 0
	for _, e := range entriesOf(t, dir) {
		if e.Kind == check.EntryInvoked {
			begun[e.Number] = string(e.Bytes)
		} else if ended++; begun[e.Number] != string(e.Result.Data) || e.Seq != 7 {
			t.Errorf("call %q has the answer %q at %d", begun[e.Number], e.Result.Data, e.Seq)
		}
	}
	if len(begun) != 23 || ended != 22 {
		t.Errorf("%d calls, %d answers, want 23 and 22", len(begun), ended)
	}
	for range maxHistoryBytes/maxCallBytes + 9 {
		if _, err := h.Invoke(t.Context(), make([]byte, maxCallBytes)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Close(); err != nil || *lost != 0 {
		t.Errorf("close: %v, %d losses", err, *lost)
	}
	files, err := Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	if stat, err := os.Stat(files[0]); err != nil || stat.Size() > 2*maxHistoryBytes {
		t.Errorf("%v bytes are kept, %v", stat.Size(), err)
	}
}

// TestHistoryBesideLeavesOutLargeAnswers: the call stays, as one without an answer.
func TestHistoryBesideLeavesOutLargeAnswers(t *testing.T) {
	dir := t.TempDir()
	h, _ := besides(dir, echo{extra: maxCallBytes})
	if r, err := h.Invoke(t.Context(), []byte("x")); err != nil || len(r.Data) != maxCallBytes+1 {
		t.Errorf("%v", err)
	}
	if all := entriesOf(t, dir); len(all) != 1 || all[0].Kind != check.EntryInvoked {
		t.Errorf("%+v", all)
	}
}

// TestHistoryBesideLivesWithoutADisk: whoever calls hears of it once, and is answered.
func TestHistoryBesideLivesWithoutADisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	full, lostFull := besides(t.TempDir(), echo{})
	if _, err := full.Invoke(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := full.file.Close(); err != nil { // as a disk that refuses from now on
		t.Fatal(err)
	}
	nowhere, lostNowhere := besides(filepath.Join(file, "commands"), echo{})
	for _, h := range []*History{full, nowhere} {
		for range 3 {
			if r, err := h.Invoke(t.Context(), []byte("x")); err != nil || string(r.Data) != "x" {
				t.Errorf("%q, %v", r.Data, err)
			}
		}
	}
	if *lostFull != 1 || *lostNowhere != 1 {
		t.Errorf("heard %d and %d times, want once each", *lostFull, *lostNowhere)
	}
	if err := nowhere.Close(); err != nil {
		t.Error(err)
	}
}

// TestHistoriesMakeRoom: the oldest of too many, or of too large ones, go.
func TestHistoriesMakeRoom(t *testing.T) {
	for name, c := range map[string]struct {
		files int
		size  int64
		left  int
	}{
		"few":       {10, 10, 10},
		"many":      {maxHistories, 10, maxHistories / 2},
		"large":     {16, maxHistoriesAll / 8, 4},
		"no others": {0, 0, 0},
	} {
		dir := t.TempDir()
		for i := range c.files {
			path := filepath.Join(dir, fmt.Sprintf("k-%06d%s", i, suffix))
			if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, c.size), os.Chtimes(path, time.Time{}, time.Unix(int64(i), 0))); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := makeRoom(dir); err != nil {
			t.Fatal(err)
		}
		left, err := Files(dir)
		if err != nil || len(left) != c.left {
			t.Errorf("%s: %d files are left, want %d (%v)", name, len(left), c.left, err)
		}
		if len(left) > 0 && filepath.Base(left[len(left)-1]) != fmt.Sprintf("k-%06d%s", c.files-1, suffix) {
			t.Errorf("%s: the newest is gone", name)
		}
		if _, err := os.Stat(filepath.Join(dir, "mine")); err != nil {
			t.Errorf("%s: another file is gone: %v", name, err)
		}
	}
	if err := makeRoom(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Error(err)
	}
}
