package testnet

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/p2p"
)

// HomeConfig is config.toml: what one replica may choose for itself. Relative
// paths begin at the home.
type HomeConfig struct {
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
	Tick         Duration `toml:"tick" comment:"the engine's unit of time"`
	Patience     Duration `toml:"patience" comment:"PBFT: how long a request may wait before its holder leaves the view; doubles with each. Raft: twice the shortest election timeout; a leader heartbeats ten times in one"`
	PatienceCap  Duration `toml:"patience_cap" comment:"PBFT only: ... up to this"`
	StatusEvery  Duration `toml:"status_every" comment:"PBFT only: how often a replica tells the others where it is"`
	Pipeline     int      `toml:"pipeline" comment:"batches proposed and not yet committed"`
	PendingCount int      `toml:"pending_count" comment:"requests that wait, per lane"`
	PendingBytes int      `toml:"pending_bytes"`
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
	ConnectionsPerIP int `toml:"connections_per_ip"`
	ClientBytesIn    int `toml:"client_bytes_in"`
	ClientBytesOut   int `toml:"client_bytes_out"`
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
		return fmt.Errorf("%w: record.level is %q: write votes, all or off", ErrFile, r.Level)
	case r.Bytes < minRecord:
		return fmt.Errorf("%w: record.bytes is %d: at least %d", ErrFile, r.Bytes, minRecord)
	}
	return nil
}

// DefaultHomeConfig is what a home has unless it says otherwise.
func DefaultHomeConfig() HomeConfig {
	return HomeConfig{
		Genesis: "genesis.toml", Key: "key", Data: "data",
		Log: Logging{Level: "info", Format: "text"},
		Engine: Engine{
			Tick: Duration(10 * time.Millisecond), Patience: Duration(2 * time.Second), PatienceCap: Duration(2 * time.Minute),
			StatusEvery: Duration(250 * time.Millisecond), Pipeline: 4, PendingCount: 4096, PendingBytes: 32 << 20,
		},
		Record: Record{Level: RecordVotes, Bytes: 64 << 20},
	}
}

// Overrides are what stands above the file: flags by key, then the environment.
type Overrides struct {
	Flags  map[string]string
	Lookup func(string) (string, bool) // os.LookupEnv; nil = no environment
}

// Home is a loaded and checked home.
type Home struct {
	Dir       string
	Config    HomeConfig
	Genesis   consensus.Genesis
	Addresses []string
	Seed      Seed
}

// LoadHome reads a home and checks that its parts fit each other. It changes
// nothing. Errors are one line that says what to do.
func LoadHome(dir string, over Overrides, ask Passphrase) (*Home, error) {
	h := &Home{Dir: dir, Config: DefaultHomeConfig()}
	if err := h.readConfig(over); err != nil {
		return nil, err
	}
	founding, err := LoadGenesis(h.path(h.Config.Genesis))
	if err != nil {
		return nil, err
	}
	h.Genesis, h.Addresses = founding.Genesis, founding.Addresses
	if len(h.Config.Addresses) > 0 {
		h.Addresses = h.Config.Addresses
	}
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", h.path("config.toml"), err)
	}
	if h.Config.PassphraseFile != "" {
		ask = PassphraseFile(h.path(h.Config.PassphraseFile))
	}
	if h.Seed, err = ReadKey(h.path(h.Config.Key), ask); err != nil {
		return nil, err
	}
	return h, h.checkKey()
}

// readConfig lays file, environment and flags over the defaults, in this order.
func (h *Home) readConfig(over Overrides) error {
	path := h.path("config.toml")
	if err := readTOML(path, &h.Config); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is no home of a replica, it has no config.toml: make one with `quorate testnet init`: %w", h.Dir, fs.ErrNotExist)
		}
		return err
	}
	if over.Lookup != nil {
		if err := applyEnv(&h.Config, over.Lookup); err != nil {
			return err
		}
	}
	return applyFlags(&h.Config, over.Flags)
}

