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
