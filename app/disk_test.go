package app_test

import (
	"errors"
	"strings"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// brokenDisk fails every write once it is broken, and every read of a key that
// contains what broken says.
type brokenDisk struct {
	*state.Memory
	isBroken bool
	broken   string
}

var errBroken = errors.New("broken")

func (d *brokenDisk) Get(key string) ([]byte, bool, error) {
	if d.isBroken && strings.Contains(key, d.broken) {
		return nil, false, errBroken
	}
	return d.Memory.Get(key)
}

func (d *brokenDisk) Apply(b *state.Batch, sync bool) error {
	if d.isBroken {
		return errBroken
	}
	return d.Memory.Apply(b, sync)
}

// A failing disk is never a result: the machine stops, whatever the
// application makes of it.
func TestAFailingDiskStopsTheMachine(t *testing.T) {
	read := &consensus.Batch{Stamp: testStart, Requests: []*consensus.Request{request(writer, began, 1, []byte("rx"))}}
	for name, test := range map[string]struct {
		broken string
		job    consensus.Job
	}{
		"find a session":       {"", consensus.Commit{Seq: 5, Digest: read.Digest(), Batch: read}},
		"read for the program": {"\x10x", consensus.Commit{Seq: 5, Digest: read.Digest(), Batch: read}},
		"keep":                 {"", consensus.Stabilize{Seq: 4}},
		"begin a restore":      {"", consensus.RestoreBegin{Seq: 8, Root: crypto.Hash(nil)}},
		"answer":               {"", consensus.Answer{Request: read.Requests[0]}},
		"abort a restore":      {"", consensus.RestoreAbort{}},
	} {
		job := test.job
		disk := &brokenDisk{Memory: state.NewMemory()}
		m, err := app.Open(disk, script{}, newGenesis(), app.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var last app.Outcome
		for n := consensus.Seq(1); n <= 4; n++ {
			if last, err = m.Do(consensus.Commit{Seq: n, Digest: consensus.NullDigest}); err != nil {
				t.Fatal(err)
			}
		}
		switch j := job.(type) {
		case consensus.Stabilize:
			j.Root = last.Events[1].(consensus.Rooted).Root
			job = j
		case consensus.RestoreAbort:
			if _, err := m.Do(consensus.RestoreBegin{Seq: 8, Root: crypto.Hash(nil)}); err != nil {
				t.Fatal(err)
			}
		}
		disk.isBroken, disk.broken = true, test.broken
		if _, err := m.Do(job); !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
