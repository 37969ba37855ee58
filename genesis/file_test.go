package genesis

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// saved is a genesis in a file.
type saved struct {
	path string
	file File
}

// save writes the genesis of so many replicas, whose keys derive from their ids.
func save(t *testing.T, replicas int, adjust func(*consensus.Genesis)) saved {
	t.Helper()
	s := saved{path: filepath.Join(t.TempDir(), "genesis.toml")}
	var keys []crypto.PublicKey
	for i := range replicas {
		keys = append(keys, keyOf(i))
		s.file.Addresses = append(s.file.Addresses, fmt.Sprintf("127.0.0.1:%d", 9000+i))
	}
	s.file.Genesis = consensus.NewGenesis("testnet", "pbft", keys)
	s.file.Genesis.Clients = []consensus.ClientEntry{{Key: keyOf(replicas), Role: consensus.RoleAdmin}}
	if adjust != nil {
		adjust(&s.file.Genesis)
	}
	if err := Save(s.path, &s.file); err != nil {
		t.Fatal(err)
	}
	return s
}

func keyOf(i int) crypto.PublicKey { return crypto.PublicOf([crypto.PrivateKeySize]byte{byte(i + 1)}) }

// TestGenesisSurvivesItsFile: what is written is read back as it was, so that
// the cluster id does not depend on who read which file.
func TestGenesisSurvivesItsFile(t *testing.T) {
	c := save(t, 7, func(g *consensus.Genesis) {
		g.Nonce = [16]byte{1, 15: 9}
		g.OpenClients, g.Skew, g.Limits.SessionIdle, g.CheckpointInterval, g.Window = true, 7e9, 90e9, 16, 64
	})
	read, err := Load(c.path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*read, c.file) {
		t.Errorf("got %+v, want %+v", *read, c.file)
	}
}

// TestGenesisOfADemonstration: a wish for more faults than the bound allows is
// written, read back, and refused without unsafe_demo.
func TestGenesisOfADemonstration(t *testing.T) {
	c := save(t, 3, func(g *consensus.Genesis) { g.UnsafeDemo, g.Faults, g.Quorum = true, 1, 2 })
	path := c.path
	read, err := Load(path)
	if err != nil || read.Genesis.Faults != 1 || read.Genesis.ID() != c.file.Genesis.ID() {
		t.Fatalf("got %+v, %v", read, err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), "unsafe_demo = true", "unsafe_demo = false", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "unsafe_demo = true") {
		t.Errorf("without unsafe_demo: %v", err)
	}
}

// TestGenesisErrorsSayWhatToDo: one line each, which names the place.
func TestGenesisErrorsSayWhatToDo(t *testing.T) {
	c := save(t, 4, nil)
	b, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	zero := strings.Repeat("0", 64)
	for name, test := range map[string]struct{ from, to, want string }{
		"unknown key":      {"window = ", "windows = ", `unknown key "windows"`},
		"unknown limit":    {"value_bytes", "value_byte", `unknown key "limits.value_byte"`},
		"role":             {"role = 'admin'", "role = 'king'", `role "king": write reader, writer or admin`},
		"key":              {c.file.Genesis.Replicas[1].String(), "abc", "replica 1: public key"},
		"weak key":         {c.file.Genesis.Replicas[1].String(), zero, "is weak"},
		"long nonce":       {"protocol = ", "nonce = '" + zero + "'\nprotocol = ", "nonce \"" + zero + "\": put back the 32"},
		"short nonce":      {"protocol = ", "nonce = '00'\nprotocol = ", "put back the 32"},
		"no nonce":         {"protocol = ", "nonce = 'xyz'\nprotocol = ", "put back the 32"},
		"key twice":        {c.file.Genesis.Replicas[1].String(), c.file.Genesis.Replicas[0].String(), "has the key of another"},
		"window":           {"window = 256", "window = 100", "must be a multiple"},
		"protocol":         {"protocol = 'pbft'", "protocol = 'zab'", "zab"},
		"addresses":        {"'" + c.file.Addresses[0] + "',", "", "contact.addresses has 3 entries for 4 replicas"},
		"another cluster":  {"name = 'testnet'", "name = 'other'", "something above was changed"},
		"not a duration":   {"skew = '2s'", "skew = 'two'", `"two" is not a duration`},
		"no TOML":          {"name = ", "name name ", "genesis.toml:4: expected"},
		"unsafe by choice": {"open_clients", "quorum = 2\nopen_clients", "unsafe_demo"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(good, test.from) {
				t.Fatalf("the file has no %q", test.from)
			}
			path := filepath.Join(t.TempDir(), "genesis.toml")
			bad := strings.Replace(good, test.from, test.to, 1)
			if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, test.want)
			}
		})
	}
}

// FuzzGenesis: whatever a file holds, reading it does not panic, and what is
// accepted is written and read back as the same cluster.
func FuzzGenesis(f *testing.F) {
	dir := f.TempDir()
	g := consensus.NewGenesis("fuzz", "pbft", []crypto.PublicKey{keyOf(0)})
	seed := filepath.Join(dir, "seed.toml")
	if err := Save(seed, &File{Genesis: g, Addresses: []string{"127.0.0.1:1"}}); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(seed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("replicas = [1"))
	f.Add([]byte("[limits]\nvalue_bytes = -1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "genesis.toml")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		read, err := Load(path)
		if err != nil {
			return
		}
		if err := Save(path, read); err != nil {
			t.Fatal(err)
		}
		again, err := Load(path)
		if err != nil || again.Genesis.ID() != read.Genesis.ID() {
			t.Errorf("read back: %v", err)
		}
	})
}
