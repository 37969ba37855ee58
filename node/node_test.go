package node

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/p2p"
	"quorate.dev/quorate/storage"
)

// Four replicas over real sockets: requests, the primary killed, a view change,
// the primary back and caught up.
func TestFourNodesSurviveTheirPrimary(t *testing.T) {
	c := newCluster(t, 4)
	a := c.dial("client")
	for i := range 12 {
		mustPut(a, 4, fmt.Sprint("before ", i))
	}
	ready := a.statusOf(1, "readiness", func(r consensus.Report) bool { return r.Ready })
	if ready.Primary != 0 || ready.View != 0 {
		t.Fatalf("in view %d with primary %d", ready.View, ready.Primary)
	}
	c.stop(0)
	mustPut(a, 4, "after")
	if s := a.statusOf(2, "a later view", func(r consensus.Report) bool { return r.View > 0 && !r.Changing }); s.Primary == 0 {
		t.Fatalf("view %d has the dead primary", s.View)
	}
	for i := range 12 {
		mustGet(a, 4, fmt.Sprint("before ", i))
	}
	mustGet(a, 4, "after")
	c.start(0)
	for i := range 40 {
		mustPut(a, 4, fmt.Sprint("again ", i))
	}
	other := a.statusOf(1, "a checkpoint", func(r consensus.Report) bool { return r.RootSeq >= 40 })
	back := a.statusOf(0, "R0 to catch up", func(r consensus.Report) bool { return r.RootSeq >= other.RootSeq && r.Ready })
	if back.RootSeq == other.RootSeq && back.Root != other.Root {
		t.Fatalf("roots at %d differ: %s and %s", back.RootSeq, back.Root, other.Root)
	}
}

// All replicas at once, as after a power loss: what was answered is there.
func TestAllNodesRestart(t *testing.T) {
	c := newCluster(t, 4)
	a := c.dial("client")
	for i := range 20 {
		mustPut(a, 4, fmt.Sprint("k", i))
	}
	for i := range 4 {
		c.stop(i)
	}
	for i := range 4 {
		c.start(i)
	}
	for i := range 20 {
		mustGet(a, 4, fmt.Sprint("k", i))
	}
}

// A wiped replica rejoins by itself, and its amnesia ends on disk too
// (PROTOCOL.md §8).
func TestWipedNodeRejoins(t *testing.T) {
	c := newCluster(t, 4)
	a := c.dial("client")
	for i := range 20 {
		mustPut(a, 4, fmt.Sprint("k", i))
	}
	c.stop(3)
	if err := os.RemoveAll(c.homes[3]); err != nil {
		t.Fatal(err)
	}
	c.start(3)
	a.statusOf(3, "R3 to rejoin", func(r consensus.Report) bool { return !r.Rejoining && r.Ready && r.Stable > 20 })
	mustGet(a, 4, "k19")
	identity := c.nodes[3].identity
	c.stop(3)
	if origin, err := storage.Birth(c.homes[3], identity); err != nil || origin != storage.Born {
		t.Fatalf("after rejoining the home is %v, %v", origin, err)
	}
}

// Nobody can vouch for a replica that forgot, if none may fail.
func TestWipedNodeOfASmallClusterIsRefused(t *testing.T) {
	c := newCluster(t, 1)
	mustPutAlone(c)
	c.stop(0)
	if err := os.RemoveAll(c.homes[0]); err != nil {
		t.Fatal(err)
	}
	if n, err := Start(c.config(0)); !errors.Is(err, ErrWiped) {
		t.Fatalf("started as %v, %v", n, err)
	}
}

// mustPutAlone puts with a client that believes one reply.
func mustPutAlone(c *cluster) {
	c.t.Helper()
	a := c.dial("client")
	r := a.request(kv.Put([]byte("k"), nil))
	a.until("a reply", func() { a.network.Send(0, r.Raw) }, func() bool { return a.replies[r.Digest][0] != nil })
}

// One cluster for what only asks or is refused.
func TestRunningCluster(t *testing.T) {
	c := newCluster(t, 4)
	a := c.dial("client")
	t.Run("hostile requests are refused", func(t *testing.T) { hostile(t, c, a) })
	t.Run("failures to start", func(t *testing.T) { startFailures(t, c) })
	t.Run("admin endpoint", func(t *testing.T) { adminEndpoint(t, c, a) })
}

