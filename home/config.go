package home

import (
	"fmt"
	"log/slog"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/files"
)

// Config is config.toml: what one replica may choose for itself. Relative
// paths begin at the home.
type Config struct {
	Replica        int      `toml:"replica" comment:"this replica's id: its place in the genesis, from 0"`
	Listen         string   `toml:"listen" comment:"host:port for replicas and clients"`
	Admin          string   `toml:"admin" comment:"host:port for health, status, metrics and pprof; keep it on loopback; empty = none"`
	Addresses      []string `toml:"addresses" comment:"of all replicas, by id; empty = those in the genesis file"`
	Genesis        string   `toml:"genesis"`
	Key            string   `toml:"key"`
	PassphraseFile string   `toml:"passphrase_file" comment:"of the key, if it is encrypted; empty = ask, or QUORATE_PASSPHRASE"`
	Data           string   `toml:"data"`
	Log            Logging  `toml:"log"`
	Engine         Engine   `toml:"engine"`
	Disk           Disk     `toml:"disk"`
	Network        Network  `toml:"network"`
	Record         Record   `toml:"record"`
}

// Logging says what goes to stderr.
type Logging struct {
	Level  string `toml:"level" comment:"debug, info, warn or error"`
	Format string `toml:"format" comment:"text or json"`
}

// Engine holds the protocol's local settings; replicas may differ in them.
type Engine struct {
	Tick         files.Duration `toml:"tick" comment:"the engine's unit of time"`
	Patience     files.Duration `toml:"patience" comment:"PBFT: how long a request may wait before its holder leaves the view; doubles with each. Raft: twice the shortest election timeout; a leader heartbeats ten times in one"`
	PatienceCap  files.Duration `toml:"patience_cap" comment:"PBFT only: ... up to this"`
	StatusEvery  files.Duration `toml:"status_every" comment:"PBFT only: how often a replica tells the others where it is"`
	Pipeline     int            `toml:"pipeline" comment:"batches proposed and not yet committed"`
	PendingCount int            `toml:"pending_count" comment:"requests that wait, per lane"`
	PendingBytes int            `toml:"pending_bytes"`
}

// check says what is wrong with the settings of every protocol.
func (e *Engine) check() error {
	if e.Tick < files.Duration(time.Millisecond) {
		return fmt.Errorf("%w: engine.tick is %v: choose at least 1ms", files.ErrInvalid, time.Duration(e.Tick))
	}
	for _, k := range []struct {
		key          string
		value, least files.Duration
	}{{"patience", e.Patience, e.Tick}, {"status_every", e.StatusEvery, e.Tick}} {
		if k.value < k.least {
			return fmt.Errorf("%w: engine.%s is %v: choose at least %v", files.ErrInvalid, k.key, time.Duration(k.value), time.Duration(k.least))
		}
	}
	for _, k := range []struct {
		key   string
		value int
	}{{"pipeline", e.Pipeline}, {"pending_count", e.PendingCount}, {"pending_bytes", e.PendingBytes}} {
		if k.value < 1 {
			return fmt.Errorf("%w: engine.%s is %d: choose at least 1", files.ErrInvalid, k.key, k.value)
		}
	}
	return nil
}

// Disk says what the replica keeps, and how.
type Disk struct {
	SegmentBytes   int64 `toml:"segment_bytes" comment:"of the log; 0 = the default"`
	Volatile       bool  `toml:"volatile" comment:"never sync: to measure what syncing costs. A power loss then makes the replica faulty."`
	NodeCacheBytes int   `toml:"node_cache_bytes" comment:"memory for the state's tree; 0 = the default"`
}

// Network bounds what others may make this process hold.
type Network struct {
	Clients          int `toml:"clients" comment:"connections of permitted clients; 0 = the default, here and below"`
	ConnectionsPerIP int `toml:"connections_per_ip" comment:"of permitted clients; members are never counted, and this machine is not"`
	ClientBytesIn    int `toml:"client_bytes_in"`
	ClientBytesOut   int `toml:"client_bytes_out"`
}

// check names the key whose number is below zero.
func (n *Network) check() error {
	for _, x := range []struct {
		key   string
		value int
	}{
		{"clients", n.Clients}, {"connections_per_ip", n.ConnectionsPerIP}, {"client_bytes_in", n.ClientBytesIn}, {"client_bytes_out", n.ClientBytesOut},
	} {
		if x.value < 0 {
			return fmt.Errorf("%w: network.%s = %d: write 0 for the default, or more", files.ErrInvalid, x.key, x.value)
		}
	}
	return nil
}

// Record says what the replica writes down for judges (PROTOCOL.md §5, §9), in
// the directory transcript of its home. It is never synced: it is no promise.
type Record struct {
	Level string `toml:"level" comment:"votes: what was promised, decided and executed (PBFT: signed messages and certificates), for quorate check and after a fork; all: batches and replies too; off"`
	Bytes int64  `toml:"bytes" comment:"room for it; the oldest is dropped"`
}

// The levels of a record.
const (
	RecordOff   = "off"
	RecordVotes = "votes"
	RecordAll   = "all"
)

// minRecord is the least room for a record, in bytes: one of the largest frames.
const minRecord = 4 * consensus.MaxFrame

// check says what is wrong with the settings.
func (r *Record) check() error {
	switch {
	case r.Level != RecordOff && r.Level != RecordVotes && r.Level != RecordAll:
		return fmt.Errorf("%w: record.level is %q: write votes, all or off", files.ErrInvalid, r.Level)
	case r.Bytes < minRecord:
		return fmt.Errorf("%w: record.bytes is %d: choose at least %d", files.ErrInvalid, r.Bytes, minRecord)
	}
	return nil
}

// DefaultConfig is what a home has unless it says otherwise.
func DefaultConfig() Config {
	return Config{
		Genesis: "genesis.toml", Key: "key", Data: "data",
		Log: Logging{Level: "info", Format: "text"},
		Engine: Engine{
			Tick: files.Duration(10 * time.Millisecond), Patience: files.Duration(2 * time.Second), PatienceCap: files.Duration(2 * time.Minute),
			StatusEvery: files.Duration(250 * time.Millisecond), Pipeline: 4, PendingCount: 4096, PendingBytes: 32 << 20,
		},
		Record: Record{Level: RecordVotes, Bytes: 64 << 20},
	}
}

// level reads both settings, so that a wrong one is found before the first line.
func (l Logging) level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return 0, fmt.Errorf("%w: log.level is %q: write debug, info, warn or error", files.ErrInvalid, l.Level)
	}
	if l.Format != "text" && l.Format != "json" {
		return 0, fmt.Errorf("%w: log.format is %q: write text or json", files.ErrInvalid, l.Format)
	}
	return level, nil
}

// configName is the file of the settings.
const configName = "config.toml"

// configHeading stands above the keys.
const configHeading = `# The settings of one replica. What counts is, in this order: flags
# (quorate node --set key=value), the environment (QUORATE_ENGINE_TICK for
# engine.tick), this file, the defaults. Unknown keys are errors.

`
