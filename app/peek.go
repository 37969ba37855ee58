package app

// Peek is what the application holds under a key, as of the last execution.
// It is for looking on: it counts no steps and changes nothing. Errors are the
// disk's.
func (m *Machine) Peek(key []byte) (value []byte, found bool, err error) {
	return m.state.Get(string(append([]byte{prefixApplication}, key...)))
}
