package app_test

import (
	"testing"
	"time"

	"quorate.dev/quorate/consensus"
)

// What is said of an epoch that is refused: certainly unused only if it is
// certain for good.
func TestTimesOfRefusals(t *testing.T) {
	hour := uint64(time.Hour)
	open := func(c *cluster, epochs ...uint64) {
		for _, e := range epochs {
			c.one(request(writer, e, 1, []byte("a1")))
		}
	}
	for name, tc := range map[string]struct {
		before func(*cluster)
		epoch  uint64
		code   consensus.RefusalCode
		want   consensus.Times
	}{
		"an epoch before the first":            {func(c *cluster) { open(c, began) }, began - 2, consensus.RefusedStale, consensus.Times{Epoch: began, Unused: true}},
		"the epoch that was replaced":          {func(c *cluster) { open(c, began, began+9) }, began, consensus.RefusedStale, consensus.Times{Epoch: began + 9}},
		"between two that followed each other": {func(c *cluster) { open(c, began, began+9, began+20) }, began + 5, consensus.RefusedStale, consensus.Times{Epoch: began + 20, Unused: true}},
		"... and forty more since": {func(c *cluster) {
			open(c, began, began+9)
			for i := range uint64(40) {
				open(c, began+20+i)
			}
		}, began + 5, consensus.RefusedStale, consensus.Times{Epoch: began + 59, Unused: true}},
		"too old, without a session":            {func(*cluster) {}, began - hour, consensus.RefusedExpired, consensus.Times{Unused: true}},
		"still to come, without a session":      {func(*cluster) {}, began + hour, consensus.RefusedExpired, consensus.Times{}},
		"still to come, with a session":         {func(c *cluster) { open(c, began) }, began + hour, consensus.RefusedExpired, consensus.Times{Epoch: began}},
		"after a restart that forgot the first": {func(c *cluster) { open(c, began+9); c.checkpoint(); c.reopen() }, began, consensus.RefusedStale, consensus.Times{Epoch: began + 9}},
		"the sequence of another request":       {func(c *cluster) { open(c, began) }, began, consensus.RefusedStale, consensus.Times{}},
	} {
		c := newCluster(t, script{}, newGenesis())
		tc.before(c)
		out := c.commit(request(writer, tc.epoch, 1, []byte("another")))
		if len(out.Refusals) != 1 || out.Refusals[0].Code != tc.code {
			t.Errorf("%s: %+v", name, out)
			continue
		}
		got := out.Refusals[0].Times
		if (got != consensus.Times{}) && got.Executed < testStart {
			t.Errorf("%s: executed time %d", name, got.Executed)
		}
		if got.Executed = 0; got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

// A session that was dropped leaves in memory which epoch it was, and that one
// is never certain.
func TestTimesOfADroppedSession(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	c.one(request(writer, began, 1, []byte("a1")))
	later := testStart + consensus.Time(time.Hour)
	c.batch(&consensus.Batch{Stamp: later})
	c.checkpoint()
	for _, tc := range []struct {
		epoch  uint64
		unused bool
	}{{began, false}, {began + 1, true}, {began - 1, true}} {
		out := c.commit(request(writer, tc.epoch, 1, []byte("another")))
		if len(out.Refusals) != 1 || out.Refusals[0].Code != consensus.RefusedExpired || out.Refusals[0].Times.Unused != tc.unused {
			t.Errorf("%d: %+v", tc.epoch, out.Refusals)
		}
	}
}

// A session that was there when the memory began, and was dropped since: time
// jumped. Nothing that may have been executed by then is certain.
func TestTimesAfterARestart(t *testing.T) {
	c := newCluster(t, script{}, newGenesis())
	c.one(request(writer, began, 1, []byte("a1")))
	c.checkpoint()
	c.reopen()
	c.batch(&consensus.Batch{Stamp: testStart + consensus.Time(time.Hour)})
	c.checkpoint()
	idle := uint64(newGenesis().Limits.SessionIdle)
	for _, tc := range []struct {
		epoch  uint64
		unused bool
	}{{began, false}, {began - 1, false}, {uint64(testStart) + idle, false}, {uint64(testStart) + 2*idle, true}} {
		out := c.commit(request(writer, tc.epoch, 1, []byte("another")))
		if len(out.Refusals) != 1 || out.Refusals[0].Code != consensus.RefusedExpired || out.Refusals[0].Times.Unused != tc.unused {
			t.Errorf("%d: %+v", tc.epoch, out.Refusals)
		}
	}
}
