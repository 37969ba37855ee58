package node

import (
	"errors"
	"path/filepath"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/storage"
)

// brittle is a protocol whose engine halts at its first tick, and records
// something in the same step: a fork must leave its traces on disk.
type brittle struct{}

func (brittle) Open(_ crypto.Verifier, _ consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	return make([]consensus.Opened, len(in))
}
func (brittle) New(consensus.Recovered) (consensus.Engine, error) { return brittle{}, nil }
func (brittle) Status() consensus.Status                          { return consensus.Status{} }
func (brittle) Horizon() consensus.Horizon                        { return nil }
func (brittle) Step(consensus.Burst) consensus.Output {
	return consensus.Output{
		Records: []consensus.Record{{Slot: 7, Bytes: []byte("last words")}},
		Notes:   []consensus.Note{{Kind: consensus.EvidenceNote, Replica: 2, Bytes: []byte("proof")}},
		Halt:    "two certificates for slot 7",
	}
}

func TestHaltStopsTheNodeAndKeepsWhatItHas(t *testing.T) {
	c := newCluster(t, 4)
	c.stop(2)
	cfg := c.config(2)
	cfg.Protocol = brittle{}
	n, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Wait(); !errors.Is(err, ErrHalted) {
		t.Fatalf("ended with %v", err)
	}
	log, records, err := storage.OpenLog(storage.LogDir(cfg.Disk.Data), storage.LogOptions{Identity: n.identity})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if len(records) == 0 || string(records[len(records)-1].Bytes) != "last words" {
		t.Fatalf("%d records, without the last one", len(records))
	}
	proofs, err := filepath.Glob(filepath.Join(cfg.Disk.Data, "evidence", "R2-*.evidence"))
	if err != nil || len(proofs) != 1 {
		t.Fatalf("evidence kept: %v, %v", proofs, err)
	}
}
