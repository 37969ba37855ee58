package consensus

import (
	"errors"
	"strings"
	"testing"

	"quorate.dev/quorate/crypto"
)

func testGenesis() Genesis {
	g := NewGenesis("test", "pbft", []crypto.PublicKey{{1}, {2}, {3}, {4}})
	g.Clients = []ClientEntry{{Key: crypto.PublicKey{9}, Role: RoleWriter}}
	return g
}

// What agreement depends on is in the cluster id: each change makes another
// cluster.
func TestGenesisIDCoversEveryField(t *testing.T) {
	seen := map[crypto.Digest]string{}
	for name, change := range map[string]func(*Genesis){
		"nothing":        func(*Genesis) {},
		"name":           func(g *Genesis) { g.Name = "other" },
		"nonce":          func(g *Genesis) { g.Nonce[15] = 1 },
		"other nonce":    func(g *Genesis) { g.Nonce[0] = 1 },
		"all of them":    func(g *Genesis) { g.Application, g.Testnet, g.Nonce[15] = "bank", true, 1 },
		"protocol":       func(g *Genesis) { g.Protocol = "raft" },
		"epoch":          func(g *Genesis) { g.Epoch++ },
		"replica":        func(g *Genesis) { g.Replicas[2][7]++ },
		"fewer replicas": func(g *Genesis) { g.Replicas = g.Replicas[:3] },
		"order":          func(g *Genesis) { g.Replicas[0], g.Replicas[1] = g.Replicas[1], g.Replicas[0] },
		"open":           func(g *Genesis) { g.OpenClients = true },
		"client":         func(g *Genesis) { g.Clients[0].Key[3]++ },
		"role":           func(g *Genesis) { g.Clients[0].Role = RoleReader },
		"no client":      func(g *Genesis) { g.Clients = nil },
		"operation":      func(g *Genesis) { g.Limits.OperationBytes++ },
		"operations":     func(g *Genesis) { g.Limits.RequestOperations++ },
		"request":        func(g *Genesis) { g.Limits.RequestBytes++ },
		"batch":          func(g *Genesis) { g.Limits.BatchBytes++ },
		"batch requests": func(g *Genesis) { g.Limits.BatchRequests++ },
		"key":            func(g *Genesis) { g.Limits.KeyBytes++ },
		"value":          func(g *Genesis) { g.Limits.ValueBytes++ },
		"result":         func(g *Genesis) { g.Limits.ResultBytes++ },
		"steps":          func(g *Genesis) { g.Limits.OperationSteps++ },
		"sessions":       func(g *Genesis) { g.Limits.Sessions++ },
		"session bytes":  func(g *Genesis) { g.Limits.SessionBytes++ },
		"session idle":   func(g *Genesis) { g.Limits.SessionIdle++ },
		"interval":       func(g *Genesis) { g.CheckpointInterval++ },
		"window":         func(g *Genesis) { g.Window++ },
		"skew":           func(g *Genesis) { g.Skew++ },
		"unsafe":         func(g *Genesis) { g.UnsafeDemo = true },
		"quorum":         func(g *Genesis) { g.Quorum = 2 },
		"application":    func(g *Genesis) { g.Application = "bank" },
		"testnet":        func(g *Genesis) { g.Testnet = true },
		"both":           func(g *Genesis) { g.Application, g.Testnet = "bank", true },
		"faults":         func(g *Genesis) { g.UnsafeDemo, g.Faults = true, 1 },
	} {
		g := testGenesis()
		change(&g)
		id := g.ID()
		if other, twice := seen[id]; twice {
			t.Errorf("%s and %s make one cluster", name, other)
		}
		seen[id] = name
	}
}

// TestGenesisIDStays: a genesis that says nothing of later fields is the cluster
// that it was before they existed.
func TestGenesisIDStays(t *testing.T) {
	g := testGenesis()
	if got, want := g.ID().String(), "b2212ead36d13c51326db233105ea5b77c8a494f49de221879ebd8ebf77df844"; got != want {
		t.Errorf("the cluster id is %s, was %s", got, want)
	}
}

