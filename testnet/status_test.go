package testnet

import (
	"fmt"
	"net"
	"net/http"
	"testing"
)

// A replica is asked at a link-local address, too: its percent sign is not one of
// a URL's.
func TestPagesOfALinkLocalAddress(t *testing.T) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		ip, ok := a.(*net.IPNet)
		if !ok || !ip.IP.IsLinkLocalUnicast() || ip.IP.To4() != nil {
			continue
		}
		interfaces, err := net.Interfaces()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range interfaces {
			l, err := net.Listen("tcp", net.JoinHostPort(ip.IP.String()+"%"+i.Name, "0"))
			if err != nil {
				continue // it is another interface's
			}
			s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) })}
			go func() { _ = s.Serve(l) }()
			defer s.Close()
			_, port, err := net.SplitHostPort(l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if page, err := get(t.Context(), net.JoinHostPort(ip.IP.String()+"%"+i.Name, port), "/status"); err != nil || string(page) != "/status" {
				t.Errorf("%s on %s: %q, %v", ip.IP, i.Name, page, err)
			}
			return
		}
	}
	t.Skip("this machine has no link-local address")
}
