package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/protocol"
)

// picture is the replica as it was at the last tick.
type picture struct {
	at      time.Time
	status  consensus.Status
	unready []string // why it is not ready; empty if it is
}

// publish makes the picture that everybody but the loop reads.
func (n *Node) publish() {
	s := n.driver.Status()
	n.picture.Store(&picture{at: time.Now(), status: s, unready: unready(n.protocol, &s, n.system.Quorum())})
}

// answered is an answer to a client's status query, which others get as well for
// a moment: asking costs nothing, so answering must cost little.
type answered struct {
	at   time.Time
	text []byte
}

// answerFor is how long one answer serves all.
const answerFor = 100 * time.Millisecond

// unready says why a replica is not ready: ready means in a view, within the
// window, and reaching a quorum, or the leader that reaches one.
func unready(p protocol.Protocol, s *consensus.Status, need int) []string {
	var why []string
	if s.Rejoining {
		why = append(why, "it is rejoining: its disk was lost or set back")
	}
	if s.Changing && p.Elected {
		why = append(why, fmt.Sprintf("it knows no %s; the last %s was %d", p.Words.Lead, p.Words.View, s.View))
	} else if s.Changing {
		why = append(why, fmt.Sprintf("it is changing to %s %d", p.Words.View, s.View))
	}
	if s.Fetching > 0 {
		why = append(why, fmt.Sprintf("it is fetching the state at %d", s.Fetching))
	}
	if s.Executed < s.Stable || s.High > s.Stable && s.Executed > s.High {
		why = append(why, fmt.Sprintf("it executed up to %d, outside the window (%d, %d]", s.Executed, s.Stable, s.High))
	}
	if p.Elected && !s.Changing && s.Primary != s.Replica {
		need = min(need, itselfAndLeader)
	}
	if len(s.Heard) < need {
		why = append(why, fmt.Sprintf("it hears from %d of the %d replicas that it needs, itself included", len(s.Heard), need))
	}
	return why
}

// itselfAndLeader is whom the follower of an elected leader hears: followers say
// nothing to each other. That the leader reaches a majority is the leader's to
// know, and it resigns if it does not.
const itselfAndLeader = 2

// stuckAfter is how old the picture may be before the process counts as dead.
const stuckAfter = 10 * time.Second

// stuck says that the loop does not turn, if so.
func (p *picture) stuck(now time.Time) []string {
	if age := now.Sub(p.at); age > stuckAfter {
		return []string{fmt.Sprintf("the loop has not ticked for %v", age.Round(time.Millisecond))}
	}
	return nil
}

// health answers a probe: ok, or what is wrong, one line each.
func health(w http.ResponseWriter, wrong []string) {
	if len(wrong) == 0 {
		fmt.Fprintln(w, "ok")
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	for _, line := range wrong {
		fmt.Fprintln(w, line)
	}
}

// answerStatus answers a client's question about this replica.
func (n *Node) answerStatus(to crypto.PublicKey) {
	a := n.told.Load()
	if a == nil || time.Since(a.at) > answerFor {
		text, err := json.Marshal(n.Report())
		if err != nil {
			n.fail(fmt.Errorf("encode the status: %w", err))
			return
		}
		a = &answered{at: time.Now(), text: append([]byte{consensus.KindStatusReply}, text...)}
		n.told.Store(a)
	}
	n.send(consensus.ClientPeer(to), consensus.Votes, a.text)
}

// Report describes the replica as it was at the last tick.
func (n *Node) Report() consensus.Report { return n.report(n.picture.Load()) }

func (n *Node) report(p *picture) consensus.Report {
	r := consensus.Report{
		Status: p.status, Cluster: n.identity.Cluster.String(), ClientProtocol: consensus.ClientProtocol, Unready: slices.Clone(p.unready),
		Address: n.network.Addr(), Age: n.age(p).Round(time.Millisecond).String(),
		Uptime: time.Since(n.begun).Round(time.Second).String(), Stalled: n.stalls(),
	}
	for _, s := range r.Stalled {
		r.Unready = append(r.Unready, fmt.Sprintf("%s has lasted %s", s.What, s.For))
	}
	r.Ready = len(r.Unready) == 0
	peers := n.network.Stats().Peers
	r.Away, r.Twice = away(peers), twice(peers)
	return r
}

// admin serves metrics, health, status and pprof. Nothing here changes
// anything; whoever reaches the address may read all of it.
func (n *Node) admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(n.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) { health(w, n.picture.Load().stuck(time.Now())) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		health(w, append(n.picture.Load().stuck(time.Now()), n.Report().Unready...))
	})
	mux.HandleFunc("/status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(n.Report()); err != nil {
			n.config.Log.Debug("status not sent", "error", err)
		}
	})
	mux.Handle(profilesAt, profiles())
	return mux
}

// listenAdmin opens the admin address, so that a taken port is an error at the
// start and not a line in a log.
func listenAdmin(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("admin address %s is in use: stop the process that listens there, or choose another: %w", address, err)
	}
	if err != nil {
		return nil, fmt.Errorf("admin address %s: %w", address, err)
	}
	return l, nil
}
