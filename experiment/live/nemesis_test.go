//go:build acceptance

package live

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/internal/netlab"
	"quorate.dev/quorate/sim"
	"quorate.dev/quorate/testnet"
)

// nemesis is what befalls a cluster of real processes under load, one of whose
// members is a traitor besides.
type nemesis struct {
	behaviours []string // of replica 3
	faults     []sim.Fault
	prepare    func(*testing.T, *testnet.Cluster) error
	relays     bool // between all replicas: they hold everything back for a while
	also       []Mishap
}

func ids(list ...consensus.ReplicaID) []consensus.ReplicaID { return list }

// nemeses strike between the first and the sixth second of a load of about
// eight. Each leaves at most the traitor at fault in the end.
var nemeses = map[string]nemesis{
	"partition": {behaviours: []string{"double-vote"}, faults: []sim.Fault{
		{At: sim.Second, Lasts: 1500 * sim.Millisecond, Kind: sim.FaultPartition, Replicas: ids(0, 1)},
		{At: 4 * sim.Second, Lasts: 1500 * sim.Millisecond, Kind: sim.FaultPartition, Replicas: ids(0)},
	}},
	"one way": {behaviours: []string{"equivocate"}, faults: []sim.Fault{
		{At: sim.Second, Lasts: 2 * sim.Second, Kind: sim.FaultDeaf, Replicas: ids(1)},
		{At: 4 * sim.Second, Lasts: 1500 * sim.Millisecond, Kind: sim.FaultMute, Replicas: ids(0)},
	}},
	"delay": {behaviours: []string{"lie"}, relays: true},
	"crashes": {behaviours: []string{"lying-checkpoint"}, faults: []sim.Fault{
		{At: sim.Second, Lasts: sim.Second, Kind: sim.FaultCrash, Replicas: ids(0)},
		{At: 3 * sim.Second, Lasts: sim.Second, Kind: sim.FaultCrash, Replicas: ids(1)},
		{At: 5 * sim.Second, Lasts: sim.Second, Kind: sim.FaultCrash, Replicas: ids(0, 1, 2)},
	}},
	"pause": {behaviours: []string{"hide-prepared"}, faults: []sim.Fault{
		{At: sim.Second, Lasts: 2 * sim.Second, Kind: sim.FaultPause, Replicas: ids(0)},
		{At: 4 * sim.Second, Lasts: 2 * sim.Second, Kind: sim.FaultPause, Replicas: ids(1, 2)},
	}},
	"disk full": {behaviours: []string{"replay"}, prepare: smallDisk, also: []Mishap{
		{At: sim.Second, What: "the disk of replica 1 fills up", Do: fill},
		{At: 4 * sim.Second, What: "the disk of replica 1 has room again", Do: makeRoom},
	}},
	"torn log": {behaviours: []string{"garbage"}, also: []Mishap{
		{At: sim.Second, What: "replica 1 dies in the middle of a write", Do: tear(1)},
		{At: 2500 * sim.Millisecond, What: "replica 1 restarts", Do: func(c *testnet.Cluster) error { return c.Restart(1) }},
		{At: 3500 * sim.Millisecond, What: "the others die in the middle of a write", Do: tear(0, 1, 2)},
		{At: 5 * sim.Second, What: "all restart", Do: func(c *testnet.Cluster) error {
			return errors.Join(c.Restart(0), c.Restart(1), c.Restart(2))
		}},
	}},
}

