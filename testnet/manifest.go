package testnet

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/internal/files"
	"quorate.dev/quorate/internal/noun"
)

// Names in a cluster's directory and in a home.
const (
	manifestName  = "testnet.toml"
	genesisName   = "genesis.toml"
	clientKeyName = "client.key"
	benchKeyName  = "bench.key"
	clientsName   = "clients"
	keyName       = "key"
	dataName      = "data"
	pidName       = "pid"
	logName       = "log"
)

// manifestVersion is the format that this program writes and reads.
const manifestVersion = 1

// Manifest is testnet.toml. Paths are relative to its directory.
type Manifest struct {
	Version    int      `toml:"version"`
	Genesis    string   `toml:"genesis"`
	ClientKey  string   `toml:"client_key"`
	ClientKeys []string `toml:"client_keys,omitempty" comment:"more client keys: each command takes a free one"`
	BenchKey   string   `toml:"bench_key" comment:"of quorate bench, so that it disturbs no other client's session"`
	Coalition  []int    `toml:"gang,omitempty" comment:"TRAITORS THAT SHARE THEIR PRIVATE KEYS: each of them signs for all of them, as soon as it has a behaviour"`
	Traitors   []int    `toml:"turned,omitempty" comment:"replicas that were traitors at some time: quorate check expects nothing of them"`
	Replicas   []Place  `toml:"replicas"`
}

// Place is where one replica lives.
type Place struct {
	ID      int    `toml:"id"`
	Home    string `toml:"home"`
	Address string `toml:"address" comment:"for replicas and clients"`
	Admin   string `toml:"admin" comment:"health, status, metrics and pprof"`
	Pid     string `toml:"pid_file"`
	Log     string `toml:"log"`
	// Byzantine is what makes a traitor of the replica; none for the honest.
	Byzantine []string `toml:"byzantine,omitempty" comment:"THIS REPLICA LIES, in the ways that quorate byzantine list names"`
}

// DefaultDir is where commands look for a cluster unless they are told otherwise.
const DefaultDir = "quorate-testnet"

// Advice is a command line that people are told to run for the cluster in dir.
func Advice(dir, command string, args ...string) string {
	words := []string{"quorate", command}
	if dir != DefaultDir {
		words = append(words, "--dir", dir)
	}
	return "`" + strings.Join(append(words, args...), " ") + "`"
}

// ErrNoCluster: there is no manifest where one was looked for.
var ErrNoCluster = errors.New("no cluster")

// Cluster is the network that a directory describes.
type Cluster struct {
	Dir      string
	Manifest Manifest
	Genesis  consensus.Genesis
	// Command runs one home as a process, given its directory; Up and its
	// like start it. Nil stands for this program's `node --home`.
	Command func(dir string) []string
	// Runs is the application of that program. If it is known, nothing is stopped
	// or deleted for a start that would be refused.
	Runs app.Application
	// Tied lets replicas that are started from here on end with this process,
	// however that ends: for clusters that nobody else knows.
	Tied bool
}

// Open reads the manifest and the genesis in dir.
func Open(dir string) (*Cluster, error) {
	c, err := OpenManifest(dir)
	if err != nil {
		return nil, err
	}
	g, err := genesis.Load(c.path(c.Manifest.Genesis))
	if err != nil {
		return nil, err
	}
	c.Genesis = g.Genesis
	return c, c.check(filepath.Join(dir, manifestName))
}

