package testnet

import (
	"path/filepath"
	"slices"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/check/linear"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/transcript"
)

// historiesName is the directory of what clients wrote down.
const historiesName = "histories"

// histories is where programs put the histories of their calls, so that they
// are judged with the replicas' transcripts: see historyFile.
func (c *Cluster) histories() string { return c.path(historiesName) }

// Calls is where commands of this machine write down what they asked and were
// told: among the histories, bounded.
func (c *Cluster) Calls() string { return filepath.Join(c.histories(), "commands") }

// Logs lists what the replicas, and clients that keep a history, have written
// down, the oldest first of each.
func (c *Cluster) Logs() ([]string, error) {
	dirs := []string{c.histories()}
	for i := range c.Size() {
		dirs = append(dirs, (&home.Home{Dir: c.Home(i)}).TranscriptDir())
	}
	var all []string
	for _, dir := range dirs {
		found, err := transcript.Files(dir)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// historyFile is where the history of a client goes that begins now.
func (c *Cluster) historyFile(key crypto.PublicKey) string {
	return filepath.Join(c.histories(), transcript.HistoryName(key))
}

// Judge judges the cluster by all that was written down: a executes its batches
// again, and m, if not nil, is what a does to one key.
func (c *Cluster) Judge(a app.Application, m *linear.Model) (check.Verdict, error) {
	logs, err := c.Logs()
	if err != nil {
		return check.Verdict{}, err
	}
	return transcript.Judge(check.Case{Genesis: c.Genesis, Application: a, Model: m, Suspects: c.Traitors()}, logs)
}

// Traitors lists the replicas that are traitors or were once, since the cluster
// was made: nothing that they did is held against the others.
func (c *Cluster) Traitors() []consensus.ReplicaID {
	var ids []consensus.ReplicaID
	for i := range c.Size() {
		if slices.Contains(c.Manifest.Traitors, i) || len(c.Manifest.Replicas[i].Byzantine) > 0 || len(c.Behaviours(i)) > 0 {
			ids = append(ids, consensus.ReplicaID(i))
		}
	}
	return ids
}
