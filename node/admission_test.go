package node

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/p2p"
)

// door is an admin server that counts what is open.
type door struct {
	at         string
	open, most atomic.Int64
}

// serveAdmin serves a handler as a node does.
func serveAdmin(t *testing.T, h http.Handler) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{at: l.Addr().String()}
	s := newAdminServer(h)
	done := make(chan error, 1)
	go func() { done <- s.Serve(limit(counted{l, d})) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("served until %v", err)
		}
	})
	return d
}

// counted is a listener that counts its connections. It stands below the bound: what
// the server says of a connection's end comes after its place was given away.
type counted struct {
	net.Listener
	door *door
}

func (l counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.door.most.Store(max(l.door.most.Load(), l.door.open.Add(1)))
	return closing{c, sync.OnceFunc(func() { l.door.open.Add(-1) })}, nil
}

type closing struct {
	net.Conn
	closed func()
}

func (c closing) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

// dial opens a connection to a door.
func (d *door) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", d.at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// However many connections are opened to the admin address, few are taken at once;
// none is kept after its answer, and who asks nothing is sent away.
func TestAdminConnectionsAreBounded(t *testing.T) {
	d := serveAdmin(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	var silent []net.Conn
	for range 2 * adminConnections {
		silent = append(silent, d.dial(t)) // they stay in the system's queue, or take a place
	}
	for range 2 * adminConnections {
		c := d.dial(t)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	for i, c := range silent {
		if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("connection %d: %v", i, err) // an end, whether it asked or not
		}
	}
	if n := d.most.Load(); n < 1 || n > adminConnections {
		t.Errorf("%d connections were open at once, at most %d may be", n, adminConnections)
	}
}

// Profiles take bounded time, one after the other; nothing is uploaded.
func TestProfilesAreBounded(t *testing.T) {
	d := serveAdmin(t, profiles())
	get := func(path string) (int, string) {
		r, err := http.Get("http://" + d.at + profilesAt + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(b)
	}
	for _, seconds := range []string{"61", "-1", "NaN", "1e300", "Inf", "x"} {
		for _, page := range []string{"profile", "trace", "heap"} {
			if code, text := get(page + "?seconds=" + seconds); code != http.StatusBadRequest || !strings.Contains(text, "choose 0 to 60") {
				t.Errorf("%s of %s seconds: %d %q", page, seconds, code, text)
			}
		}
	}
	c := d.dial(t) // a profile that goes on until its asker leaves
	if _, err := io.WriteString(c, "GET "+profilesAt+"trace?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil { // it has begun
		t.Fatal(err)
	}
	if code, text := get("heap"); code != http.StatusServiceUnavailable || !strings.Contains(text, "another profile") {
		t.Errorf("a second one: %d %q", code, text)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for code := 0; code != http.StatusOK; time.Sleep(10 * time.Millisecond) {
		code, _ = get("heap") // after the first one's end
	}
	r, err := http.Post("http://"+d.at+profilesAt+"profile", "application/x-www-form-urlencoded", strings.NewReader("seconds=100000"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Body.Close(); err != nil || r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a form: %s, %v", r.Status, err)
	}
}

// What ran out is named, with what helps.
func TestRemedies(t *testing.T) {
	for err, want := range map[error]string{
		syscall.ENOSPC: "room on the disk", syscall.EDQUOT: "room on the disk", syscall.EMFILE: "ulimit -n",
		syscall.ENFILE: "this machine's limit", syscall.EROFS: "writable", syscall.EIO: "check the disk",
	} {
		if got := remedy(fmt.Errorf("write: %w", err)); !strings.Contains(got, want) {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

// A configuration that others can make exhaust the process's descriptors is
// refused, with the number that it needs.
func TestDescriptorsMustSuffice(t *testing.T) {
	limit, known := descriptorLimit()
	if !known {
		t.Skip("this system does not tell its limit")
	}
	c := Config{}
	if err := c.checkDescriptors(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	if limit > 1<<40 {
		t.Skip("this system has no limit")
	}
	c.Network.Limits = p2p.Limits{Clients: int(limit)}
	if err := c.checkDescriptors(); !errors.Is(err, errDescriptors) || !strings.Contains(err.Error(), fmt.Sprintf("the limit is %d: raise it with `ulimit -n ", limit)) {
		t.Errorf("as many clients as the limit: %v", err)
	}
}