// A key that proves nothing is refused, whoever's it is.
func TestGenesisRefusesWeakKeys(t *testing.T) {
	strong := crypto.PublicOf([crypto.PrivateKeySize]byte{1})
	for name, test := range map[string]struct {
		g    Genesis
		weak bool
	}{
		"strong":           {Genesis{Replicas: []crypto.PublicKey{strong}, Clients: []ClientEntry{{Key: strong}}}, false},
		"small order":      {Genesis{Replicas: []crypto.PublicKey{strong, {1}}}, true},
		"no point":         {Genesis{Replicas: []crypto.PublicKey{{2}}}, true},
		"zero of a client": {Genesis{Clients: []ClientEntry{{Key: strong}, {}}}, true},
	} {
		if err := test.g.CheckKeys(); errors.Is(err, ErrGenesis) != test.weak || !test.weak && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGenesisValidate(t *testing.T) {
	good := testGenesis()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Genesis){
		"255 bytes":          func(g *Genesis) { g.Application = strings.Repeat("x", 256) },
		"choose 1 to 64":     func(g *Genesis) { g.Replicas = nil },
		"at least twice it":  func(g *Genesis) { g.Window = g.CheckpointInterval },
		"multiple":           func(g *Genesis) { g.Window++ },
		"request_operations": func(g *Genesis) { g.Limits.RequestOperations = 0 },
		"batch_requests":     func(g *Genesis) { g.Limits.BatchRequests = MaxBatchRequests + 1 },
		"request_bytes":      func(g *Genesis) { g.Limits.RequestBytes = MaxFrame },
		"batch_bytes":        func(g *Genesis) { g.Limits.BatchBytes = 0 },
		"key_bytes":          func(g *Genesis) { g.Limits.KeyBytes = MaxItemID },
		"value_bytes":        func(g *Genesis) { g.Limits.ValueBytes = MaxFrame },
		"session_idle":       func(g *Genesis) { g.Limits.SessionIdle = 0 },
		"skew":               func(g *Genesis) { g.Skew = -1 },
		"unsafe_demo":        func(g *Genesis) { g.Quorum = 2 },
		"key of another":     func(g *Genesis) { g.Replicas[3] = g.Replicas[0] },
		"is given twice":     func(g *Genesis) { g.Clients = append(g.Clients, g.Clients[0]) },
		"no role":            func(g *Genesis) { g.Clients[0].Role = RoleNone },
	} {
		g := testGenesis()
		change(&g)
		if err := g.Validate(); !errors.Is(err, ErrGenesis) || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %q, got %v", want, err)
		}
	}
}

func TestCheckRequest(t *testing.T) {
	g := testGenesis()
	g.Limits.OperationBytes, g.Limits.RequestOperations = 10, 2
	signer := crypto.NewSigner([32]byte{5})
	g.Clients = []ClientEntry{{Key: signer.Public(), Role: RoleReader}}
	sign := func(ops ...[]byte) *Request {
		return SignRequest(signer, g.ID(), Sequence{Epoch: 1, Counter: 1}, ops)
	}
	for name, c := range map[string]struct {
		request *Request
		want    RefusalCode
	}{
		"good":                {sign([]byte("0123456789")), 0},
		"operation too large": {sign([]byte("0123456789a")), RefusedTooLarge},
		"too many operations": {sign(nil, nil, nil), RefusedTooLarge},
		"a stranger":          {SignRequest(testSigner, g.ID(), Sequence{Epoch: 1, Counter: 1}, [][]byte{{1}}), RefusedUnknownClient},
	} {
		if got := g.CheckRequest(g.Roles(), c.request); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	g.OpenClients = true
	if got := g.Roles().Of(testSigner.Public()); got != RoleWriter {
		t.Errorf("a stranger in an open cluster has role %d", got)
	}
	if got := g.Roles().Of(signer.Public()); got != RoleReader {
		t.Errorf("a listed reader in an open cluster has role %d", got)
	}
}
