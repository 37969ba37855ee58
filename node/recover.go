package node

import (
	"errors"
	"fmt"
	"time"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/storage"
)

// disk is everything of the home that is open.
type disk struct {
	lock    *storage.Lock
	store   *storage.StateStore
	machine *app.Machine
	log     *storage.Log
}

// close closes what is open, the lock last.
func (d *disk) close() error {
	var all []error
	if d.log != nil {
		all = append(all, d.log.Close())
	}
	if d.store != nil {
		all = append(all, d.store.Close())
	}
	if d.lock != nil {
		all = append(all, d.lock.Unlock())
	}
	*d = disk{}
	return errors.Join(all...)
}

// guardEvery is how often a replica looks whether its home is still there.
const guardEvery = time.Second

// guard ends the replica when its home is gone. What it would promise from then on
// is written where no later life of it looks.
func (n *Node) guard(lock *storage.Lock) {
	ticks := time.NewTicker(guardEvery)
	defer ticks.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-ticks.C:
		}
		if err := lock.Held(); err != nil {
			n.fail(fmt.Errorf("%w: put it back where it was, or start the replica where it is now", err))
			return
		}
	}
}

// ErrWiped says that the home remembers nothing and the cluster cannot afford
// a replica that forgot its votes.
var ErrWiped = errors.New("home was never initialised, or its disk was lost")

// recover opens the home and makes the engine as it was when its log ended.
func (n *Node) recover() (consensus.Engine, error) {
	data := n.config.Disk.Data
	var err error
	if n.disk.lock, err = storage.LockHome(data, n.config.Disk.Holder); err != nil {
		return nil, err
	}
	origin, err := storage.Birth(data, n.identity)
	if err != nil {
		return nil, AdviseOnLog(err, &n.config.Genesis)
	}
	if origin.Amnesiac() && n.system.Faults() == 0 {
		// Nobody else can vouch for what it forgot (PROTOCOL.md §8).
		return nil, fmt.Errorf("%s: %w: in a cluster of %d none may forget its votes: restore the disk, or make the whole cluster anew",
			data, ErrWiped, n.system.Size())
	}
	if n.disk.store, err = storage.OpenState(stateDir(data)); err != nil {
		return nil, n.adviseOnState(err)
	}
	n.disk.machine, err = app.Open(n.disk.store, n.config.Application, n.config.Genesis,
		app.Options{Replica: n.config.Self, State: n.config.Disk.State})
	if err != nil {
		return nil, n.adviseOnState(err)
	}
	records, err := n.openLog(origin)
	if err != nil {
		return nil, err
	}
	return n.engine(origin, records)
}

// openLog opens the log; a wiped home gets a new one first, with a birth record
// that stays amnesiac until the replica has rejoined.
func (n *Node) openLog(origin storage.Origin) ([]consensus.Record, error) {
	data := n.config.Disk.Data
	if origin == storage.Wiped {
		n.config.Log.Warn("this home was wiped or never initialised: "+amnesia(n.protocol), "data", data)
		if err := storage.Readmit(data, n.identity); err != nil {
			return nil, err
		}
	}
	log, records, err := storage.OpenLog(storage.LogDir(data), storage.LogOptions{
		Identity: n.identity, SegmentBytes: n.config.Disk.SegmentBytes, Volatile: n.config.Disk.Volatile,
	})
	if err != nil {
		return nil, AdviseOnLog(err, &n.config.Genesis)
	}
	n.disk.log = log
	if torn := log.Torn(); torn != nil {
		n.config.Log.Warn("the log had a torn tail, as after a power loss: "+torn.String(), "records_kept", len(records))
	}
	return records, nil
}

// amnesia says what a replica does that has forgotten what it said.
func amnesia(p protocol.Protocol) string {
	if p.Rejoins {
		return "the replica rejoins and signs nothing until it has"
	}
	return "it votes at once, and writes that it acknowledged may be lost"
}

// engine makes the protocol's engine from what was found.
func (n *Node) engine(origin storage.Origin, records []consensus.Record) (consensus.Engine, error) {
	r := consensus.Recovered{
		Now: consensus.Time(time.Now().UnixNano()), Amnesiac: origin.Amnesiac(), Records: records,
	}
	var err error
	if r.Nonce, err = nonce(); err != nil {
		return nil, err
	}
	r.Height, r.Root, r.Certificate = n.disk.machine.Height()
	e, err := n.config.Protocol.New(r)
	if err != nil {
		return nil, fmt.Errorf("recover from %d records and the state at %d: %w", len(records), r.Height, err)
	}
	n.config.Log.Info("recovered", "records", len(records), "state", r.Height, "root", r.Root.Short(), "origin", origin.String())
	return e, nil
}
