package testnet

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
)

// Options say what Init makes.
type Options struct {
	Dir      string
	Protocol string // as package protocol names it; "" = PBFT
	// Application names the state machine that the replicas run; "" = the
	// key-value store. Processes run another only if they call Serve with it.
	Application string
	Production  bool                        // without the mark of a testnet: no replica can be made a traitor
	Replicas    int                         // 0 = as many as one fault takes: 4 of PBFT, 3 of Raft
	Seed        string                      // keys derive from it; "" draws them. Never for real use: who knows it has all keys
	Name        string                      // of the cluster; "" = "testnet"
	Volatile    bool                        // replicas never sync: measurements only
	Hosts       []string                    // addresses of the replicas' hosts; nil = all on loopback
	Adjust      func(*consensus.Genesis)    // changes the genesis before it is written; nil = leave it
	Settings    func(i int, c *home.Config) // changes a home's settings before they are written; nil = leave them
}

// ErrExists: there is a cluster already.
var ErrExists = errors.New("there is a cluster already")

// Init makes keys, genesis, homes with birth records, and the manifest, which
// comes last: a directory without one is not a cluster. It refuses a directory
// that holds one. After a failure what it made is gone again, and nothing else.
func Init(o Options) (*Cluster, error) {
	o.Protocol = cmp.Or(o.Protocol, protocol.PBFT)
	p, err := protocol.Lookup(o.Protocol)
	if err != nil {
		return nil, err
	}
	o.Replicas = cmp.Or(o.Replicas, p.Model.Least(1))
	if _, err := p.Model.Of(o.Replicas); err != nil {
		return nil, err
	}
	k := creation{Options: o, Cluster: &Cluster{Dir: o.Dir, Manifest: Manifest{Version: manifestVersion, Genesis: genesisName, ClientKey: clientKeyName, BenchKey: benchKeyName}}}
	if err := k.vacant(); err != nil {
		return nil, err
	}
	if err := k.createGenesis(); err != nil {
		return nil, err
	}
	if err := k.exclusively(k.provision); err != nil {
		return nil, err
	}
	return k.Cluster, nil
}

// exclusively makes the directory if need be, and does something in it while no other
// init does. If that fails, it removes what was made.
func (k *creation) exclusively(do func() error) error {
	dir, made := k.path("."), missing(k.path("."))
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		// Two cannot both make it: the other one's files are not removed here.
		if err = os.Mkdir(k.path(clientsName), 0o700); errors.Is(err, fs.ErrExist) {
			return busy(dir)
		}
	}
	if err == nil {
		if err = do(); err == nil {
			return nil
		}
		for _, name := range k.names() {
			err = errors.Join(err, os.RemoveAll(k.path(name)))
		}
	}
	for _, made := range made {
		_ = os.Remove(made) // it is empty again, or stays
	}
	return fmt.Errorf("make the cluster in %s: %w", dir, roomy(err))
}

// missing are the directories on the way to one that are not there, the last first.
func missing(dir string) (all []string) {
	for dir = filepath.Clean(dir); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return all
		}
		all = append(all, dir)
	}
}

// roomy says what to do about a full disk.
func roomy(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: make room on the disk, and run it again; what it had made is removed", err)
	}
	return err
}

// creation is a cluster in the making.
type creation struct {
	Options
	*Cluster
	replicas []home.Seed
	clients  []clientKey // the default client, the one of bench, and the pool
}

// clientKey is the key of a client, and the file for it.
type clientKey struct {
	seed home.Seed
	file string
}

// names are what is made in the directory. The claim on it is the last.
func (k *creation) names() []string {
	names := []string{manifestName, genesisName, clientKeyName, benchKeyName}
	for i := range k.Options.Replicas {
		names = append(names, homeName(i))
	}
	return append(names, clientsName)
}

// homeName is the directory of replica i within the cluster's.
func homeName(i int) string { return "replica-" + strconv.Itoa(i) }

