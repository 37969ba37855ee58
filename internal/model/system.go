package model

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/viewchange"
)

// The limits of what can be searched.
const (
	maxReplicas = 7
	maxViews    = 3
	values      = 2
	maxActors   = maxReplicas + 1 // and the second life of the one that lost its disk
)

// cluster is what is searched.
type cluster struct {
	Rules       *message.Rules
	Views       int        // in which votes are cast: 1..maxViews
	Liars       quorum.Set // they collude
	Silent      quorum.Set // they never do anything
	Wiped       quorum.Set // at most one: it may lose its disk, once
	Checkpoints bool       // the slot may become stable
	PowerLoss   bool       // whoever voted may forget it, and say COMMIT for what others prepared
	Weakness    weakness
}

// weakness is what makes a protocol another one than PBFT. The zero weakness
// is PBFT.
type weakness struct {
	Select       selection // instead of viewchange.Select
	Prepares     int       // so many votes fewer make a prepared certificate
	Commits      int       // ... a committed one
	ViewChanges  int       // ... a NEW-VIEW
	PrimaryTwice bool      // a primary's PREPARE counts beside its PRE-PREPARE
	Disloyal     bool      // backups accept what does not follow from the NEW-VIEW
	Forgetful    bool      // whoever votes in a view forgets what prepared before
	Rash         bool      // who lost its disk votes as if it were new
	Again        bool      // who lost power votes again where it may have voted
}

// selection is what viewchange.Select is one of.
type selection func(*message.Rules, []*message.ViewChange) viewchange.Start

// rules makes the rules of n replicas, with quorum.Byzantine's quorum if q is 0.
// It fails as message.NewRules does, or if n is beyond maxReplicas.
func rules(n, q int) (*message.Rules, error) {
	if n > maxReplicas {
		return nil, fmt.Errorf("%d replicas: at most %d can be searched", n, maxReplicas)
	}
	keys := make([]crypto.PublicKey, n)
	for i := range keys {
		keys[i][0] = byte(i + 1)
	}
	g := consensus.NewGenesis("model", protocol.PBFT, keys)
	g.Quorum, g.UnsafeDemo = q, q != 0
	return message.NewRules(g)
}

func (s *cluster) quorum() int { return s.Rules.System.Quorum() }

func (s *cluster) primary(view int) consensus.ReplicaID {
	return s.Rules.System.Primary(consensus.View(view))
}

// cast is who acts in a search: an actor per honest replica, and one more for
// the second life of the one that may lose its disk.
type cast struct {
	ids    []consensus.ReplicaID
	first  int // the first life of the wiped replica, or -1
	second int // its second, or -1
}

// newCast lists the actors. The second life stands right behind the first.
func (s *cluster) newCast() cast {
	c := cast{first: -1, second: -1}
	for id := range consensus.ReplicaID(s.Rules.System.Size()) {
		if s.Liars.Has(id) || s.Silent.Has(id) {
			continue
		}
		c.ids = append(c.ids, id)
		if s.Wiped.Has(id) {
			c.first, c.second = len(c.ids)-1, len(c.ids)
			c.ids = append(c.ids, id)
		}
	}
	return c
}
