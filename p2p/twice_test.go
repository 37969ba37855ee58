package p2p

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"quorate.dev/quorate/consensus"
)

// A copy of a member's home runs beside it: peers notice, whether each process
// takes the other's connections away or both keep theirs. A member that restarts,
// also one whose old connection nobody ended, is one process.
func TestTwoProcessesWithOneKeyAreNoticed(t *testing.T) {
	for _, c := range []struct {
		name    string
		age     time.Duration
		restart bool
	}{
		{"both stay connected", time.Hour, false},
		{"each takes the other's place", time.Millisecond, false},
		{"a restart", time.Millisecond, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log safeLog
			s := start(t, 0, 2, nil, func(config *Config) {
				config.redialAge, config.bothAlive = c.age, 50*time.Millisecond
				config.Log = slog.New(slog.NewTextHandler(&log, nil))
			})
			one := start(t, 1, 2, []string{s.Addr()}, nil)
			one.awaitConnect(t, 1)
			await(t, "the first name", func() bool { return s.names.known(1) == 1 })
			if c.restart {
				one.stop(t)
			}
			two := start(t, 1, 2, []string{s.Addr()}, nil)
			two.awaitConnect(t, 1)
			await(t, "the second name", func() bool { return s.names.known(1) >= 2 })
			if c.restart {
				for range 3 { // at least one of its own looks passes between two of ours
					time.Sleep(s.names.alive)
				}
				if got := s.Stats().Peers[0].Twice; got.Now() {
					t.Fatalf("%v", got)
				}
				return
			}
			await(t, "the alarm", func() bool { return s.Stats().Peers[0].Twice.Now() && strings.Contains(log.String(), "runs twice") })
			if got := s.Stats().Peers[0].Twice.From; got[0] == "" || got[0] == got[1] {
				t.Errorf("from %v", got)
			}
		})
	}
}

func (n *names) known(r consensus.ReplicaID) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.of[r]; p != nil {
		return len(p.past)
	}
	return 0
}

// safeLog collects lines of several goroutines.
type safeLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *safeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *safeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Why a member is not reached is known with its address, said once, and
// forgotten when it is reached.
func TestWhyAMemberIsNotReached(t *testing.T) {
	var log safeLog
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := nobody.Addr().String()
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	s := start(t, 0, 2, []string{"", addr}, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	await(t, "several attempts", func() bool { return s.Stats().Peers[0].Away.Unreachable != nil })
	away := s.Stats().Peers[0].Away
	if away.Address != addr || !strings.Contains(away.Reason, "connection refused") || !away.Final || away.Since.IsZero() || !errors.Is(away, syscall.ECONNREFUSED) {
		t.Fatalf("%+v", away)
	}
	time.Sleep(200 * time.Millisecond) // two attempts more, or none on a slow machine
	if n := strings.Count(log.String(), "is not reached"); n != 1 || !strings.Contains(log.String(), addr) {
		t.Errorf("said %d times: %s", n, log.String())
	}
	other := start(t, 1, 2, nil, func(c *Config) { c.Listen = addr })
	s.awaitConnect(t, 1)
	await(t, "it to be forgotten", func() bool { return s.Stats().Peers[0].Away.Unreachable == nil })
	other.stop(t)
	await(t, "the new reason", func() bool { return s.Stats().Peers[0].Away.Unreachable != nil })
	if n := strings.Count(log.String(), "is not reached"); n != 2 {
		t.Errorf("said %d times: %s", n, log.String())
	}
}

// Each way of not being there has its own words.
func TestReasonsOfNotBeingReached(t *testing.T) {
	stranger := start(t, 5, 6, nil, nil) // who has another key
	closes, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer closes.Close()
	go func() {
		for {
			conn, err := closes.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	for addr, want := range map[string]string{
		stranger.Addr():        "another key answers there",
		closes.Addr().String(): "it hung up",
	} {
		s := start(t, 0, 2, []string{"", addr}, nil)
		await(t, want, func() bool {
			away := s.Stats().Peers[0].Away.Unreachable
			return away != nil && strings.Contains(away.Reason, want)
		})
		s.stop(t)
	}
}

// The reason of a failed dial is below what the library says of all its attempts.
func TestInnermostReasonOfADial(t *testing.T) {
	cause := errors.New("the reason")
	err := fmt.Errorf("dial: %w", &swarm.DialError{Cause: swarm.ErrAllDialsFailed, DialErrors: []swarm.TransportError{{Cause: fmt.Errorf("negotiate: %w", cause)}}})
	if got := unreachable(member{}, err).Reason; got != cause.Error() {
		t.Errorf("%q", got)
	}
}
