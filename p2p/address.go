package p2p

import (
	"fmt"
	"net"
	"strings"

	ma "github.com/multiformats/go-multiaddr"
)

// parseAddr reads host:port, or a multiaddress that ends in a TCP port. An
// empty host stands for all IPv4 interfaces; a name is resolved at each dial.
func parseAddr(s string) (ma.Multiaddr, error) {
	if !strings.HasPrefix(s, "/") {
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return nil, fmt.Errorf("%w: address %q: write host:port or a multiaddress: %w", errConfig, s, err)
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
	switch ip := net.ParseIP(host); {
	case host == "":
		kind, host = "ip4", "0.0.0.0"
	case ip != nil && ip.To4() != nil:
		kind = "ip4"
	case ip != nil:
		kind = "ip6"
	}
	return "/" + kind + "/" + host + "/tcp/" + port
}
