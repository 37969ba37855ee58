package p2p

import (
	"net"
	"testing"

	"quorate.dev/quorate/consensus"
)

// linkLocal is a link-local address of this machine, with its interface; "" if it
// has none.
func linkLocal(t *testing.T) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() == nil && ip.IP.IsLinkLocalUnicast() {
				return ip.IP.String() + "%" + i.Name
			}
		}
	}
	return ""
}

// Replicas reach each other by link-local addresses, which name an interface.
func TestLinkLocalAddress(t *testing.T) {
	host := linkLocal(t)
	if host == "" {
		t.Skip("this machine has no link-local address")
	}
	at := func(c *Config) { c.Listen = net.JoinHostPort(host, "0") }
	a := start(t, 0, 2, nil, at)
	if got, _, err := net.SplitHostPort(a.Addr()); err != nil || got != host {
		t.Fatalf("listens on %s, want %s", a.Addr(), host)
	}
	b := start(t, 1, 2, []string{a.Addr()}, at)
	b.awaitConnect(t, 1)
	b.Send(consensus.ReplicaPeer(0), consensus.Votes, []byte("frame"))
	if f := a.in.next(t); string(f.Bytes) != "frame" {
		t.Errorf("got %q", f.Bytes)
	}
}