// TestAcceptanceNemeses: whatever strikes, and with one traitor among four,
// nothing that was answered is lost or done twice, every key's history is
// linearizable, and everything asked is answered in the end.
func TestAcceptanceNemeses(t *testing.T) {
	for name, n := range nemeses {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "net")
			o := Options{Dir: dir, Also: n.also, Progress: func(text string) { t.Log(text) }}
			switch {
			case n.relays:
				var relays []*netlab.Relay
				o.Prepare = func(c *testnet.Cluster) (err error) {
					relays, err = behindRelays(t, c)
					return err
				}
				late := func(d time.Duration) func(*testnet.Cluster) error {
					return func(*testnet.Cluster) error {
						for _, r := range relays {
							r.Delay(d)
						}
						return nil
					}
				}
				o.Also = []Mishap{
					{At: sim.Second, What: "everything takes 40 ms longer", Do: late(40 * time.Millisecond)},
					{At: 3 * sim.Second, What: "everything takes 200 ms longer, more than half of patience", Do: late(200 * time.Millisecond)},
					{At: 5 * sim.Second, What: "all is quick again", Do: late(0)},
				}
			case n.prepare != nil:
				o.Prepare = func(c *testnet.Cluster) error { return n.prepare(t, c) }
			}
			out, err := Run(t.Context(), spec.Spec{
				Protocol: "pbft", Replicas: 4, Clients: 3, Invoked: 450, Seed: 1, Faults: n.faults, Settle: 60 * sim.Second,
				Traitors: []sim.Traitor{{Replica: 3, Acts: []sim.Act{{Behaviours: n.behaviours}}}},
			}, o)
			if errors.Is(err, netlab.ErrUnavailable) || errors.Is(err, errNoMount) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			c, err := testnet.Open(dir)
			if err != nil || c.AnyRunning() {
				t.Fatalf("processes are left, %v", err)
			}
			for _, v := range out.Verdict.Violations {
				t.Error(v)
			}
			if out.Word() != spec.Live || out.Verdict.Linearizable == check.No {
				t.Errorf("%s: %d of %d answered, linearizable: %s", out.Word(), out.Answered, out.Asked, out.Verdict.Linearizable)
				for i := range c.Size() {
					t.Log(c.Tail(i))
				}
				for _, s := range out.Statuses {
					t.Logf("%+v", s)
				}
			}
			t.Logf("%d answered in %v, view %d, linearizable %s, culprits %v", out.Answered,
				time.Duration(out.Elapsed).Round(time.Millisecond), out.Views, out.Verdict.Linearizable, out.Verdict.Culprits)
		})
	}
}

// behindRelays makes replicas reach each other through relays.
func behindRelays(t *testing.T, c *testnet.Cluster) ([]*netlab.Relay, error) {
	var relays []*netlab.Relay
	for i := range c.Size() {
		var via []string
		for _, address := range c.Addresses() {
			r, err := netlab.NewRelay(address)
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
			relays = append(relays, r)
			via = append(via, fmt.Sprintf("%q", r.Address()))
		}
		path := filepath.Join(c.Home(i), "config.toml")
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		lines := strings.Split(string(text), "\n")
		at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "addresses") })
		if at < 0 {
			return nil, fmt.Errorf("%s has no addresses", path)
		}
		lines[at] = "addresses = [" + strings.Join(via, ", ") + "]"
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			return nil, err
		}
	}
	return relays, nil
}

var errNoMount = errors.New("no file system of its own can be mounted here")

// smallDisk gives replica 1 a disk of its own, of 96 MiB.
func smallDisk(t *testing.T, c *testnet.Cluster) error {
	data := filepath.Join(c.Home(1), "data")
	kept := filepath.Join(c.Home(1), "kept")
	if err := os.Rename(data, kept); err != nil {
		return err
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=96m,mode=700"); err != nil {
		return fmt.Errorf("%w: %w", errNoMount, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(data, 0); err != nil {
			t.Error(err)
		}
	})
	return os.CopyFS(data, os.DirFS(kept))
}

func filler(c *testnet.Cluster) string { return filepath.Join(c.Home(1), "data", "filler") }

// fill takes all room that replica 1's disk has left.
func fill(c *testnet.Cluster) error {
	f, err := os.Create(filler(c))
	if err != nil {
		return err
	}
	block := make([]byte, 4<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func makeRoom(c *testnet.Cluster) error {
	if err := os.Remove(filler(c)); err != nil {
		return err
	}
	return c.Restart(1)
}

// tear kills replicas and leaves behind each log what a write may leave that
// never ended: bytes that were not there before, and make no record.
func tear(replicas ...int) func(*testnet.Cluster) error {
	return func(c *testnet.Cluster) error {
		for _, i := range replicas {
			if err := c.Kill(i); err != nil {
				return err
			}
			segments, err := filepath.Glob(filepath.Join(c.Home(i), "data", "log", "*.seg"))
			if err != nil || len(segments) == 0 {
				return fmt.Errorf("replica %d has no log: %w", i, err)
			}
			if err := scribble(slices.Max(segments)); err != nil {
				return err
			}
		}
		return nil
	}
}

// scribble writes random bytes behind the end of a segment's records. Segments
// have their full length from the start, filled with zeros.
func scribble(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	end := len(text)
	for end > 0 && text[end-1] == 0 {
		end--
	}
	end = (end + 7) &^ 7 // a record's last byte may be zero
	torn := make([]byte, 100)
	if _, err := rand.Read(torn); err != nil {
		return err
	}
	_, err = f.WriteAt(torn, int64(min(end, len(text)-len(torn))))
	return err
}
