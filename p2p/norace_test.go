//go:build !race

package p2p

// crowd is how many strangers knock, and how many more are rude.
const crowd = 1000
