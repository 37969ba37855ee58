package node

import (
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Whoever reaches the admin address may ask, and may not take what the replica
// needs: connections, time and profiles are bounded.
const (
	adminConnections = 64              // open at once; others wait in the system's queue
	adminHeader      = 5 * time.Second // until a request has come
	adminPage        = 10 * time.Second
	maxProfile       = time.Minute
)

// newAdminServer serves a handler within those bounds. No connection is kept for a
// second request, which an idle one would be.
func newAdminServer(h http.Handler) *http.Server {
	s := &http.Server{Handler: bounded(h), ReadHeaderTimeout: adminHeader, IdleTimeout: adminHeader, WriteTimeout: maxProfile + adminPage, MaxHeaderBytes: 16 << 10}
	s.SetKeepAlivesEnabled(false)
	return s
}

// limited is a listener with a bound on what is open at once.
type limited struct {
	net.Listener
	places chan struct{}
}

func limit(l net.Listener) limited { return limited{l, make(chan struct{}, adminConnections)} }

// Accept implements net.Listener.
func (l limited) Accept() (net.Conn, error) {
	l.places <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &placed{Conn: c, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

// placed is a connection that has a place.
type placed struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (p *placed) Close() error {
	defer p.leave()
	return p.Conn.Close()
}

// bounded lets h answer questions alone: what comes with one is not read, and only a
// profile takes longer than a page.
func bounded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "only GET: nothing here changes anything", http.StatusMethodNotAllowed)
			return
		}
		r.Body = http.NoBody
		if !strings.HasPrefix(r.URL.Path, profilesAt) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(adminPage)) // a test's recorder has none
		}
		h.ServeHTTP(w, r)
	})
}

// profilesAt is where the profiles are.
const profilesAt = "/debug/pprof/"

// profiles serves pprof: one profile at a time, each of a bounded time.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(profilesAt, pprof.Index)
	mux.HandleFunc(profilesAt+"cmdline", pprof.Cmdline)
	mux.HandleFunc(profilesAt+"profile", pprof.Profile)
	mux.HandleFunc(profilesAt+"symbol", pprof.Symbol)
	mux.HandleFunc(profilesAt+"trace", pprof.Trace)
	var one sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := r.FormValue("seconds")
		if s, err := strconv.ParseFloat(text, 64); text != "" && (err != nil || !(s >= 0 && s <= maxProfile.Seconds())) {
			http.Error(w, fmt.Sprintf("seconds=%.20s: choose 0 to %v", text, maxProfile.Seconds()), http.StatusBadRequest)
			return
		}
		if !one.TryLock() {
			http.Error(w, "another profile is being taken: wait for its end", http.StatusServiceUnavailable)
			return
		}
		defer one.Unlock()
		mux.ServeHTTP(w, r)
	})
}
