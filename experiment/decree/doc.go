// Package decree is the laboratory of single-decree Paxos: one decision, its three
// roles as participants of their own (Lamport, "Paxos Made Simple", 2001). What they
// decide is package paxos/synod's, as the engine's is; here is who says what to whom,
// and who delivers it when.
//
//	shape.go        the participants and what they say
//	participant.go  proposer, acceptor, learner
//	world.go        them on the simulator's clock and network
//	run.go          one decision, message by message, judged
//	duel.go         two proposers, with and without a cure
//	flp.go          an adversary that lets everything arrive and nothing be decided
//	play.go         executions by hand, with a rule switched off
//	stage.go        what can happen in them
//	plays.go, plays_log.go  one for each rule
//	print.go, print_break.go, page.go  what people and browsers see
//
// A participant is its records: the decider is made anew of them for each message,
// as after a restart. So it can be copied, which the adversary does to look ahead,
// and a rule is switched off by a record that is lost or overlooked, or by a message
// that is believed: package synod has no switches.
//
// Nothing is staged: what was chosen is counted from what acceptors said, apart from
// what any participant believes.
//
// It never reads the clock of the machine or draws from a global source: the same
// options give the same result.
package decree