// path resolves a path of the configuration.
func (h *Home) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(h.Dir, p)
}

// DataDir is where the replica keeps what it must not forget.
func (h *Home) DataDir() string { return h.path(h.Config.Data) }

// check holds the settings against the genesis. What only the engine or the node
// can judge, they do, before anything is started.
func (h *Home) check() error {
	c := &h.Config
	n := len(h.Genesis.Replicas)
	switch {
	case c.Replica < 0 || c.Replica >= n:
		return fmt.Errorf("%w: replica = %d, but the genesis has %d: ids begin with 0", ErrFile, c.Replica, n)
	case len(h.Addresses) != n:
		return fmt.Errorf("%w: addresses has %d entries for %d replicas", ErrFile, len(h.Addresses), n)
	case c.Listen == "":
		return fmt.Errorf("%w: listen is empty: write host:port", ErrFile)
	case c.Engine.Tick < Duration(time.Millisecond):
		return fmt.Errorf("%w: engine.tick is %v: at least 1ms", ErrFile, time.Duration(c.Engine.Tick))
	}
	if _, err := c.Log.level(); err != nil {
		return err
	}
	if err := c.Record.check(); err != nil {
		return err
	}
	limits := h.limits()
	return limits.Validate()
}

// checkKey makes sure that the key is this replica's.
func (h *Home) checkKey() error {
	want, have := h.Genesis.Replicas[h.Config.Replica], crypto.PublicOf(h.Seed)
	if want == have {
		return nil
	}
	for i, k := range h.Genesis.Replicas {
		if k == have {
			return fmt.Errorf("%w: key file %s is replica %d's, and this home is replica %d's: put the right key back",
				ErrFile, h.path(h.Config.Key), i, h.Config.Replica)
		}
	}
	return fmt.Errorf("%w: key file %s has the key %s, but the genesis names %s for replica %d: put this replica's key or its cluster's genesis back",
		ErrFile, h.path(h.Config.Key), have.Short(), want.Short(), h.Config.Replica)
}

// limits are the network's; zero fields mean its defaults.
func (h *Home) limits() p2p.Limits {
	n := h.Config.Network
	return p2p.Limits{Clients: n.Clients, ConnectionsPerIP: n.ConnectionsPerIP, ClientBytesIn: n.ClientBytesIn, ClientBytesOut: n.ClientBytesOut}
}

// level reads both settings, so that a wrong one is found before the first line.
func (l Logging) level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return 0, fmt.Errorf("%w: log.level is %q: write debug, info, warn or error", ErrFile, l.Level)
	}
	if l.Format != "text" && l.Format != "json" {
		return 0, fmt.Errorf("%w: log.format is %q: write text or json", ErrFile, l.Format)
	}
	return level, nil
}

// Logger is the log that the home asks for, on stderr.
func (h *Home) Logger() *slog.Logger {
	level, err := h.Config.Log.level()
	if err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if h.Config.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}

// PassphraseFile reads a passphrase from a file: its first line.
func PassphraseFile(path string) Passphrase {
	return func() (string, error) {
		b, err := readBounded(path, 4096)
		if err != nil {
			return "", fmt.Errorf("passphrase file: %w", err)
		}
		line, _, _ := strings.Cut(string(b), "\n")
		return strings.TrimSuffix(line, "\r"), nil
	}
}

// homeHeading stands above the keys.
const homeHeading = `# The settings of one replica. What counts is, in this order: flags
# (quorate node --set key=value), the environment (QUORATE_ENGINE_TICK for
# engine.tick), this file, the defaults. Unknown keys are errors.

`

// saveHomeConfig writes all keys with their comments: the file is the reference.
func saveHomeConfig(dir string, c *HomeConfig) error {
	return writeTOML(filepath.Join(dir, "config.toml"), homeHeading, 0o644, c)
}