// vacant refuses a directory that has anything of ours in it: to make keys
// anew over a running identity would hide an amnesia (PROTOCOL.md §8).
func (k *creation) vacant() error {
	dir := k.path(".")
	if _, err := os.Stat(k.path(manifestName)); err == nil {
		if c, err := Open(dir); err == nil {
			if err := c.Elsewhere(); err != nil {
				return fmt.Errorf("%w in %s: %w", ErrExists, dir, err)
			}
		}
		return fmt.Errorf("%w in %s: start it with `quorate testnet up --dir %s`", ErrExists, dir, dir)
	}
	for _, name := range k.names() {
		_, err := os.Lstat(k.path(name))
		if err == nil {
			return fmt.Errorf("%s has a %s but no %s: put that file back from its backup; only if nothing ever ran here, as after an interrupted init, remove the directory, or choose another --dir", dir, name, manifestName)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// poolKeys is how many client keys a cluster has for commands that run at the
// same time: more than a person starts by hand.
const poolKeys = 8

// draw draws a private key, or derives it from the seed.
func (k *creation) draw(role string, i int) (home.Seed, error) {
	if k.Seed != "" {
		return derive(k.Seed, role, i), nil
	}
	return home.NewSeed()
}

// createKeys makes all keys, and says where those of clients go.
func (k *creation) createKeys() error {
	for i := range k.Replicas {
		seed, err := k.draw("replica", i)
		if err != nil {
			return err
		}
		k.replicas = append(k.replicas, seed)
	}
	files := []string{clientKeyName, benchKeyName}
	for i := range poolKeys - 1 {
		file := filepath.Join(clientsName, strconv.Itoa(i+1)+".key")
		files, k.Manifest.ClientKeys = append(files, file), append(k.Manifest.ClientKeys, file)
	}
	for i, file := range files {
		seed, err := k.draw("client", i)
		if err != nil {
			return err
		}
		k.clients = append(k.clients, clientKey{seed, file})
	}
	return nil
}

// createGenesis makes the keys and fixes the genesis and the ports.
func (k *creation) createGenesis() error {
	if err := k.createKeys(); err != nil {
		return err
	}
	var replicas []crypto.PublicKey
	for _, s := range k.replicas {
		replicas = append(replicas, crypto.PublicOf(s))
	}
	g := consensus.NewGenesis(cmp.Or(k.Name, "testnet"), k.Protocol, replicas)
	g.Application, g.Testnet = k.Application, !k.Production
	// Also if the keys come from a seed: what a cluster before this one signed
	// with them must not count in this one.
	if _, err := rand.Read(g.Nonce[:]); err != nil {
		return fmt.Errorf("random numbers: %w", err)
	}
	for i, c := range k.clients {
		role := consensus.RoleWriter
		if i == 0 {
			role = consensus.RoleAdmin
		}
		g.Clients = append(g.Clients, consensus.ClientEntry{Key: crypto.PublicOf(c.seed), Role: role})
	}
	if k.Adjust != nil {
		k.Adjust(&g)
	}
	if err := cmp.Or(g.Validate(), g.CheckKeys()); err != nil {
		return err
	}
	k.Genesis = g
	return k.place()
}

// place gives every replica a home and addresses.
func (k *creation) place() error {
	if k.Hosts != nil && len(k.Hosts) != k.Replicas {
		return fmt.Errorf("%s for %s: one each", noun.Several(len(k.Hosts), "host"), noun.Several(k.Replicas, "replica"))
	}
	ports, err := freePorts(2 * k.Replicas)
	if err != nil {
		return err
	}
	for i := range k.Replicas {
		dir, at := homeName(i), loopback
		if k.Hosts != nil {
			at = func(port int) string { return net.JoinHostPort(k.Hosts[i], strconv.Itoa(port)) }
		}
		k.Manifest.Replicas = append(k.Manifest.Replicas, Place{
			ID: i, Home: dir, Address: at(ports[2*i]), Admin: at(ports[2*i+1]),
			Pid: filepath.Join(dir, pidName), Log: filepath.Join(dir, logName),
		})
	}
	return nil
}

// loopback is an address that only this machine reaches.
func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// provision writes everything, the manifest last.
func (k *creation) provision() error {
	for i, seed := range k.replicas {
		settings := home.DefaultConfig()
		settings.Replica, settings.Listen, settings.Admin = i, k.Manifest.Replicas[i].Address, k.Manifest.Replicas[i].Admin
		settings.Disk.Volatile = k.Volatile
		if k.Genesis.Testnet {
			settings.Record.Level = home.RecordAll // so that answers can be judged
		}
		if k.Settings != nil {
			k.Settings(i, &settings)
		}
		if err := home.Create(k.Home(i), settings, k.genesisFile(), seed); err != nil {
			return fmt.Errorf("replica %d: %w", i, err)
		}
	}
	for _, c := range k.clients {
		if err := home.WriteKey(k.path(c.file), c.seed, ""); err != nil {
			return err
		}
	}
	return cmp.Or(genesis.Save(k.path(genesisName), k.genesisFile()), k.save())
}

// genesisFile is the genesis with the addresses of the manifest.
func (c *Cluster) genesisFile() *genesis.File {
	return &genesis.File{Genesis: c.Genesis, Addresses: c.Addresses()}
}

// derive makes the key of one role and number from a text. Anybody who knows
// the text has all keys: it is for tests and demonstrations.
func derive(text, role string, number int) home.Seed {
	return home.Seed(crypto.Hash(fmt.Appendf(nil, "quorate/testnet/key\x00%d:%s\x00%s\x00%d", len(text), text, role, number)))
}
