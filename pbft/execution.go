package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// execution is what went to the host and what came back.
type execution struct {
	genesis *consensus.Genesis
	handed  consensus.Seq                   // last slot handed to the host, in order
	applied consensus.Seq                   // last slot that the host has executed
	kept    consensus.Seq                   // height of the state on disk
	cast    consensus.Seq                   // highest slot for which a COMMIT was cast, whatever the view
	roots   map[consensus.Seq]crypto.Digest // own roots at checkpoints above kept, by height
	last    struct {
		seq  consensus.Seq
		root crypto.Digest
	}
	certified []*message.Certificate // stable checkpoints that the disk is not yet told of, ascending
	replayed  consensus.Seq          // up to here the log of the earlier life can be executed
	mute      consensus.Seq          // signs only for slots above: the state was repaired up to here (§5)
	forgotten consensus.Seq          // what Forget said last
	progress  int                    // tick of the last execution, or of entering the view
	announced int                    // tick of the last announcement to observers
	halted    bool
}

func newExecution(g *consensus.Genesis) execution {
	return execution{genesis: g, roots: map[consensus.Seq]crypto.Digest{}}
}

// room reports whether another slot may be handed to the host, which is given at
// most a window beyond what it has executed: a replica that executes too slowly
// falls behind, and takes a state, instead of piling up work.
func (x *execution) room() bool { return x.handed-x.applied < x.genesis.Window }

// settle: the host's state, and the disk's, is the one at n.
func (x *execution) settle(n consensus.Seq, root crypto.Digest) {
	x.handed, x.applied, x.kept = n, n, n
	clear(x.roots)
	x.rooted(n, root)
}

// rooted remembers this replica's own root at a checkpoint.
func (x *execution) rooted(n consensus.Seq, root crypto.Digest) {
	x.last.seq, x.last.root = n, root
	x.roots[n] = root
}

// fallBack: the host is at the disk's state again, with nothing above it. The
// disk is not yet told of the stable checkpoint.
func (x *execution) fallBack(stable *message.Certificate) {
	x.handed, x.applied = x.kept, x.kept
	for n := range x.roots {
		if n > x.kept {
			delete(x.roots, n)
		}
	}
	if stable != nil && stable.Seq > x.kept {
		x.certified = append(x.certified[:0], stable)
	}
}

// certify remembers a stable checkpoint for the disk, bounded.
func (x *execution) certify(c *message.Certificate) {
	x.certified = append(x.certified, c)
	if most := 2 * int(x.genesis.Window/x.genesis.CheckpointInterval); len(x.certified) > most {
		x.certified = x.certified[1:]
	}
}

// due is the highest stable checkpoint whose root is known here and that the disk
// is not yet told of; nil if there is none. The second one is a checkpoint whose
// certified root is not this replica's own: nothing is due then. A certificate
// above what the disk has waits for the own root, however late that comes: it may
// be the one that shows that this state is another one.
func (x *execution) due() (c, diverged *message.Certificate) {
	for len(x.certified) > 0 {
		next := x.certified[0]
		root, own := x.roots[next.Seq]
		if !own && next.Seq > x.kept {
			break
		}
		x.certified = x.certified[1:]
		if own && root != next.Digest {
			return nil, next
		}
		if next.Seq > x.kept {
			c = next
		}
	}
	return c, nil
}

// keeps: the state on disk is the one at n, or a later one.
func (x *execution) keeps(n consensus.Seq) {
	x.kept = max(x.kept, n)
	for seq := range x.roots {
		if seq < x.kept {
			delete(x.roots, seq)
		}
	}
}

// keptWindows is how many windows the disk may lag behind the low mark.
const keptWindows = 4

// diskBehind: the state on disk is so far behind what is stable that the log,
// which cannot be cut, would grow without end. Until the disk has caught up,
// this replica takes no part: it is slow, and if all are, all slow down.
func (x *execution) diskBehind(low consensus.Seq) bool {
	return low-min(x.kept, low) > keptWindows*x.genesis.Window
}

// farBehind: a state at n is more than a window behind the low mark, and not
// because the log of an earlier life is still being executed.
func (x *execution) farBehind(low, n consensus.Seq) bool {
	return low > n && low-n > x.genesis.Window && n >= x.replayed
}
