package home

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/internal/files"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/p2p"
	"quorate.dev/quorate/storage"
)

// Overrides are what stands above the file: flags by key, then the environment.
type Overrides struct {
	Flags  map[string]string
	Lookup func(string) (string, bool) // os.LookupEnv; nil = no environment
}

// Home is a loaded and checked home.
type Home struct {
	Dir       string
	Config    Config
	Genesis   consensus.Genesis
	Addresses []string
	Seed      Seed
	Holder    string // what the lock of the data tells of this process; "" = its pid alone
}

// Load reads a home and checks that its parts fit each other. It changes
// nothing. Errors are one line that says what to do.
func Load(dir string, over Overrides, ask Passphrase) (*Home, error) {
	h, err := LoadConfig(dir, over)
	if err != nil {
		return nil, err
	}
	g, err := genesis.Load(h.GenesisFile())
	if err != nil {
		return nil, err
	}
	h.Genesis, h.Addresses = g.Genesis, g.Addresses
	if len(h.Config.Addresses) > 0 {
		h.Addresses = h.Config.Addresses
	}
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", h.path(configName), err)
	}
	if h.Config.PassphraseFile != "" {
		ask = PassphraseFile(h.path(h.Config.PassphraseFile))
	}
	if _, err := os.Stat(h.KeyFile()); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key file %s does not exist: put this replica's key back from its backup; a new key would be another member", h.KeyFile())
	}
	if h.Seed, err = ReadKey(h.KeyFile(), ask); err != nil {
		return nil, err
	}
	return h, h.checkKey()
}

// LoadConfig reads the settings of a home alone: defaults, file, environment and
// flags, each over the one before. Genesis and key are not looked at.
func LoadConfig(dir string, over Overrides) (*Home, error) {
	h := &Home{Dir: dir, Config: DefaultConfig()}
	if err := files.ReadTOML(h.path(configName), &h.Config); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is no home of a replica, it has no %s: correct the path, or put the file back from its backup", dir, configName)
		}
		return nil, err
	}
	if over.Lookup != nil {
		if err := applyEnv(&h.Config, over.Lookup); err != nil {
			return nil, err
		}
	}
	return h, applyFlags(&h.Config, over.Flags)
}

// Create makes a home: its key, its copy of the genesis and its settings. The
// birth record comes last: a home that has one is complete. It never overwrites
// a key, and makes nothing if the protocol refuses the configuration.
func Create(dir string, c Config, g *genesis.File, seed Seed) error {
	h := &Home{Dir: dir, Config: c, Genesis: g.Genesis, Seed: seed}
	if _, err := h.protocol(nil); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := WriteKey(h.KeyFile(), seed, ""); err != nil {
		return err
	}
	if err := genesis.Save(h.GenesisFile(), g); err != nil {
		return err
	}
	if err := files.WriteTOML(h.path(configName), configHeading, 0o644, &c); err != nil {
		return err
	}
	return storage.Init(h.DataDir(), h.identity())
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

// TranscriptDir is where it writes down what judges read.
func (h *Home) TranscriptDir() string { return h.path("transcript") }

// GenesisFile and KeyFile are the paths of the two.
func (h *Home) GenesisFile() string { return h.path(h.Config.Genesis) }
func (h *Home) KeyFile() string     { return h.path(h.Config.Key) }

// check holds the settings against the genesis. What only the engine or the node
// can judge, they do, before anything is started.
func (h *Home) check() error {
	c := &h.Config
	n := len(h.Genesis.Replicas)
	switch {
	case c.Replica < 0 || c.Replica >= n:
		return fmt.Errorf("%w: replica = %d, but the genesis has %d: ids begin with 0", files.ErrInvalid, c.Replica, n)
	case len(h.Addresses) != n:
		return fmt.Errorf("%w: addresses has %s for %s", files.ErrInvalid, noun.Several(len(h.Addresses), "entry"), noun.Several(n, "replica"))
	}
	if err := cmp.Or(checkAddress("listen", c.Listen), checkAddress("admin", c.Admin), c.Network.check()); err != nil {
		return err
	}
	if err := c.Engine.check(); err != nil {
		return err
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

// checkAddress looks at an address before anything is opened for it. That of admin may
// be empty.
func checkAddress(key, address string) error {
	if address == "" && key == "admin" || strings.HasPrefix(address, "/") && key == "listen" {
		return nil // none, or a multiaddress, which the network reads
	}
	host, port, err := net.SplitHostPort(address)
	_, numberErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numberErr != nil {
		return fmt.Errorf("%w: %s = %q: write host:port, such as 127.0.0.1:7000, with a port of at most 65535", files.ErrInvalid, key, address)
	}
	if _, zone, zoned := strings.Cut(host, "%"); zoned {
		if _, err := net.InterfaceByName(zone); err != nil && strings.Trim(zone, "0123456789") != "" {
			return fmt.Errorf("%w: %s = %q: this machine has no interface %q: correct what stands behind the %%", files.ErrInvalid, key, address, zone)
		}
	}
	return nil
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
				files.ErrInvalid, h.KeyFile(), i, h.Config.Replica)
		}
	}
	return fmt.Errorf("%w: key file %s has the key %s, but the genesis names %s for replica %d: put this replica's key or its cluster's genesis back",
		files.ErrInvalid, h.KeyFile(), have.Short(), want.Short(), h.Config.Replica)
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

// limits are the network's; zero fields mean its defaults.
func (h *Home) limits() p2p.Limits {
	n := h.Config.Network
	return p2p.Limits{Clients: n.Clients, ConnectionsPerIP: n.ConnectionsPerIP, ClientBytesIn: n.ClientBytesIn, ClientBytesOut: n.ClientBytesOut}
}
