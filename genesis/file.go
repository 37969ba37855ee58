package genesis

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/files"
	"quorate.dev/quorate/protocol"
)

// File is what a genesis file says: the genesis, and beside it what helps
// to find the members but is not agreed on.
type File struct {
	Genesis   consensus.Genesis
	Addresses []string // of the replicas, by id; empty if the file has none
}

// form is the file's form. All keys but those of contact are part of
// the cluster id.
type form struct {
	Name               string         `toml:"name"`
	Nonce              string         `toml:"nonce,omitempty" comment:"random: another cluster with the same keys and name has another id"`
	Protocol           string         `toml:"protocol" comment:"\"pbft\", or \"raft\", which trusts its members"`
	Application        string         `toml:"application,omitempty" comment:"the name of the state machine; none = the key-value store"`
	Testnet            bool           `toml:"testnet,omitempty" comment:"replicas may be told to lie, by quorate testnet corrupt: tests and demonstrations only"`
	Epoch              uint64         `toml:"epoch" comment:"configuration epoch"`
	CheckpointInterval uint64         `toml:"checkpoint_interval" comment:"K: sequence numbers between two checkpoints"`
	Window             uint64         `toml:"window" comment:"L: a multiple of K, at least 2K"`
	Skew               files.Duration `toml:"skew" comment:"how far correct clocks may differ"`
	UnsafeDemo         bool           `toml:"unsafe_demo,omitempty" comment:"allows a quorum that is too small: demonstrations only"`
	Quorum             int            `toml:"quorum,omitempty" comment:"0 = the right one"`
	Faults             int            `toml:"faults,omitempty" comment:"0 = as many as the bound allows; more needs unsafe_demo"`
	OpenClients        bool           `toml:"open_clients" comment:"true: any key may write"`
	Replicas           []string       `toml:"replicas" comment:"public keys; a replica's id is its place, from 0"`
	Clients            []clientEntry  `toml:"clients,omitempty"`
	Limits             limits         `toml:"limits" comment:"bytes, unless said otherwise"`
	Contact            contact        `toml:"contact,omitempty" comment:"Not part of the cluster id. cluster_id, if it is there, must be the id of all the rest."`
}

// clientEntry admits one client.
type clientEntry struct {
	Key  string `toml:"key"`
	Role string `toml:"role" comment:"reader, writer or admin"`
}

// limits are consensus.Limits under the names that its errors use.
type limits struct {
	OperationBytes    int            `toml:"operation_bytes"`
	RequestOperations int            `toml:"request_operations" comment:"a number"`
	RequestBytes      int            `toml:"request_bytes"`
	BatchBytes        int            `toml:"batch_bytes"`
	BatchRequests     int            `toml:"batch_requests" comment:"a number"`
	KeyBytes          int            `toml:"key_bytes"`
	ValueBytes        int            `toml:"value_bytes"`
	ResultBytes       int            `toml:"result_bytes"`
	OperationSteps    int            `toml:"operation_steps" comment:"reads, writes and visited entries of one operation"`
	Sessions          int            `toml:"sessions" comment:"a number"`
	SessionBytes      int            `toml:"session_bytes"`
	SessionIdle       files.Duration `toml:"session_idle"`
}

// contact helps to find the members. Addresses may change without making another
// cluster of it, so they are not hashed.
type contact struct {
	ClusterID string   `toml:"cluster_id,omitempty"`
	Addresses []string `toml:"addresses,omitempty" comment:"of the replicas, by id: host:port"`
}

// roleNames are the roles as files write them.
var roleNames = map[consensus.Role]string{
	consensus.RoleReader: "reader", consensus.RoleWriter: "writer", consensus.RoleAdmin: "admin",
}

// Load reads and checks a genesis file. Keys that are left out have
// their defaults, which a written file always states.
func Load(path string) (*File, error) {
	f := formOf(consensus.NewGenesis("", protocol.PBFT, nil), nil)
	f.Contact = contact{}
	if err := files.ReadTOML(path, &f); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("genesis file %s does not exist: copy the cluster's there", path)
		}
		return nil, err
	}
	g, err := f.checked()
	if err != nil {
		return nil, fmt.Errorf("genesis file %s: %w", path, err)
	}
	return g, nil
}

// checked checks everything that the file says, so that what comes out can be
// used without a further look.
func (f *form) checked() (*File, error) {
	g := consensus.Genesis{
		Name: f.Name, Protocol: f.Protocol, Application: f.Application, Testnet: f.Testnet, Epoch: f.Epoch, OpenClients: f.OpenClients,
		CheckpointInterval: consensus.Seq(f.CheckpointInterval), Window: consensus.Seq(f.Window),
		Skew: consensus.Time(f.Skew), UnsafeDemo: f.UnsafeDemo, Quorum: f.Quorum, Faults: f.Faults, Limits: f.Limits.genesis(),
	}
	nonce, err := parseNonce(f.Nonce)
	if err != nil {
		return nil, err
	}
	g.Nonce = nonce
	for i, text := range f.Replicas {
		k, err := crypto.ParsePublicKey(text)
		if err != nil {
			return nil, fmt.Errorf("replica %d: %w", i, err)
		}
		g.Replicas = append(g.Replicas, k)
	}
	for i, c := range f.Clients {
		k, err := crypto.ParsePublicKey(c.Key)
		if err != nil {
			return nil, fmt.Errorf("client %d: %w", i, err)
		}
		role, err := parseRole(c.Role)
		if err != nil {
			return nil, fmt.Errorf("client %d: %w", i, err)
		}
		g.Clients = append(g.Clients, consensus.ClientEntry{Key: k, Role: role})
	}
	if err := cmp.Or(g.Validate(), g.CheckKeys()); err != nil {
		return nil, err
	}
	if _, err := protocol.System(g); err != nil {
		return nil, err
	}
	return &File{Genesis: g, Addresses: f.Contact.Addresses}, f.Contact.check(&g)
}

