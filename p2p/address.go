package p2p

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// parseAddr reads host:port, or a multiaddress that ends in a TCP port. An
// empty host stands for all IPv4 interfaces; a name is resolved at each dial. A
// link-local IPv6 address names its interface behind a percent sign.
func parseAddr(s string) (ma.Multiaddr, error) {
	if !strings.HasPrefix(s, "/") {
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return nil, fmt.Errorf("%w: address %q: write host:port or a multiaddress: %w", errConfig, s, err)
		}
		if _, err := netip.ParseAddr(host); strings.Contains(host, "/") || strings.ContainsAny(host, ":%") && err != nil {
			return nil, fmt.Errorf("%w: address %q: %q is neither a name nor an IP address", errConfig, s, host)
		}
		s = multiaddrText(host, port)
	}
	addr, err := ma.NewMultiaddr(s)
	if err != nil {
		return nil, fmt.Errorf("%w: address %q: %w", errConfig, s, err)
	}
	if _, last := ma.SplitLast(addr); last == nil || last.Protocol().Code != ma.P_TCP {
		return nil, fmt.Errorf("%w: address %q: only plain TCP addresses such as /ip4/127.0.0.1/tcp/7000 are used", errConfig, s)
	}
	return addr, nil
}

// multiaddrText spells a host and a port as a multiaddress. Mistakes in them
// are found by whoever parses the result.
func multiaddrText(host, port string) string {
	kind := "dns"
	switch ip, err := netip.ParseAddr(host); {
	case host == "":
		kind, host = "ip4", "0.0.0.0"
	case err != nil:
	case ip.Unmap().Is4():
		kind, host = "ip4", ip.Unmap().String()
	case ip.Zone() != "":
		kind, host = "ip6zone/"+ip.Zone()+"/ip6", ip.WithZone("").String()
	default:
		kind = "ip6"
	}
	return "/" + kind + "/" + host + "/tcp/" + port
}

// withZone gives an address the interface that the one it was asked for names:
// the system does not always tell it.
func withZone(addr, asked string) string {
	host, port, err := net.SplitHostPort(addr)
	zoned, _, askedErr := net.SplitHostPort(asked)
	if at, _, ok := strings.Cut(zoned, "%"); err == nil && askedErr == nil && ok && at == host {
		return net.JoinHostPort(zoned, port)
	}
	return addr
}

// dialled is the address by which the library knows a member. It dials no
// link-local address, so the member gets a stand-in from a range that leads
// nowhere (RFC 6666), and standIns dials what it stands for.
func (m *member) dialled() ma.Multiaddr {
	if !manet.IsIP6LinkLocal(m.addr) {
		return m.addr
	}
	_, port := ma.SplitLast(m.addr)
	return ma.StringCast(fmt.Sprintf("/ip6/100::%x", uint64(m.replica)+1)).Encapsulate(port.Multiaddr())
}

// standIn dials one address, whichever it is given.
type standIn struct{ addr ma.Multiaddr }

// DialContext implements tcp.ContextDialer.
func (s standIn) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	kind, addr, err := manet.DialArgs(s.addr)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, kind, addr)
}

// standIns finds what an address of the library's stands for.
func (r *roster) standIns(addr ma.Multiaddr) (tcp.ContextDialer, error) {
	for _, m := range r.members {
		if m.addr != nil && m.dialled().Equal(addr) {
			return standIn{m.addr}, nil
		}
	}
	return standIn{addr}, nil
}
