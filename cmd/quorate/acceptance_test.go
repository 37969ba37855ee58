//go:build acceptance

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/testnet"
)

// TestAcceptanceSourceTree: the whole source tree that the toolchain ships, in
// and out, with the primary, or the leader, killed on the way and restarted
// later: four replicas of PBFT, three of Raft.
func TestAcceptanceSourceTree(t *testing.T) {
	ofEach(t, func(t *testing.T, protocol string) {
		c := startCluster(t, testnet.Options{Protocol: protocol})
		begun := time.Now()
		importThroughCrash(t, c, goSource(t), 200, "64")
		t.Logf("in and out through the crash in %.1fs", time.Since(begun).Seconds())
		logUsage(t, c)
	})
}

// What TestAcceptanceMemory stores and allows.
const (
	stateBytes  = 2 << 30
	pieceBytes  = 64 << 10
	memoryLimit = "512MiB"  // GOMEMLIMIT of every replica
	mostRSS     = 768 << 20 // the limit, and what the runtime does not count: the binary, and pages not yet given back
)

// TestAcceptanceMemory: a replica that was paused beyond the window, and then
// one that was wiped, come back to the common root of a state far larger than
// their memory, and none ever holds more than the bound.
func TestAcceptanceMemory(t *testing.T) { ofEach(t, outgrowMemory) }

func outgrowMemory(t *testing.T, protocol string) {
	t.Setenv("GOMEMLIMIT", memoryLimit)
	c := startCluster(t, testnet.Options{Protocol: protocol})
	fill(t, c, stateBytes/pieceBytes)
	logUsage(t, c)
	settle(t, c)

	lead, _ := leaderOf(t, c)
	paused, wiped := (lead+c.Size()-1)%c.Size(), (lead+c.Size()-2)%c.Size()
	must(t, c.Pause(paused))
	before := c.Status(t.Context(), lead).Report.Applied
	for n := 0; c.Status(t.Context(), lead).Report.Applied <= before+2*c.Genesis.Window; n++ {
		_, err := quorateCommand(t, "kv", "put", "--dir", c.Dir, fmt.Sprintf("while/paused/%d", n), "x")
		must(t, err)
	}
	must(t, c.Resume(paused))
	timed(t, "the paused replica is back", func() { settleWithin(t, c, 10*time.Minute) })
	logUsage(t, c)

	must(t, c.Wipe(wiped))
	timed(t, "the wiped replica is back", func() { settleWithin(t, c, 20*time.Minute) })
	logUsage(t, c)
	for i := range c.Size() {
		u, err := c.Usage(i)
		must(t, err)
		if u.PeakBytes > mostRSS {
			t.Errorf("replica %d held %d MiB, at most %d are allowed under GOMEMLIMIT=%s", i, u.PeakBytes>>20, mostRSS>>20, memoryLimit)
		}
	}
}

func timed(t *testing.T, what string, do func()) {
	begun := time.Now()
	do()
	t.Logf("%s after %.1fs", what, time.Since(begun).Seconds())
}

// settleWithin waits while the cluster goes on working, so that checkpoints
// become stable and whoever is behind has something to catch up to.
func settleWithin(t *testing.T, c *testnet.Cluster, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	must(t, c.AwaitReady(ctx))
	settle(t, c)
}

// fill stores so many pieces that no compression makes smaller.
func fill(t *testing.T, c *testnet.Cluster, pieces int) {
	store, done := connect(t, c, c.BenchKey())
	defer done()
	begun := time.Now()
	var next atomic.Int64
	var writers sync.WaitGroup
	for w := range 32 {
		writers.Go(func() { fillSome(t, store, rand.NewPCG(uint64(w), 7), &next, int64(pieces)) })
	}
	writers.Wait()
	took := time.Since(begun).Seconds()
	t.Logf("%d pieces of %d bytes stored in %.1fs, %.1f MiB/s", pieces, pieceBytes, took, float64(pieces)*pieceBytes/(1<<20)/took)
}

func fillSome(t *testing.T, store client.KV, dice *rand.PCG, next *atomic.Int64, pieces int64) {
	value := make([]byte, pieceBytes)
	for n := next.Add(1); n <= pieces; n = next.Add(1) {
		for i := 0; i < len(value); i += 8 {
			binary.LittleEndian.PutUint64(value[i:], dice.Uint64())
		}
		if _, err := store.Put(t.Context(), fmt.Appendf(nil, "fill/%08d", n), value); err != nil {
			t.Errorf("piece %d: %v", n, err)
			return
		}
	}
}

func logUsage(t *testing.T, c *testnet.Cluster) {
	for i := range c.Size() {
		u, err := c.Usage(i)
		must(t, err)
		t.Logf("replica %d: %.1fs CPU, %d MiB resident, %d MiB at most", i, u.CPUSeconds, u.RSSBytes>>20, u.PeakBytes>>20)
	}
}
