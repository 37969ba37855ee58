package pbft

import (
	"quorate.dev/quorate/checkpoint"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// Reasons lists every reason for which this protocol ignores or refuses a
// message, for those who want to know which ones a campaign of tests has hit.
func Reasons() []consensus.Reason {
	return []consensus.Reason{
		reasonOldView, reasonFutureView, reasonChanging, reasonBelow, reasonEarly, reasonTooFar, reasonHeldFull, reasonRepeated,
		reasonContradiction, reasonUnasked, reasonTwice, reasonStampAhead, reasonStampBehind, reasonOwn, reasonDiskBehind,
		reasonBelowNewView, reasonBudget, reasonNotPeer, reasonInvalidView, reasonNonce, reasonNotRejoining, reasonRejoinOften, reasonAskedOften,

		message.ReasonMalformed, message.ReasonSignature, message.ReasonNotMember, message.ReasonWrongRole, message.ReasonNoQuorum,
		message.ReasonDigest, message.ReasonBatch, message.ReasonChannel, message.ReasonSettled, message.ReasonOldView,
		message.ReasonFarView, message.ReasonWindow, message.ReasonRefused, message.ReasonUnknown, message.ReasonNotAsked,
		message.ReasonOversized, message.ReasonOtherBatch,

		checkpoint.ReasonBelow, checkpoint.ReasonInterval, checkpoint.ReasonRepeated, checkpoint.ReasonOther, checkpoint.ReasonSuperseded,
	}
}
