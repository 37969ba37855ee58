package node

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/storage"
)

// ownDescriptors are for what is neither storage nor network: the standard three,
// the system's pollers, libraries, a record for judges, proofs, and some to spare.
const ownDescriptors = 64

// errDescriptors: the process may not open as many files as its configuration can
// make it open. It would find out when its disk needs one.
var errDescriptors = errors.New("too few file descriptors")

// checkDescriptors refuses a limit that others could exhaust. The runtime has raised
// it as far as this process may.
func (c *Config) checkDescriptors() error {
	limit, known := descriptorLimit()
	clients := c.Network.Limits.Descriptors(len(c.Genesis.Replicas) + len(c.Network.Observers))
	need := ownDescriptors + storage.Descriptors + adminConnections + clients
	if !known || limit >= uint64(need) {
		return nil
	}
	return fmt.Errorf("%w: up to %d are needed, %d of them for connections, and the limit is %d: raise it with `ulimit -n %d`, or LimitNOFILE= of a service, and start again",
		errDescriptors, need, clients, limit, need)
}
