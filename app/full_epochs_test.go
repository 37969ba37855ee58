package app

import (
	"testing"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// A memory that is full begins anew, and knows no more than a new one.
func TestFullMemoryOfEpochsProvesNothing(t *testing.T) {
	now, idle := consensus.Time(24*time.Hour), consensus.Time(time.Minute)
	e := newEpochs(now-consensus.Time(time.Hour), idle)
	early, late := uint64(now), uint64(now+2*idle)
	for i := range maxEpochClients + 1 {
		if i == maxEpochClients && !e.unused(crypto.PublicKey{}, nil, early) {
			t.Error("with room left, an epoch after its beginning may have been used")
		}
		e.opened(crypto.PublicKey{1, byte(i), byte(i >> 8)}, nil, late, now, idle)
	}
	if len(e.of) != 1 || e.unused(crypto.PublicKey{}, nil, early) || !e.unused(crypto.PublicKey{}, nil, late) {
		t.Errorf("begun anew with %d clients: early epoch unused %v, late %v", len(e.of), e.unused(crypto.PublicKey{}, nil, early), e.unused(crypto.PublicKey{}, nil, late))
	}
}
