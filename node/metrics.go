package node

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
	"quorate.dev/quorate/p2p"
)

// metrics are what happens as it happens; what can be read off when somebody
// asks is in scrape. Each node has a registry of its own, so that several fit
// in one process.
type metrics struct {
	registry    *prometheus.Registry
	burst       prometheus.Histogram // events in one step
	group       prometheus.Histogram // frames verified together
	batch       prometheus.Histogram // requests in one executed batch
	turn        prometheus.Histogram // seconds of the executor
	sync        prometheus.Histogram // seconds
	records     prometheus.Histogram // records under one sync
	logBytes    prometheus.Gauge
	logSegments prometheus.Gauge
	ignored     *prometheus.CounterVec // by reason
	refusals    *prometheus.CounterVec // by code
	dropped     *prometheus.CounterVec // by queue
	unsent      *prometheus.CounterVec // by class
	notes       *prometheus.CounterVec // by kind
	blamed      *prometheus.CounterVec // by peer
}

// newMetrics makes and registers the metrics. Labels are from small fixed sets:
// nothing that a peer or client chooses becomes one.
func newMetrics() *metrics {
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "quorate", Name: name, Help: help, Buckets: buckets})
	}
	counters := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "quorate", Name: name, Help: help}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "quorate", Name: name, Help: help})
	}
	sizes := prometheus.ExponentialBuckets(1, 2, 12)
	m := &metrics{
		registry:    prometheus.NewRegistry(),
		burst:       histogram("burst_events", "Events in one step of the engine.", sizes),
		group:       histogram("verify_group_frames", "Frames verified as one group.", sizes),
		batch:       histogram("batch_requests", "Requests in one executed batch.", sizes),
		turn:        histogram("execution_turn_seconds", "Duration of one job of execution: nothing is answered meanwhile.", prometheus.ExponentialBuckets(50e-6, 2, 16)),
		sync:        histogram("log_sync_seconds", "Duration of one sync of the log.", prometheus.ExponentialBuckets(50e-6, 2, 16)),
		records:     histogram("log_sync_records", "Records made durable by one sync.", sizes),
		logBytes:    gauge("log_bytes", "Size of the log on disk."),
		logSegments: gauge("log_segments", "Segments of the log."),
		ignored:     counters("ignored_total", "Frames and messages that were ignored, by reason.", "reason"),
		refusals:    counters("refusals_total", "Requests refused, by code.", "code"),
		dropped:     counters("dropped_total", "Items that full queues dropped, by queue.", "queue"),
		unsent:      counters("unsent_total", "Frames not sent, for lack of room or of a stream, by class.", "class"),
		blamed:      counters("blamed_total", "Frames whose sender itself broke the protocol, by peer.", "peer"),
		notes:       counters("notes_total", "Facts that the engine reported, by kind; \"entered view\" counts the views entered, in Raft the leaders that were elected.", "kind"),
	}
	m.registry.MustRegister(m.burst, m.group, m.batch, m.turn, m.sync, m.records, m.logBytes, m.logSegments, m.ignored, m.refusals,
		m.dropped, m.unsent, m.notes, m.blamed, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// scrape collects, when asked, what the engine, the queues and the network
// know already.
type scrape struct{ node *Node }

var (
	infoDesc    = prometheus.NewDesc("quorate_info", "Always 1; the label names the protocol.", []string{"protocol"}, nil)
	statusDesc  = prometheus.NewDesc("quorate_replica", "The replica's position, by what: view (in Raft the term), executed, applied, stable, high, kept, pending, in_flight, fetching.", []string{"what"}, nil)
	stateDesc   = prometheus.NewDesc("quorate_state", "1 if the replica is in this condition: changing (between views, in Raft without a leader), leading, rejoining, ready.", []string{"condition"}, nil)
	ageDesc     = prometheus.NewDesc("quorate_status_age_seconds", "How old the replica's position is: for so long the engine has heard nothing.", nil, nil)
	stalledDesc = prometheus.NewDesc("quorate_busy_seconds", "For how long one thing has lasted, by where: log (append, sync, cut), checkpoints (a step of hashing or writing the state), execution, reads (of the state, for others), engine (kept from stepping). Seconds of it are a disk that hangs.", []string{"where"}, nil)
	heardDesc   = prometheus.NewDesc("quorate_heard", "Replicas heard from lately, this one included.", nil, nil)
	clockDesc   = prometheus.NewDesc("quorate_clock_offset_seconds", "By how much a replica's clock differs from this one's, as that replica says.", []string{"replica"}, nil)
	queueDesc   = prometheus.NewDesc("quorate_queue_depth", "Items that wait, by queue.", []string{"queue"}, nil)
	backlogDesc = prometheus.NewDesc("quorate_queue_dropped_total", "Items that inner queues dropped, by queue.", []string{"queue"}, nil)
	framesDesc  = prometheus.NewDesc("quorate_network_frames_total", "Frames by peer, class and direction (sent, received, dropped, refused).", []string{"peer", "class", "direction"}, nil)
	bytesDesc   = prometheus.NewDesc("quorate_network_bytes_total", "Bytes by peer, class and direction.", []string{"peer", "class", "direction"}, nil)
	saidDesc    = prometheus.NewDesc("quorate_frames_sent_total", "Frames sent to all other members, by class.", []string{"class"}, nil)
	volumeDesc  = prometheus.NewDesc("quorate_bytes_sent_total", "Bytes sent to all other members, by class.", []string{"class"}, nil)
	linkDesc    = prometheus.NewDesc("quorate_network_connected", "1 if there is a connection to the peer.", []string{"peer"}, nil)
	clientsDesc = prometheus.NewDesc("quorate_network_clients", "Whoever is no member, by what: connections (of permitted clients), observers, guests (unknown keys, to be told so), handshakes (not yet proved who they are), streams (of requests).", []string{"what"}, nil)
	linksDesc   = prometheus.NewDesc("quorate_network_member_connections", "Open connections to the peer; members have places of their own.", []string{"peer"}, nil)
	twiceDesc   = prometheus.NewDesc("quorate_network_runs_twice", "1 if two processes prove the key of the peer: stop one of them.", []string{"peer"}, nil)
	awayDesc    = prometheus.NewDesc("quorate_network_turned_away_total", "Connections that found no place, by why: handshake (hung up on, since too many had not proved who they are), stranger (refused after proving a key), crowded (clients told to come back), idle (clients without a stream, for others).", []string{"why"}, nil)
)

// Describe implements prometheus.Collector.
func (s scrape) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(s, ch) }

