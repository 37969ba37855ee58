package byzantine

import (
	"fmt"

	"quorate.dev/quorate/consensus"
)

// amnesias lose a part of the log.
func amnesias() []Profile {
	return []Profile{
		{
			Name: "amnesia", Aliases: []string{"forget"}, Group: "§2.4 amnesia", AtF: SafeLive, AtF1: MayFork, AtCrash: MayFork,
			Sentence: "loses its log at each start, and votes as if it were new",
			Needs:    Restart, wrap: newAmnesia,
		},
		{
			Name: "rollback", Group: "§2.4 rollback", AtF: SafeLive, AtF1: MayFork, AtCrash: MayFork,
			Sentence: "starts with an old part of its log", Params: []Param{{"keep", "50%", "of the log"}},
			Needs: Restart, Drawn: []string{"", "0%", "90%"}, wrap: newRollback,
		},
	}
}

// forgetful is a protocol that loses a part of its log at each start, and does
// not know it: the state on disk stays, and so does the birth record.
type forgetful struct {
	consensus.Protocol
	keep int // parts per million
}

// New implements consensus.Protocol. A log that does not make sense when it is
// cut there is cut to nothing.
func (f forgetful) New(rec consensus.Recovered) (consensus.Engine, error) {
	n := len(rec.Records) * f.keep / million
	rec.Records, rec.Amnesiac = rec.Records[:n:n], false
	e, err := f.Protocol.New(rec)
	if err != nil && n > 0 {
		rec.Records = nil
		e, err = f.Protocol.New(rec)
	}
	if err != nil {
		return nil, fmt.Errorf("amnesia: %w", err)
	}
	return e, nil
}

func newAmnesia(*Env, Spec) (behaviour, error) {
	return func(p consensus.Protocol) consensus.Protocol { return forgetful{p, 0} }, nil
}

func newRollback(_ *Env, s Spec) (behaviour, error) {
	keep, err := s.share("")
	return func(p consensus.Protocol) consensus.Protocol { return forgetful{p, keep} }, err
}
