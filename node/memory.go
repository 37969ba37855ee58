package node

import (
	"sync"

	"quorate.dev/quorate/crypto"
)

// Memory is of what was proven. Verifiers that work at the same time share it: what
// one has proven the others need not verify again.
type Memory struct {
	mu     sync.RWMutex
	memory *crypto.BoundedMemory
}

// NewMemory returns a memory of at most size claims.
func NewMemory(size int) *Memory { return &Memory{memory: crypto.NewMemory(size)} }

// Proven reports whether the claim named d is known to be good.
func (m *Memory) Proven(d crypto.Digest) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.memory.Proven(d)
}

// Remember keeps d.
func (m *Memory) Remember(d crypto.Digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.memory.Remember(d)
}