// PROTOCOL.md §3: refusals are typed, by whoever gives them.
func hostile(t *testing.T, c *cluster, a *caller) {
	good := a.request(kv.Get([]byte("k")))
	forged := append([]byte(nil), good.Raw...)
	forged[len(forged)-1] ^= 1
	tooLarge := a.request(make([]byte, c.genesis.Limits.OperationBytes+1))
	cases := []struct {
		name  string
		frame []byte
		want  consensus.RefusalCode
	}{
		{"bad signature", forged, consensus.RefusedSignature},
		{"too large", tooLarge.Raw, consensus.RefusedTooLarge},
		{"not a request", []byte{consensus.KindRequest, 1, 2}, consensus.RefusedMalformed},
		{"a vote", append([]byte{consensus.FirstProtocolKind}, make([]byte, 200)...), consensus.RefusedMalformed},
	}
	for _, tc := range cases {
		var digest crypto.Digest
		if r, err := consensus.DecodeRequest(tc.frame); err == nil {
			digest = r.Digest
		}
		a.until(tc.name, func() { a.network.Send(1, tc.frame) }, func() bool {
			code, ok := a.refused[digest][1]
			if ok && code != tc.want {
				t.Errorf("%s: refused as %s, want %s", tc.name, code, tc.want)
			}
			delete(a.refused, digest)
			return ok
		})
	}
	mustPut(a, 4, "still works")
}

func adminEndpoint(t *testing.T, c *cluster, a *caller) {
	mustPut(a, 4, "k")
	a.statusOf(3, "readiness", func(r consensus.Report) bool { return r.Ready })
	base := "http://" + c.nodes[3].AdminAddress()
	for path, want := range map[string]string{
		"/livez": "ok", "/readyz": "ok", "/status": `"Ready":true`, "/metrics": "quorate_log_sync_seconds_count",
		"/debug/pprof/cmdline": "node.test",
	} {
		code, body := get(t, base+path)
		if code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, %.200s; want %q in it", path, code, body, want)
		}
	}
	c.stop(0)
	c.stop(1)
	a.statusOf(3, "the loss of the quorum to show", func(r consensus.Report) bool { return !r.Ready })
	if code, body := get(t, base+"/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "of the 3 replicas that it needs") {
		t.Errorf("/readyz without a quorum: %d, %s", code, body)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// A replica that cannot start says why in one line and leaves nothing behind.
func startFailures(t *testing.T, c *cluster) {
	cases := []struct {
		name string
		do   func(*Config)
		want error
	}{
		{"home in use", func(*Config) {}, storage.ErrInUse},
		{"port in use", func(cfg *Config) { cfg.Disk.Data = fresh(c, 1) }, p2p.ErrAddressInUse},
		{"other key", func(cfg *Config) { cfg.Seed = seed("somebody") }, ErrConfig},
		{"other genesis", func(cfg *Config) { cfg.Disk.Data = fresh(c, 2) }, storage.ErrForeign},
		{"weak key of another", func(cfg *Config) {
			cfg.Genesis.Replicas = slices.Clone(cfg.Genesis.Replicas)
			cfg.Genesis.Replicas[3] = crypto.PublicKey{1}
		}, consensus.ErrGenesis},
		{"weak key of a client", func(cfg *Config) {
			cfg.Genesis.Clients = append(slices.Clone(cfg.Genesis.Clients), consensus.ClientEntry{Role: consensus.RoleWriter})
		}, consensus.ErrGenesis},
		{"one key for two", func(cfg *Config) {
			cfg.Genesis.Replicas = slices.Clone(cfg.Genesis.Replicas)
			cfg.Genesis.Replicas[3] = cfg.Genesis.Replicas[2]
		}, consensus.ErrGenesis},
		{"weak key of an observer", func(cfg *Config) { cfg.Network.Observers = []crypto.PublicKey{{1}} }, ErrConfig},
		{"addresses", func(cfg *Config) { cfg.Network.Addresses = cfg.Network.Addresses[:3] }, ErrConfig},
		{"admin", func(cfg *Config) { cfg.Admin = "here" }, ErrConfig},
		{"bounds", func(cfg *Config) { cfg.Bounds.Jobs = -1 }, ErrConfig},
		{"tick", func(cfg *Config) { cfg.Tick = time.Hour }, ErrConfig},
	}
	for _, tc := range cases {
		cfg := c.config(1)
		tc.do(&cfg)
		n, err := Start(cfg)
		if err == nil {
			n.Stop()
			t.Errorf("%s: it starts", tc.name)
			continue
		}
		if !errors.Is(err, tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q, want one line with %q", tc.name, err, tc.want)
		}
	}
}

// fresh is a new home for replica id, born under this cluster's genesis.
func fresh(c *cluster, id consensus.ReplicaID) string {
	data := filepath.Join(c.t.TempDir(), "data")
	if err := storage.Init(data, storage.Identity{Cluster: c.genesis.ID(), Replica: id}); err != nil {
		c.t.Fatal(err)
	}
	return data
}
