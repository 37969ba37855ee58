package testnet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/p2p"
)

// ReplicaStatus is what is known of one replica.
type ReplicaStatus struct {
	Replica   int
	Protocol  string // of its cluster, also if it does not answer
	PeerID    string
	Address   string
	Admin     string
	Pid       int `json:",omitempty"`
	Condition Condition
	Ready     bool
	Health    string            // one phrase: ready, or why it is not
	Byzantine []string          `json:",omitempty"` // behaviours of a traitor
	Report    *consensus.Report `json:",omitempty"` // nil if it did not answer
}

// statusTimeout bounds one question to one replica.
const statusTimeout = 2 * time.Second

// Statuses asks all replicas at once, by their admin addresses.
func (c *Cluster) Statuses(ctx context.Context) []ReplicaStatus {
	all := make([]ReplicaStatus, c.Size())
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = c.Status(ctx, i) })
	}
	wg.Wait()
	return all
}

// Status asks one replica. What goes wrong stands in Health.
func (c *Cluster) Status(ctx context.Context, i int) ReplicaStatus {
	r := c.replica(i)
	s := ReplicaStatus{Replica: i, Protocol: c.Genesis.Protocol, Address: r.Address, Admin: r.Admin, Condition: Stopped, Health: "stopped", Byzantine: c.Behaviours(i)}
	if id, err := p2p.PeerID(c.Genesis.Replicas[i]); err == nil {
		s.PeerID = id.String()
	}
	p, err := r.process()
	switch {
	case err != nil:
		s.Health = err.Error()
		return s
	case p == nil:
		if r.copied() {
			s.Health = "stopped; it runs in the directory that this one was copied from"
		} else if r.runsElsewhere(&c.Genesis) {
			s.Health = "stopped; it runs all the same, started by hand or from a copy of this directory"
		} else if r.crashed() {
			s.Health = "stopped: " + r.lastLine()
		}
		return s
	}
	s.Pid, s.Condition = p.pid, condition(p.pid)
	if s.Condition == Paused {
		s.Health = "paused"
	} else if report, err := ask(ctx, r.Admin); err != nil {
		s.Health = "no answer: " + err.Error()
	} else {
		s.Report, s.Ready, s.Health = report, report.Ready, health(report)
	}
	if p.unfiled {
		what := "is gone"
		if r.crashed() {
			what = "names another"
		}
		s.Health = fmt.Sprintf("running, its pid file %s (process %d); %s", what, p.pid, s.Health)
	}
	return s
}

// health is what a replica says of itself.
func health(r *consensus.Report) string {
	if r.Ready {
		return "ready"
	}
	return "not ready: " + strings.Join(r.Unready, "; ")
}

// admin asks replicas for their status; connections are few and local.
var admin = &http.Client{Timeout: statusTimeout, Transport: &http.Transport{DisableKeepAlives: true}}

// get reads a page of an admin address, bounded.
func get(ctx context.Context, address, page string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, (&url.URL{Scheme: "http", Host: address, Path: page}).String(), nil)
	if err != nil {
		return nil, err
	}
	answer, err := admin.Do(r)
	if err != nil {
		return nil, errors.New(brief(err))
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(answer.Body, 4<<20))
	if err != nil {
		return nil, errors.New(brief(err))
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", page, answer.Status)
	}
	return b, nil
}

// brief is the last part of a chain of errors: the cause.
func brief(err error) string {
	text := err.Error()
	return strings.TrimSpace(text[strings.LastIndex(text, ": ")+1:])
}

// ask reads a replica's report.
func ask(ctx context.Context, address string) (*consensus.Report, error) {
	b, err := get(ctx, address, "/status")
	if err != nil {
		return nil, err
	}
	var r consensus.Report
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	return &r, nil
}

// Settled reports whether all replicas are ready and stand at the same
// sequence number and the same root; if not, why.
func Settled(all []ReplicaStatus) (bool, string) {
	first := all[0].Report
	for _, s := range all {
		if !s.Ready {
			return false, fmt.Sprintf("replica %d: %s", s.Replica, s.Health)
		}
		r := s.Report
		if r.Applied != first.Applied || r.RootSeq != first.RootSeq || r.Root != first.Root {
			return false, fmt.Sprintf("replica %d applied %d with root %s at %d, replica 0 applied %d with root %s at %d",
				s.Replica, r.Applied, r.Root.Short(), r.RootSeq, first.Applied, first.Root.Short(), first.RootSeq)
		}
	}
	return true, ""
}

// Metrics reads the metrics page of replica i, in the text format.
func (c *Cluster) Metrics(ctx context.Context, i int) ([]byte, error) {
	return get(ctx, c.Manifest.Replicas[i].Admin, "/metrics")
}

// ParseMetrics reads a metrics page: each value by its name with its labels.
func ParseMetrics(page []byte) map[string]float64 {
	found := map[string]float64{}
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSuffix(line, "\n")
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			found[line[:at]] = v
		}
	}
	return found
}

// Usage tells what the process of replica i has used.
func (c *Cluster) Usage(i int) (Usage, error) {
	_, p, err := c.alive(i)
	if err != nil {
		return Usage{}, err
	}
	return UsageOf(p.pid)
}

// Answers reports whether any replica may answer a client: it has a process here
// or, if the genesis is not a testnet's, for its replicas run as somebody started
// them and where, it takes a connection.
func (c *Cluster) Answers(ctx context.Context) bool {
	if c.AnyRunning() || c.Genesis.Testnet {
		return c.AnyRunning()
	}
	found := make(chan bool, c.Size())
	for _, address := range c.Addresses() {
		go func() {
			conn, err := (&net.Dialer{Timeout: statusTimeout}).DialContext(ctx, "tcp", address)
			if err == nil {
				_ = conn.Close() // nothing was said
			}
			found <- err == nil
		}()
	}
	for range c.Size() {
		if <-found {
			return true
		}
	}
	return false
}

// Elsewhere is an error if a replica runs, but not as a process that is known here:
// started by hand, or in the directory that this one was copied from.
func (c *Cluster) Elsewhere() error {
	errs := make([]error, c.Size())
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = c.replica(i).elsewhere(&c.Genesis) })
	}
	wg.Wait()
	return cmp.Or(errs...)
}

// Condition is what the process of replica i is doing.
func (c *Cluster) Condition(i int) Condition {
	p, err := c.replica(i).process()
	if err != nil || p == nil {
		return Stopped
	}
	return condition(p.pid)
}

// AnyRunning reports whether any replica has a process.
func (c *Cluster) AnyRunning() bool {
	return slices.ContainsFunc(c.all(), func(i int) bool {
		// A pid file that cannot be read says nothing; who asks finds out.
		p, err := c.replica(i).process()
		return err != nil || p != nil
	})
}
