package client

import (
	"errors"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/client/session"
)

// One key, one process after the other, and the machine's clock is set each
// time: back a little, back an hour, forward an hour and right again. Nobody is
// locked out, and nothing is called unknown but what may be executed in an hour.
func TestClockOfTheMachineIsSet(t *testing.T) {
	c := newCluster(t)
	put := func(by time.Duration) error {
		cl := dial(t, c, func(cfg *Config) { cfg.Now = func() time.Time { return time.Now().Add(by) } })
		defer func() {
			if err := cl.Close(); err != nil {
				t.Error(err)
			}
		}()
		_, err := KV{cl}.Put(t.Context(), []byte("k"), []byte(by.String()))
		return err
	}
	for i, by := range []time.Duration{0, -2 * time.Second, -2 * time.Second, -time.Minute, 0, time.Minute, 0, -time.Hour, time.Hour, 0, 9 * time.Minute, 0, -time.Hour, time.Hour, 0} {
		err := put(by)
		if by != time.Hour {
			if err != nil {
				t.Errorf("%d: with a clock that is %v off: %v", i, by, err)
			}
			continue
		}
		if !errors.Is(err, session.ErrExpired) || !errors.Is(err, session.ErrUnknown) || !strings.Contains(err.Error(), "the clock of this machine is 1h0m0") && !strings.Contains(err.Error(), "the clock of this machine is 59m59") {
			t.Errorf("%d: an hour ahead: %v", i, err)
		}
	}
}

// The same with an epoch that is kept, and all replicas restart before each command:
// none of them remembers which epochs followed each other, and the kept one is above
// the last. An epoch that was refused is not kept: it would lock the key out.
func TestClockIsSetBackAndEpochIsKept(t *testing.T) {
	c := newCluster(t)
	kept, before := uint64(0), uint64(0)
	put := func(by time.Duration, last uint64) error {
		c.restart()
		cl := dial(t, c, func(cfg *Config) {
			cfg.Now = func() time.Time { return time.Now().Add(by) }
			cfg.LastEpoch, cfg.Accepted = last, func(e uint64) { kept = e }
		})
		_, err := KV{cl}.Put(t.Context(), []byte("k"), []byte(by.String()))
		return errors.Join(err, cl.Close())
	}
	for i, by := range []time.Duration{0, -2 * time.Second, -2 * time.Second, -time.Minute, -time.Hour, -30 * 24 * time.Hour, 9 * time.Minute, 0, -time.Hour, 0} {
		before = kept
		if err := put(by, kept); err != nil || kept <= before {
			t.Errorf("%d: with a clock that is %v off: %v, kept %d after %d", i, by, err, kept, before)
		}
	}
	before = kept
	if err := put(time.Hour, kept); !errors.Is(err, session.ErrExpired) || kept != before {
		t.Errorf("an hour ahead: %v, kept %d, want %d", err, kept, before)
	}
	if err := put(0, kept); err != nil {
		t.Errorf("a clock that was ahead once: %v", err)
	}
	// What no cluster can have accepted is replaced, so that it costs one command.
	before = kept
	if err := put(0, uint64(time.Now().Add(time.Hour).UnixNano())); !errors.Is(err, session.ErrExpired) || kept != before {
		t.Errorf("a wrong epoch is kept: %v, %d, want %d", err, kept, before)
	}
	if err := put(0, kept); err != nil || kept <= before {
		t.Errorf("after a wrong epoch was kept: %v, %d", err, kept)
	}
	if err := put(-time.Hour, 0); !errors.Is(err, session.ErrStale) || !errors.Is(err, session.ErrUnknown) {
		t.Errorf("without it, nobody knows what was executed before the restart: %v", err)
	}
}

// A clock of before 1970 is that of a machine without one: it is early, not late.
func TestClockBefore1970(t *testing.T) {
	c := newCluster(t)
	cl := dial(t, c, func(cfg *Config) { cfg.Now = func() time.Time { return time.Unix(-1000, 0) } })
	if _, err := (KV{cl}).Put(t.Context(), []byte("k"), []byte("v")); err != nil {
		t.Error(err)
	}
	if err := cl.Close(); err != nil {
		t.Error(err)
	}
}
