package byzantine

import "quorate/consensus"

// Spec is one behaviour with its parameters, as a manifest or a command line
// has it: "equivocate", "delay 80%", "drop chance=30% to=1,2 kind=PREPARE,COMMIT".
// The first bare word after the name is the behaviour's main parameter.
type Spec struct {
	Name    string
	Main    string                // the bare parameter; "" = its default
	To      []consensus.ReplicaID // victims; nil = everybody
	Kinds   []string              // kinds of frames, such as PREPARE; nil = all
	Chance  int                   // in parts per million; 0 = always
	Options map[string]string     // others, checked against the profile's list
}
