package testnet

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/genesis"
	"quorate.dev/quorate/home"
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
// that holds one. After a failure, remove the directory.
func Init(o Options) (*Cluster, error) {
	if o.Protocol == "" {
		o.Protocol = protocol.PBFT
	}
	p, err := protocol.Lookup(o.Protocol)
	if err != nil {
		return nil, err
	}
	if o.Replicas == 0 {
		o.Replicas = p.Model.Least(1)
	}
	if _, err := p.Model.Of(o.Replicas); err != nil {
		return nil, err
	}
	if err := vacant(o.Dir); err != nil {
		return nil, err
	}
	c := &Cluster{Dir: o.Dir, Manifest: Manifest{Version: manifestVersion, Genesis: genesisName, ClientKey: clientKeyName, BenchKey: benchKeyName}}
	keys, err := o.keys()
	if err != nil {
		return nil, err
	}
	if err := c.createGenesis(&o, keys); err != nil {
		return nil, err
	}
	if err := c.provision(&o, keys); err != nil {
		return nil, fmt.Errorf("make the cluster in %s: %w", o.Dir, err)
	}
	return c, c.save()
}

// vacant refuses a directory that has anything of ours in it: to make keys
// anew over a running identity would hide an amnesia (PROTOCOL.md §8).
func vacant(dir string) error {
	for _, name := range []string{manifestName, "replica-0"} {
		_, err := os.Stat(filepath.Join(dir, name))
		if err == nil && name == manifestName {
			return fmt.Errorf("%w in %s: start it with `quorate testnet up --dir %s`", ErrExists, dir, dir)
		}
		if err == nil {
			return fmt.Errorf("%s has a %s but no %s, as after an interrupted init: remove it, or choose another --dir", dir, name, manifestName)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// keyring holds the private keys of a cluster in the making.
type keyring struct {
	replicas      []home.Seed
	client, bench home.Seed
	pool          []home.Seed // of more clients
}

// poolKeys is how many client keys a cluster has for commands that run at the
// same time: more than a person starts by hand.
const poolKeys = 8

// keys draws all private keys, or derives them from the seed.
func (o *Options) keys() (keyring, error) {
	draw := func(role string, i int) (home.Seed, error) {
		if o.Seed != "" {
			return derive(o.Seed, role, i), nil
		}
		return home.NewSeed()
	}
	k := keyring{replicas: make([]home.Seed, o.Replicas)}
	var err error
	for i := range k.replicas {
		if k.replicas[i], err = draw("replica", i); err != nil {
			return k, err
		}
	}
	if k.client, err = draw("client", 0); err != nil {
		return k, err
	}
	if k.bench, err = draw("client", 1); err != nil {
		return k, err
	}
	k.pool = make([]home.Seed, poolKeys-1)
	for i := range k.pool {
		if k.pool[i], err = draw("client", 2+i); err != nil {
			return k, err
		}
	}
	return k, nil
}

// createGenesis fixes the genesis and the ports.
func (c *Cluster) createGenesis(o *Options, keys keyring) error {
	var replicas []crypto.PublicKey
	for _, s := range keys.replicas {
		replicas = append(replicas, crypto.PublicOf(s))
	}
	name := o.Name
	if name == "" {
		name = "testnet"
	}
	g := consensus.NewGenesis(name, o.Protocol, replicas)
	g.Application, g.Testnet = o.Application, !o.Production
	g.Clients = []consensus.ClientEntry{
		{Key: crypto.PublicOf(keys.client), Role: consensus.RoleAdmin},
		{Key: crypto.PublicOf(keys.bench), Role: consensus.RoleWriter},
	}
	for i, s := range keys.pool {
		g.Clients = append(g.Clients, consensus.ClientEntry{Key: crypto.PublicOf(s), Role: consensus.RoleWriter})
		c.Manifest.ClientKeys = append(c.Manifest.ClientKeys, filepath.Join(clientsName, strconv.Itoa(i+1)+".key"))
	}
	if o.Adjust != nil {
		o.Adjust(&g)
	}
	if err := g.Validate(); err != nil {
		return err
	}
	if o.Hosts != nil && len(o.Hosts) != o.Replicas {
		return fmt.Errorf("%d hosts for %d replicas: one each", len(o.Hosts), o.Replicas)
	}
	ports, err := freePorts(2 * o.Replicas)
	if err != nil {
		return err
	}
	for i := range o.Replicas {
		dir, at := "replica-"+strconv.Itoa(i), loopback
		if o.Hosts != nil {
			at = func(port int) string { return net.JoinHostPort(o.Hosts[i], strconv.Itoa(port)) }
		}
		c.Manifest.Replicas = append(c.Manifest.Replicas, Place{
			ID: i, Home: dir, Address: at(ports[2*i]), Admin: at(ports[2*i+1]),
			Pid: filepath.Join(dir, pidName), Log: filepath.Join(dir, logName),
		})
	}
	c.Genesis = g
	return nil
}

// loopback is an address that only this machine reaches.
func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// provision writes everything but the manifest.
func (c *Cluster) provision(o *Options, keys keyring) error {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(c.Dir, clientsName), 0o700); err != nil {
		return err
	}
	for i, seed := range keys.pool {
		if err := home.WriteKey(c.path(c.Manifest.ClientKeys[i]), seed, ""); err != nil {
			return err
		}
	}
	for name, seed := range map[string]home.Seed{clientKeyName: keys.client, benchKeyName: keys.bench} {
		if err := home.WriteKey(filepath.Join(c.Dir, name), seed, ""); err != nil {
			return err
		}
	}
	if err := genesis.Save(filepath.Join(c.Dir, genesisName), c.genesisFile()); err != nil {
		return err
	}
	for i, seed := range keys.replicas {
		if err := c.provisionHome(o, i, seed); err != nil {
			return fmt.Errorf("replica %d: %w", i, err)
		}
	}
	return nil
}

// provisionHome makes one home.
func (c *Cluster) provisionHome(o *Options, i int, seed home.Seed) error {
	settings := home.DefaultConfig()
	settings.Replica, settings.Listen, settings.Admin = i, c.Manifest.Replicas[i].Address, c.Manifest.Replicas[i].Admin
	settings.Disk.Volatile = o.Volatile
	if o.Settings != nil {
		o.Settings(i, &settings)
	}
	return home.Create(c.Home(i), settings, c.genesisFile(), seed)
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
