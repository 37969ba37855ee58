package live

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/internal/netlab"
	"quorate.dev/quorate/sim"
	"quorate.dev/quorate/testnet"
)

// rig is what faults of networks and disks take. It is empty where none of them is
// to happen.
type rig struct {
	replicas int
	lab      *netlab.Lab       // where links are cut
	links    map[[2]int]int    // how many faults cut each
	relays   [][]*netlab.Relay // from each replica to each, where something is to be late
	disks    map[int]*disk     // that are to fill up
}

// newRig makes what can be made before there is a cluster.
func newRig(s *Setup) (r *rig, err error) {
	r = &rig{replicas: s.Replicas, links: map[[2]int]int{}, disks: map[int]*disk{}}
	cuts := slices.ContainsFunc(s.Faults, func(f spec.Fault) bool { return f.Kind.Cuts() })
	delays := slices.ContainsFunc(s.Faults, func(f spec.Fault) bool { return f.Kind == spec.Delay })
	switch {
	case cuts && delays:
		return nil, fmt.Errorf("%w: processes cannot have cut links and delays in one run: leave out one of them", spec.ErrSpec)
	case cuts:
		if r.lab, err = netlab.New(s.Replicas); err != nil {
			return nil, fmt.Errorf("cut links between processes: %w", err)
		}
	case delays:
		r.relays = make([][]*netlab.Relay, s.Replicas)
		for i := range s.Replicas * s.Replicas {
			relay, err := netlab.NewRelay("")
			if err != nil {
				return nil, errors.Join(fmt.Errorf("delay what processes say: %w", err), r.close())
			}
			r.relays[i/s.Replicas] = append(r.relays[i/s.Replicas], relay)
		}
	}
	return r, nil
}

// hosts are where the replicas stand; nil = on loopback.
func (r *rig) hosts() (addresses []string) {
	for i := range r.replicas {
		if r.lab != nil {
			addresses = append(addresses, r.lab.Address(i))
		}
	}
	return addresses
}

// settings let a replica reach the others through its relays.
func (r *rig) settings(i int, c *home.Config) {
	if r.relays == nil {
		return
	}
	for _, relay := range r.relays[i] {
		c.Addresses = append(c.Addresses, relay.Address())
	}
}

// command runs a home on its host of the lab.
func (r *rig) command(own func(home string) []string) func(home string) []string {
	if r.lab == nil {
		return own
	}
	return func(dir string) []string {
		argv := append(thisProgram(), testnet.Arguments(dir)...)
		if own != nil {
			argv = own(dir)
		}
		_, number, _ := strings.Cut(filepath.Base(dir), "-")
		i, err := strconv.Atoi(number)
		if err != nil {
			return argv
		}
		return r.lab.Command(i, argv)
	}
}

// thisProgram is how to start this very program again.
func thisProgram() []string {
	exe, err := os.Executable()
	if err != nil {
		return []string{"quorate"}
	}
	return []string{exe}
}

// prepare does what takes the cluster, before anything starts.
func (r *rig) prepare(c *testnet.Cluster, faults []spec.Fault) error {
	for _, relays := range r.relays {
		for to, address := range c.Addresses() {
			relays[to].To(address)
		}
	}
	for _, f := range faults {
		if f.Kind == spec.DiskFull && f.Role != "" {
			return fmt.Errorf("%w: which disk is to fill up must be known from the beginning: name a replica", spec.ErrSpec)
		}
		for _, id := range f.Replicas {
			if f.Kind != spec.DiskFull || r.disks[int(id)] != nil {
				continue
			}
			d, err := newDisk(filepath.Join(c.Home(int(id)), "data"))
			if err != nil {
				return fmt.Errorf("give replica %d a disk of its own: %w", id, err)
			}
			r.disks[int(id)] = d
		}
	}
	return nil
}

// close takes everything away. It may be repeated.
func (r *rig) close() error {
	var errs []error
	if r.lab != nil {
		errs = append(errs, r.lab.Close())
	}
	for _, relay := range slices.Concat(r.relays...) {
		errs = append(errs, relay.Close())
	}
	for _, d := range r.disks {
		errs = append(errs, d.close())
	}
	r.relays, r.disks = nil, nil
	return errors.Join(errs...)
}

// cut cuts the links that a fault is about, or no longer: one that two faults cut
// is whole when both are over.
func (r *rig) cut(f *spec.Fault) error {
	var errs []error
	for from := range r.replicas {
		for to := range r.replicas {
			a, b := slices.Contains(f.Replicas, consensus.ReplicaID(from)), slices.Contains(f.Replicas, consensus.ReplicaID(to))
			if from == to || !sim.FaultKind(f.Kind).Cuts(a, b) {
				continue
			}
			link := [2]int{from, to}
			before := r.links[link] > 0
			if r.links[link]++; f.Ends {
				r.links[link] -= 2
			}
			if before != (r.links[link] > 0) {
				errs = append(errs, r.lab.Cut(from, to, !f.Ends))
			}
		}
	}
	return errors.Join(errs...)
}

// delay makes late what replica i and the others tell each other, or no longer.
// Of several delays of a link the latest counts.
func (r *rig) delay(i int, f *spec.Fault) {
	by := time.Duration(f.By)
	if f.Ends {
		by = 0
	}
	for other := range r.relays {
		r.relays[i][other].Delay(by)
		r.relays[other][i].Delay(by)
	}
}

// diskBytes is the size of a disk that is to fill up: a log has room on it.
const diskBytes = 96 << 20

// filler is the file that takes the room.
const filler = "filler"

// empty makes room again.
func (d *disk) empty() error { return os.Remove(filepath.Join(d.dir, filler)) }

// tear leaves behind the log of replica i, whose process has died, what a write may
// leave that never ended: bytes that were not there before, and make no record.
func (c *Cluster) tear(i int) error {
	segments, err := filepath.Glob(filepath.Join(c.Home(i), "data", "log", "*.seg"))
	if err != nil || len(segments) == 0 {
		return fmt.Errorf("replica %d has no log: %w", i, err)
	}
	f, err := os.OpenFile(slices.Max(segments), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(f.Name())
	if err != nil {
		return errors.Join(err, f.Close())
	}
	end := len(text) // segments have their full length from the start, filled with zeros
	for end > 0 && text[end-1] == 0 {
		end--
	}
	end = (end + 7) &^ 7 // a record's last byte may be zero
	torn := make([]byte, 100)
	_, _ = rand.Read(torn) // it never fails
	_, err = f.WriteAt(torn, int64(min(end, len(text)-len(torn))))
	return errors.Join(err, f.Close())
}
