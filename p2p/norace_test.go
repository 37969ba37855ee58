//go:build !race

package p2p

// crowd is how many strangers knock, and a third of how many are rude.
const crowd = 500
