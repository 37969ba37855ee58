package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/files"
	"quorate.dev/quorate/transcript"
)

// loaded runs a cluster that writes everything down, with a few writes and
// reads whose history is kept, and stops it.
func loaded(t *testing.T, level string, during func(c *Cluster)) *Cluster {
	t.Helper()
	c := made(t, Options{Seed: "judged", Adjust: func(g *consensus.Genesis) { g.CheckpointInterval, g.Window = 4, 16 },
		Settings: func(_ int, h *home.Config) { h.Record.Level, h.Engine.Patience = level, files.Duration(4e8) }})
	if err := c.Corrupt(0, []string{"equivocate"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Up(); err != nil {
		t.Fatal(err)
	}
	ready(t, c)
	caller, err := c.Dial(t.Context(), c.ClientKey())
	if err != nil {
		t.Fatal(err)
	}
	load(t, client.KV{Invoker: caller}, 1)
	if during != nil {
		during(c)
	}
	load(t, client.KV{Invoker: caller}, 2)
	if err := errors.Join(caller.Close(), c.Down()); err != nil {
		t.Fatal(err)
	}
	return c
}

// load puts and gets, some at the same time.
func load(t *testing.T, store client.KV, round int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ReadyWithin)
	defer cancel()
	var callers sync.WaitGroup
	for caller := range 3 {
		callers.Go(func() {
			for i := range 4 {
				if _, err := store.Put(ctx, []byte("key"), fmt.Appendf(nil, "%d %d %d", round, caller, i)); err != nil {
					t.Errorf("put: %v", err)
				}
				if _, _, err := store.Get(ctx, []byte("key")); err != nil {
					t.Errorf("get: %v", err)
				}
			}
		})
	}
	callers.Wait()
}

// judgeOf judges files as those of a cluster.
func judgeOf(c *Cluster, files []string, suspects []consensus.ReplicaID) (check.Verdict, error) {
	return transcript.Judge(check.Case{Genesis: c.Genesis, Application: kv.Store{}, Model: check.Store(), Suspects: suspects}, files)
}

// judged is the verdict on a cluster.
func judged(t *testing.T, c *Cluster, suspects []consensus.ReplicaID) check.Verdict {
	t.Helper()
	logs, err := c.Logs()
	if err != nil {
		t.Fatal(err)
	}
	v, err := judgeOf(c, logs, suspects)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestEverythingWrittenDownIsJudged: a run with a liar, a crash and a lost disk
// is safe and linearizable, its batches are executed again, and the liar is
// named.
func TestEverythingWrittenDownIsJudged(t *testing.T) {
	c := loaded(t, home.RecordAll, func(c *Cluster) {
		if err := errors.Join(c.Kill(3), c.Restart(3)); err != nil {
			t.Fatal(err)
		}
	})
	v := judged(t, c, c.Traitors())
	if !v.Safe() || v.Linearizable != check.Yes || v.Executed == 0 || !slices.Equal(v.Culprits, []consensus.ReplicaID{0}) {
		t.Fatalf("the verdict is %+v", v)
	}
	// The same, with a client that says to have read what nobody wrote.
	key := c.Genesis.Clients[1].Key
	h, err := transcript.NewHistory(c.historyFile(key), &c.Genesis, key, liar{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (client.KV{Invoker: h}).Put(t.Context(), []byte("key"), []byte("never")); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if v := judged(t, c, c.Traitors()); v.Safe() {
		t.Errorf("a result that nobody gave was believed, and the verdict is %+v", v)
	}
}

// liar answers at once, from a height that is executed.
type liar struct{}

func (liar) Invoke(context.Context, []byte) (client.Result, error) {
	return client.Result{Result: consensus.Result{Data: []byte("revision")}, Seq: 1}, nil
}

// TestVotesAloneNameTheLiar: without batches there is agreement and evidence,
// and nothing is said about what was done.
func TestVotesAloneNameTheLiar(t *testing.T) {
	c := loaded(t, home.RecordVotes, nil)
	v := judged(t, c, c.Traitors())
	if !v.Safe() || v.Linearizable == check.No || v.Executed != 0 || !slices.Equal(v.Culprits, []consensus.ReplicaID{0}) {
		t.Fatalf("the verdict is %+v", v)
	}
	for _, e := range v.Evidence {
		paths, err := SaveEvidence(t.TempDir(), []evidence.Entry{e})
		if err != nil {
			t.Fatal(err)
		}
		if p, err := ReadEvidence(paths[0], &c.Genesis); err != nil || p.Err != nil || p.Fault != e.Fault {
			t.Errorf("%v reads back as %+v, %v", e.Fault, p, err)
		}
	}
	if _, err := judgeOf(c, nil, nil); !errors.Is(err, check.ErrUnjudged) {
		t.Errorf("nothing to judge: %v", err)
	}
	other := made(t, Options{Seed: "other"})
	logs, err := c.Logs()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := judgeOf(other, logs, nil); !errors.Is(err, check.ErrLog) {
		t.Errorf("logs of another cluster: %v", err)
	}
	extra := filepath.Join(c.Home(1), "transcript", "000099.transcript")
	for text, whole := range map[string]bool{"": true, strings.Repeat("nonsense", 1<<10): false} {
		if err := os.WriteFile(extra, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if logs, err = c.Logs(); err != nil {
			t.Fatal(err)
		}
		if _, err := judgeOf(c, logs, c.Traitors()); (err == nil) != whole || !whole && !errors.Is(err, check.ErrLog) {
			t.Errorf("a log that begins %.8q: %v", text, err)
		}
	}
}
