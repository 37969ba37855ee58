package testnet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are drawn from below the ranges from which systems take the local
// ports of outgoing connections (32768 up on Linux, 49152 up elsewhere): a
// replica that is down for a while must find its port free when it comes back.
const (
	lowestPort  = 10_000
	highestPort = 32_000
)

// freePorts finds n ports on loopback that nobody listens on at the moment.
func freePorts(n int) (ports []int, err error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			err = errors.Join(err, l.Close())
		}
	}()
	for range 100 * n {
		if len(ports) == n {
			return ports, nil
		}
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		// Held until all are found, so that none is drawn twice.
		if l, err := net.Listen("tcp", loopback(port)); err == nil {
			held, ports = append(held, l), append(ports, port)
		}
	}
	if len(ports) == n {
		return ports, nil
	}
	return nil, fmt.Errorf("only %d of %d free ports found on loopback between %d and %d", len(ports), n, lowestPort, highestPort)
}
