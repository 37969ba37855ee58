// Package clocks compares the clocks of a cluster's members, as far as they say
// what they show: whose differs from the others', and what time it is for most.
//
// Invariants: a reading is what its member says, and may be a lie. Between two
// readings a clock is taken to go on by ticks. If the own clock moves otherwise
// than the ticks, it was set, or ticks were lost in a pause: nothing is known
// then until members have spoken again. With readings of a quorum, of which at
// most f lie or are wrong, the median lies between those of members whose clocks
// are right, if there are more than f on either side. Of two in the middle it is
// the lower one: executed time never goes back, and a clock that is behind only
// makes it stand still.
package clocks
