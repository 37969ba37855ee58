package compare

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/testnet"
)

// nothingRuns makes sure that no process of a comparison is left.
func nothingRuns(t *testing.T, dir string) {
	t.Helper()
	for _, protocol := range Protocols() {
		c, err := testnet.Open(dir + "/" + protocol)
		if err != nil {
			t.Error(err)
		} else if c.AnyRunning() {
			t.Errorf("processes of %s are left", protocol)
		}
	}
}

// TestRun: two real clusters whose leaders are killed go on, answer everything
// that was acknowledged, and are judged.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	scenario, err := spec.ParseScenario([]byte("name = 'one crash'\n[[fault]]\nat = '1s'\nkind = 'crash'\nrole = 'leader'\n"))
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	r, err := Run(t.Context(), Options{
		Dir: dir, Faults: 1, Duration: 2500 * time.Millisecond, Clients: 2, ValueBytes: 16, Patience: 400 * time.Millisecond, Scenario: scenario,
		Show: func(r *Report) { shown++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	nothingRuns(t, dir)
	if err := r.safe(); err != nil || shown == 0 {
		t.Errorf("%v, shown %d times", err, shown)
	}
	for i := range r.Sides {
		s := &r.Sides[i]
		for _, e := range s.Events {
			t.Logf("%s %.1f %s", s.Protocol, e.At, e)
		}
		t.Logf("%s %+v", s.Protocol, s.Total)
		if len(s.Seconds) != 3 || !s.Seconds[0].Available || s.Total.Done == 0 || s.Total.Decisions == 0 || s.Total.Silence.Lasted == 0 {
			t.Errorf("%s: %+v", s.Protocol, s)
		}
		if sent := s.Total.sent(); sent.Messages <= s.Total.Decisions || sent.Bytes <= sent.Messages {
			t.Errorf("%s: %d messages and %d bytes for %d decisions", s.Protocol, sent.Messages, sent.Bytes, s.Total.Decisions)
		}
		if len(s.Events) < 2 || s.Events[0].Kind != "crash" || s.Events[0].Error != "" || s.Events[1].Kind != "restart" {
			t.Errorf("%s: events %v", s.Protocol, s.Events)
		}
		if v := s.Verdict; v.ReadBack.Acknowledged == 0 || v.ReadBack.Keys == 0 || v.ReadBack.Unanswered > 0 || v.JudgedUpTo == 0 || v.Linearizable != "yes" {
			t.Errorf("%s: %+v", s.Protocol, v)
		}
	}
	var b bytes.Buffer
	if err := WriteTable(&b, r, 0); err != nil || strings.Count(b.String(), "no acknowledged write was lost") != len(r.Sides) {
		t.Errorf("%v\n%s", err, b.String())
	}
	t.Log(b.String())
}

// TestInterrupted: an interruption ends both clusters, and is the error.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := Run(ctx, Options{
		Dir: dir, Faults: 1, Duration: time.Minute, Clients: 1, ValueBytes: 8,
		Show: func(r *Report) {
			if r.Sides[1].Phase == "under load" {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	nothingRuns(t, dir)
}