// check holds the unhashed part against the genesis.
func (c *contact) check(g *consensus.Genesis) error {
	if n := len(c.Addresses); n != 0 && n != len(g.Replicas) {
		return fmt.Errorf("%w: contact.addresses has %d entries for %d replicas", files.ErrInvalid, n, len(g.Replicas))
	}
	if c.ClusterID != "" && c.ClusterID != g.ID().String() {
		return fmt.Errorf("%w: its cluster id is %s, but contact.cluster_id says %.8s: something above was changed: put the cluster's own genesis file back; another cluster needs homes of its own, and no cluster_id",
			files.ErrInvalid, g.ID().Short(), c.ClusterID)
	}
	return nil
}

// parseRole reads a role. There is no default: who may write is never a guess.
func parseRole(text string) (consensus.Role, error) {
	for role, name := range roleNames {
		if name == text {
			return role, nil
		}
	}
	return consensus.RoleNone, fmt.Errorf("%w: role %q: write reader, writer or admin", files.ErrInvalid, text)
}

// parseNonce reads the nonce; a cluster that was made without has none.
func parseNonce(text string) (nonce [16]byte, err error) {
	b, err := hex.DecodeString(text)
	if n := copy(nonce[:], b); err != nil || len(b) != n || n != len(nonce) && text != "" {
		return nonce, fmt.Errorf("%w: nonce %q: put back the 32 hexadecimal digits that the cluster's own genesis has", files.ErrInvalid, text)
	}
	return nonce, nil
}

// nonceText is the nonce as files write it; "" if there is none.
func nonceText(nonce [16]byte) string {
	if nonce == [16]byte{} {
		return ""
	}
	return hex.EncodeToString(nonce[:])
}

// genesis is the limits as the contract has them.
func (l *limits) genesis() consensus.Limits {
	return consensus.Limits{
		OperationBytes: l.OperationBytes, RequestOperations: l.RequestOperations, RequestBytes: l.RequestBytes,
		BatchBytes: l.BatchBytes, BatchRequests: l.BatchRequests, KeyBytes: l.KeyBytes, ValueBytes: l.ValueBytes,
		ResultBytes: l.ResultBytes, OperationSteps: l.OperationSteps, Sessions: l.Sessions,
		SessionBytes: l.SessionBytes, SessionIdle: consensus.Time(l.SessionIdle),
	}
}

// formOf is the file of a genesis, with every key stated: a default that changes in
// a later version must not change the cluster id.
func formOf(g consensus.Genesis, addresses []string) form {
	l := g.Limits
	f := form{
		Name: g.Name, Nonce: nonceText(g.Nonce), Protocol: g.Protocol, Application: g.Application, Testnet: g.Testnet, Epoch: g.Epoch, OpenClients: g.OpenClients,
		CheckpointInterval: uint64(g.CheckpointInterval), Window: uint64(g.Window), Skew: files.Duration(g.Skew),
		UnsafeDemo: g.UnsafeDemo, Quorum: g.Quorum, Faults: g.Faults,
		Limits: limits{
			OperationBytes: l.OperationBytes, RequestOperations: l.RequestOperations, RequestBytes: l.RequestBytes,
			BatchBytes: l.BatchBytes, BatchRequests: l.BatchRequests, KeyBytes: l.KeyBytes, ValueBytes: l.ValueBytes,
			ResultBytes: l.ResultBytes, OperationSteps: l.OperationSteps, Sessions: l.Sessions,
			SessionBytes: l.SessionBytes, SessionIdle: files.Duration(l.SessionIdle),
		},
		Contact: contact{ClusterID: g.ID().String(), Addresses: addresses},
	}
	for _, k := range g.Replicas {
		f.Replicas = append(f.Replicas, k.String())
	}
	for _, c := range g.Clients {
		f.Clients = append(f.Clients, clientEntry{Key: c.Key.String(), Role: roleNames[c.Role]})
	}
	return f
}

// heading stands above the keys.
const heading = `# The genesis: what all members agree on before they start. Its hash is the
# cluster id, so a changed file is another cluster.

`

// Save writes a genesis file.
func Save(path string, f *File) error {
	return files.WriteTOML(path, heading, 0o644, formOf(f.Genesis, f.Addresses))
}
