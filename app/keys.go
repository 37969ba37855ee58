package app

import (
	"encoding/binary"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// The first byte of every key of the replicated keyspace; see the package comment.
const (
	prefixPosition    = 0x01
	prefixSession     = 0x02
	prefixReply       = 0x03
	prefixExpiry      = 0x04
	prefixApplication = 0x10
)

const positionKey = string(rune(prefixPosition))

func sessionKey(client crypto.PublicKey) string {
	return string(append([]byte{prefixSession}, client[:]...))
}

func replyKey(client crypto.PublicKey, slot byte) string {
	return string(append(append([]byte{prefixReply}, client[:]...), slot))
}

// expiryStart and expiryKey sort by time: executed time is never negative.
func expiryStart(t consensus.Time) string {
	return string(binary.BigEndian.AppendUint64([]byte{prefixExpiry}, uint64(t)))
}

func expiryKey(t consensus.Time, client crypto.PublicKey) string {
	return expiryStart(t) + string(client[:])
}

// expiryEnd is above every expiry key.
const expiryEnd = string(rune(prefixExpiry + 1))

// expiryTime reads back when an expiry key's session is due, or was used; 0 of a
// damaged key, so that it is looked at.
func expiryTime(key string) consensus.Time {
	if len(key) < 9 {
		return 0
	}
	return consensus.Time(binary.BigEndian.Uint64([]byte(key[1:9])))
}

// expiryClient reads back whom an expiry key names.
func expiryClient(key string) (client crypto.PublicKey, ok bool) {
	if len(key) != 1+8+crypto.PublicKeySize {
		return client, false
	}
	copy(client[:], key[9:])
	return client, true
}