// OpenManifest reads the manifest alone, which is all that Down needs: what runs
// can be stopped when the genesis is damaged, too. Genesis is empty.
func OpenManifest(dir string) (*Cluster, error) {
	c := &Cluster{Dir: dir}
	path := filepath.Join(dir, manifestName)
	if err := files.ReadTOML(path, &c.Manifest); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w in %s: start one with `quorate testnet up --dir %s`, or name another with --dir or QUORATE_DIR", ErrNoCluster, dir, dir)
		}
		return nil, err
	}
	if c.Manifest.Version == 0 {
		return nil, fmt.Errorf("%w: %s has no version, it is empty or cut short: put it back from its backup", files.ErrInvalid, path)
	}
	if c.Manifest.Version != manifestVersion {
		return nil, fmt.Errorf("%w: %s has version %d, this program knows %d: use the program that made it", files.ErrInvalid, path, c.Manifest.Version, manifestVersion)
	}
	for i, p := range c.Manifest.Replicas {
		if p.ID != i || p.Home == "" || p.Address == "" || p.Admin == "" || p.Pid == "" || p.Log == "" {
			return nil, fmt.Errorf("%w: %s: replica %d needs id = %d, home, address, admin, pid_file and log", files.ErrInvalid, path, i, i)
		}
	}
	return c, nil
}

// check holds the manifest against the genesis.
func (c *Cluster) check(path string) error {
	if len(c.Manifest.Replicas) != len(c.Genesis.Replicas) {
		return fmt.Errorf("%w: %s has %s, the genesis %d: put the right genesis back", files.ErrInvalid, path, noun.Several(len(c.Manifest.Replicas), "replica"), len(c.Genesis.Replicas))
	}
	for i, p := range c.Manifest.Replicas {
		if _, err := parseAll(p.Byzantine); err != nil {
			return fmt.Errorf("%w: %s: replica %d: %w", files.ErrInvalid, path, i, err)
		}
		if len(p.Byzantine) > 0 && !c.Genesis.Testnet {
			return fmt.Errorf("%w: %s: replica %d: byzantine needs a genesis with testnet = true: remove it, or make a new cluster", files.ErrInvalid, path, i)
		}
	}
	if err := c.checkCoalition(c.Manifest.Coalition); err != nil {
		return fmt.Errorf("%w: %s: gang: %w", files.ErrInvalid, path, err)
	}
	return nil
}

// path resolves a path of the manifest, so that a cluster's directory can be moved.
func (c *Cluster) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.Dir, p)
}

// Size is the number of replicas.
func (c *Cluster) Size() int { return len(c.Manifest.Replicas) }

// ClientKey is the file of the default client's key, and BenchKey that of
// quorate bench.
func (c *Cluster) ClientKey() string { return c.path(c.Manifest.ClientKey) }

// ClientKeys are the files of all client keys that commands share, the default
// client's first. A cluster of an older program has that one only.
func (c *Cluster) ClientKeys() []string {
	pool := []string{c.ClientKey()}
	for _, name := range c.Manifest.ClientKeys {
		pool = append(pool, c.path(name))
	}
	return pool
}

// BenchKey is the file of the key for measurements.
func (c *Cluster) BenchKey() string { return c.path(c.Manifest.BenchKey) }

// Home is the directory of replica i.
func (c *Cluster) Home(i int) string { return c.path(c.Manifest.Replicas[i].Home) }

// Fits is an error if the home of replica i is another replica's, or of another cluster.
func (c *Cluster) Fits(i int) error { return c.replica(i).isOf(&c.Genesis) }

// Addresses of the replicas, by id.
func (c *Cluster) Addresses() []string {
	addresses := make([]string, c.Size())
	for i, p := range c.Manifest.Replicas {
		addresses[i] = p.Address
	}
	return addresses
}

// Has answers an error that names the possible numbers if there is no replica i.
func (c *Cluster) Has(i int) error {
	if i < 0 || i >= c.Size() {
		return fmt.Errorf("no replica %d: the cluster in %s has 0 to %d", i, c.Dir, c.Size()-1)
	}
	return nil
}

// manifestHeading stands above the keys.
const manifestHeading = `# A cluster on this machine: quorate testnet up, status, down and their like
# read this. Ports are chosen once, when the cluster is made.

`

// save writes the manifest.
func (c *Cluster) save() error {
	return files.WriteTOML(filepath.Join(c.Dir, manifestName), manifestHeading, 0o644, c.Manifest)
}
