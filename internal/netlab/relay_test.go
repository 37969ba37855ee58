package netlab

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// echo answers what it hears.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

func dialRelay(t *testing.T) (*Relay, net.Conn) {
	t.Helper()
	r, err := NewRelay(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", r.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, c
}

// What goes in comes out, whole and in order.
func TestRelayCarries(t *testing.T) {
	_, c := dialRelay(t)
	sent := bytes.Repeat([]byte("quorate "), 40_000)
	go func() { _, _ = c.Write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes came back changed: %v", len(got), err)
	}
}

// Delayed data comes no earlier than it was told to, there and back.
func TestRelayDelays(t *testing.T) {
	r, c := dialRelay(t)
	const late = 50 * time.Millisecond
	r.Delay(late)
	began := time.Now()
	if _, err := c.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 2*late {
		t.Fatalf("a round trip took %v, less than twice %v", took, late)
	}
}
