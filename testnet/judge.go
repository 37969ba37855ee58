package testnet

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/raft"
)

// historiesName is the directory of what clients wrote down.
const historiesName = "histories"

// Histories is where programs put the histories of their calls, so that they
// are judged with the replicas' transcripts: see NewHistory.
func (c *Cluster) Histories() string { return c.path(historiesName) }

// Logs lists what the replicas, and clients that keep a history, have written
// down, the oldest first of each.
func (c *Cluster) Logs() ([]string, error) {
	dirs := []string{c.Histories()}
	for i := range c.Size() {
		dirs = append(dirs, filepath.Join(c.Home(i), transcriptName))
	}
	var all []string
	for _, dir := range dirs {
		found, err := LogsIn(dir)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// LogsIn lists the logs in a directory and those below it; none if it is not
// there.
func LogsIn(dir string) ([]string, error) {
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && filepath.Ext(path) == volumeSuffix {
			all = append(all, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil // a running replica may drop its oldest in between
	}
	return all, err
}

// Turned lists the replicas that are traitors or were once, since the cluster
// was made: nothing that they did is held against the others.
func (c *Cluster) Turned() []consensus.ReplicaID {
	var ids []consensus.ReplicaID
	for i := range c.Size() {
		if slices.Contains(c.Manifest.Turned, i) || len(c.Manifest.Replicas[i].Byzantine) > 0 || len(c.Behaviours(i)) > 0 {
			ids = append(ids, consensus.ReplicaID(i))
		}
	}
	return ids
}

// maxLogs bounds the files that are judged together.
const maxLogs = 4096

// Judge judges a run of this program's store by what was written down. See
// check.Replay for suspects and errors. Without a client's history there is
// nothing to say about linearizability.
func Judge(f *Founding, logs []string, suspects []consensus.ReplicaID) (v check.Verdict, err error) {
	if len(logs) > maxLogs {
		return v, fmt.Errorf("%w: %d files, at most %d are judged together", check.ErrLog, len(logs), maxLogs)
	}
	c := check.Case{Genesis: f.Genesis, Application: kv.Store{}, Suspects: suspects}
	if f.Genesis.Protocol == quorum.Raft {
		c.Promise = votesOfRaft
	}
	var open []check.Log
	for _, path := range logs {
		file, err := os.Open(path)
		if err != nil {
			return v, err
		}
		defer func() { _ = file.Close() }() // only read
		client, err := ofClient(file, path)
		if errors.Is(err, io.EOF) {
			continue // its process was killed as it began
		}
		if err != nil {
			return v, err
		}
		if client {
			c.Model = check.Store()
		}
		open = append(open, check.Log{Name: path, From: bufio.NewReaderSize(file, 1<<16)})
	}
	if len(open) == 0 {
		return v, fmt.Errorf("%w: nothing was written down: do the replicas run with record.level = \"off\"?", check.ErrLog)
	}
	return check.Replay(c, open)
}

// votesOfRaft: a granted vote is all that a member of Raft promises.
func votesOfRaft(frame []byte) (check.Promise, bool) {
	voter, term, candidate, ok := raft.Granted(frame)
	return check.Promise{Signer: voter, View: term, Content: candidate}, ok
}

// ofClient looks at the head of a log, and goes back to its beginning.
func ofClient(file *os.File, path string) (bool, error) {
	r, err := check.NewReader(path, file)
	if err != nil {
		return false, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return r.Header().Client, err
}
