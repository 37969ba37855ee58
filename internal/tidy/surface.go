package tidy

// surface is what the module offers to others: the public packages, and those
// of their names that nothing within the module uses. Each of them is there on
// purpose: an error that a caller may want to tell from others, a bound or a
// text that an application may want to know. All other packages may change
// without notice.
var surface = map[string][]string{
	"app":              {"DeniedText", "ErrJob", "MaxReplyBytes", "WriteBytes"},
	"app/kv":           {"ErrMalformed", "MaxTxn", "TextBadRange", "TextEmptyKey", "TextLongKey", "TextMalformed"},
	"client":           {"ErrChanged", "ErrConfig", "ErrFailed", "ErrLimit", "ErrPanic", "ErrResultTooLarge", "ErrTooMuch"},
	"client/session":   {"ErrConfig", "ErrMalformed", "ErrNotPermitted", "ErrRefused", "ErrSignature", "ErrWrites"},
	"consensus":        {"MaxBatchRequests"},
	"consensus/quorum": {},
	"crypto":           {"ErrKeyCost", "ErrPassphrase"},
	"evidence": {
		"Decode", "ErrFounded", "ErrNoContradiction", "ErrNoOmission", "ErrSignature",
		"KindContradiction", "KindOmission", "KindUnfounded", "Omission", "Proof", "Unfounded",
	},
	"genesis":  {},
	"home":     {"ErrKeyMode", "RecordOff"},
	"node":     {"ErrConfig", "ErrHalted", "ErrWiped", "Node.Address", "Node.AdminAddress"},
	"protocol": {"ErrFaults", "UnknownError"},
	"testnet":  {"ErrExists", "ErrKeyInUse", "ErrTraitor"},
}
