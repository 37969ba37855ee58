package sim

import (
	"fmt"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/byzantine/catalogue"
	byzclient "quorate.dev/quorate/byzantine/client"
	"quorate.dev/quorate/consensus"
)

// byzantineClient has a key in the genesis and a source of frames, and reads
// nothing.
type byzantineClient struct {
	world  *World
	end    endpoint
	dice   *stream
	source *byzclient.Client
}

// makeByzantines makes the Byzantine clients. It fails if a spec is not a
// client's.
func (w *World) makeByzantines() error {
	for i, text := range w.cfg.Byzantines {
		spec, err := catalogue.Parse(text)
		if err != nil {
			return fmt.Errorf("client %q: %w", text, err)
		}
		dice := newStream(w.cfg.Seed, fmt.Sprintf("villain %d", i))
		t := token{client: w.cfg.Workload.Clients + i}
		draw := func() []byte {
			t.counter++
			return drawOperation(dice, w.cfg.Workload, t)
		}
		v := &byzantineClient{world: w, end: endpoint(w.cfg.Replicas + w.cfg.Workload.Clients + i), dice: dice}
		v.source, err = byzclient.New(w.genesis, w.keys.byzantines[i], spec, dice.rng.Uint64(), draw)
		if err != nil {
			return fmt.Errorf("client %q: %w", text, err)
		}
		w.byzantines = append(w.byzantines, v)
	}
	return nil
}

// wait gives the client its next turn after a while: several in the patience of
// the honest, fewer in the liveness phase.
func (v *byzantineClient) wait() {
	w := v.world
	pause := consensus.Time(w.cfg.Timing.Patience) * w.cfg.Timing.Tick / 4
	if w.net.settled {
		pause *= 4
	}
	w.clock.after(v.dice.around(pause), func() {
		if w.quiet {
			return
		}
		for _, p := range v.source.Next(w.clock.now) {
			if int(p.To.Replica) < len(w.replicas) {
				w.stats.Notes[byzantine.Lied]++
				w.launch(packet{from: v.end, to: endpoint(p.To.Replica), class: min(p.Class, consensus.Bulk), bytes: p.Bytes})
			}
		}
		v.wait()
	})
}
