// Package message holds the words of PBFT: its messages and certificates, one
// canonical encoding of each, and Open, the only way from bytes to a message.
//
// What Open returns is authentic: decoded strictly, its signer a member and
// the one its body names, every nested signature verified, every certificate
// complete. Handlers accept nothing else. Whether a message matters now is the
// engine's business; what can never matter (below the Horizon) is dropped
// before a verification is spent on it.
//
// Votes (PRE-PREPARE, PREPARE, COMMIT, CHECKPOINT) share one layout of VoteSize
// bytes. The signed bytes are the sent bytes are the recorded bytes.
//
// It keeps no state and decides nothing that depends on a replica's position.
//
// Source: PROTOCOL.md §2; Castro & Liskov (OSDI 1999) §4.2-4.4; thesis §5 for
// STATUS and fetching.
package message
