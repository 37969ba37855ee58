package crypto

// MarshalText makes a digest hexadecimal in JSON and TOML, where an array of
// numbers would be nobody's friend.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Digest) UnmarshalText(text []byte) error { return parseHex(d[:], string(text)) }

// MarshalText makes a public key hexadecimal in JSON and TOML.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *PublicKey) UnmarshalText(text []byte) error { return parseHex(k[:], string(text)) }
