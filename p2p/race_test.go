//go:build race

package p2p

// crowd is how many strangers knock, and a third of how many are rude. The race detector makes a handshake
// twenty times dearer and finds its races with fewer.
const crowd = 100
