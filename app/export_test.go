package app

import (
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
)

// Time is the executed time.
func (m *Machine) Time() consensus.Time { return m.at.time }

// Sessions is how many client sessions there are.
func (m *Machine) Sessions() int { return int(m.table.sessions) }

// State is the state below.
func (m *Machine) State() *state.State { return m.state }
