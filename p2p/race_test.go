//go:build race

package p2p

// crowd is how many strangers knock, and how many more are rude. The race detector makes a handshake
// twenty times dearer and finds its races with fewer.
const crowd = 200