// Collect implements prometheus.Collector.
func (s scrape) Collect(ch chan<- prometheus.Metric) {
	s.status(ch)
	s.queues(ch)
	s.network(ch)
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func counter(ch chan<- prometheus.Metric, d *prometheus.Desc, v uint64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

// status is the engine's own view, as of the last tick.
func (s scrape) status(ch chan<- prometheus.Metric) {
	p := s.node.picture.Load()
	st := &p.status
	gauge(ch, infoDesc, 1, st.Protocol)
	for what, v := range map[string]uint64{
		"view": uint64(st.View), "executed": uint64(st.Executed), "applied": uint64(st.Applied), "stable": uint64(st.Stable),
		"high": uint64(st.High), "kept": uint64(st.Kept), "pending": uint64(st.Pending), "in_flight": uint64(st.InFlight),
		"fetching": uint64(st.Fetching),
	} {
		gauge(ch, statusDesc, float64(v), what)
	}
	for condition, is := range map[string]bool{"changing": st.Changing, "leading": leads(st), "rejoining": st.Rejoining, "ready": len(p.unready) == 0} {
		gauge(ch, stateDesc, yes(is), condition)
	}
	gauge(ch, heardDesc, float64(len(st.Heard)))
	for _, c := range st.Clocks {
		if c.Replica != st.Replica {
			gauge(ch, clockDesc, float64(c.Offset)/1e9, consensus.ReplicaPeer(c.Replica).String())
		}
	}
	gauge(ch, ageDesc, s.node.age(p).Seconds())
	for _, place := range s.node.places() {
		_, d := place.doing.lasts()
		gauge(ch, stalledDesc, d.Seconds(), place.name)
	}
}

// yes is 1 for true.
func yes(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// leads reports whether this replica is the primary, or the leader, and able to
// be.
func leads(st *consensus.Status) bool {
	return st.Primary == st.Replica && !st.Changing && !st.Rejoining
}

// queues are the places where load shows first: whichever is full is in front
// of what is too slow.
func (s scrape) queues(ch chan<- prometheus.Metric) {
	n := s.node
	frames, dropped := n.intake.depth()
	gauge(ch, queueDesc, float64(frames), "intake")
	for r, name := range [host.Priorities]string{"intake_small", "intake_large", "intake_clients"} {
		counter(ch, backlogDesc, dropped[r], name)
	}
	for c, waiting := range n.inbox.depth() {
		gauge(ch, queueDesc, float64(waiting), "inbox_"+host.Class(c).String())
	}
	jobs, answers, lost := n.executor.depth()
	gauge(ch, queueDesc, float64(jobs), "jobs")
	gauge(ch, queueDesc, float64(answers), "answers")
	counter(ch, backlogDesc, lost, "answers")
	reads, crowded := n.executor.lookups()
	gauge(ch, queueDesc, float64(reads), "reads")
	counter(ch, backlogDesc, crowded, "reads")
	gauge(ch, queueDesc, float64(n.journal.depth()), "log")
	gauge(ch, queueDesc, float64(n.tasks.depth()), "checkpoints")
}

// network is what package p2p counted.
func (s scrape) network(ch chan<- prometheus.Metric) {
	stats := s.node.network.Stats()
	said(ch, stats.Peers)
	for i := range stats.Peers {
		p := &stats.Peers[i]
		peer := consensus.ReplicaPeer(p.Replica).String()
		gauge(ch, linkDesc, yes(p.Connected), peer)
		gauge(ch, linksDesc, float64(p.Links), peer)
		gauge(ch, twiceDesc, yes(p.Twice.Now()), peer)
		for c := consensus.Votes; c < consensus.Classes; c++ {
			traffic(ch, &p.Class[c], peer, c.String())
		}
	}
	traffic(ch, &stats.Clients.Traffic, "clients", "requests")
	traffic(ch, &stats.Topic.Traffic, "topic", "topic")
	clients(ch, &stats.Clients)
}

// clients are all who are no members, and those who found no place.
func clients(ch chan<- prometheus.Metric, c *p2p.ClientStats) {
	for what, n := range map[string]int{
		"connections": c.Connections, "observers": c.Observers, "guests": c.Guests, "handshakes": c.Handshakes, "streams": c.Streams,
	} {
		gauge(ch, clientsDesc, float64(n), what)
	}
	for why, n := range map[string]uint64{"handshake": c.HungUpOn, "stranger": c.TurnedAway, "crowded": c.Crowded, "idle": c.Yielded} {
		counter(ch, awayDesc, n, why)
	}
}

// said sums up what went to all members: with what was executed, the price of
// a decision.
func said(ch chan<- prometheus.Metric, peers []p2p.PeerStats) {
	for c := consensus.Votes; c < consensus.Classes; c++ {
		var frames, bytes uint64
		for i := range peers {
			frames += peers[i].Class[c].Sent
			bytes += peers[i].Class[c].SentBytes
		}
		counter(ch, saidDesc, frames, c.String())
		counter(ch, volumeDesc, bytes, c.String())
	}
}

// traffic is one stream class of one peer.
func traffic(ch chan<- prometheus.Metric, t *p2p.Traffic, peer, class string) {
	counter(ch, framesDesc, t.Sent, peer, class, "sent")
	counter(ch, framesDesc, t.Received, peer, class, "received")
	counter(ch, framesDesc, t.Dropped, peer, class, "dropped")
	counter(ch, framesDesc, t.Refused, peer, class, "refused")
	counter(ch, bytesDesc, t.SentBytes, peer, class, "sent")
	counter(ch, bytesDesc, t.ReceivedBytes, peer, class, "received")
	gauge(ch, queueDesc, float64(t.Queued), "network_"+peer+"_"+class)
}
