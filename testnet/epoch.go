package testnet

import (
	"fmt"
	"os"
	"strings"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/files"
)

// epochFile is the file beside a key that keeps the last epoch which a cluster
// accepted of it, so that a command whose clock was set back begins above it. Each
// line is of one cluster, the last one first.
//
// It is a help and nothing depends on it: what is not there, not whole, or cannot be
// written costs a question to the cluster when a clock was set back.
type epochFile string

const (
	epochLine     = "%s %d %s\n" // cluster, epoch, checksum of both
	epochClusters = 16           // that are kept, of one key
	epochBytes    = 4096         // at most, of the file
)

// Remember has a client with the key of a file begin above the last epoch that the
// cluster accepted of it, and keeps beside it which one that is now. Beside what is
// no file, such as a pipe, nothing is kept.
func Remember(cfg *client.Config, keyFile string) {
	if stat, err := os.Stat(keyFile); err != nil || !stat.Mode().IsRegular() {
		return
	}
	file, cluster := epochFile(keyFile+".epoch"), cfg.Genesis.ID()
	if stat, err := os.Stat(string(file)); err == nil && !stat.Mode().IsRegular() && !stat.IsDir() {
		return // to open a pipe could wait for ever
	}
	cfg.LastEpoch = file.last(cluster)
	cfg.Accepted = func(epoch uint64) {
		_ = file.keep(cluster, epoch) // a directory that may only be read is no error
	}
}

// keptEpoch is a line of the file.
type keptEpoch struct {
	cluster string
	epoch   uint64
}

// check covers a line, so that one which is damaged is none: an epoch that is too
// high would be refused.
func (k *keptEpoch) check() string {
	sum := crypto.Hash(fmt.Appendf(nil, "%s %d", k.cluster, k.epoch))
	return sum.Short()
}

// read returns the lines that are whole.
func (f epochFile) read() (list []keptEpoch) {
	b, err := files.Read(string(f), epochBytes)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		var k keptEpoch
		var sum string
		if n, err := fmt.Sscanf(line, epochLine, &k.cluster, &k.epoch, &sum); n == 3 && err == nil && sum == k.check() {
			list = append(list, k)
		}
	}
	return list
}

// last is the epoch that is kept for a cluster; 0 = none.
func (f epochFile) last(cluster crypto.Digest) uint64 {
	for _, k := range f.read() {
		if k.cluster == cluster.String() {
			return k.epoch
		}
	}
	return 0
}

// keep puts the epoch of a cluster first, or drops it if it is 0, and those beyond
// the bound.
func (f epochFile) keep(cluster crypto.Digest, epoch uint64) error {
	list := []keptEpoch{{cluster.String(), epoch}}
	if epoch == 0 {
		list = nil
	}
	for _, k := range f.read() {
		if k.cluster != cluster.String() && len(list) < epochClusters {
			list = append(list, k)
		}
	}
	if len(list) == 0 {
		return os.Remove(string(f))
	}
	var text strings.Builder
	for _, k := range list {
		fmt.Fprintf(&text, epochLine, k.cluster, k.epoch, k.check())
	}
	return files.Write(string(f), []byte(text.String()), 0o600)
}
