package sim

import (
	"encoding/binary"

	"quorate.dev/quorate/check/linear"
	"quorate.dev/quorate/consensus"
)

// ledgerModel says what the operations of the workload do to one key: written
// a second time, for the judge of linearizability.
func ledgerModel() *linear.Model {
	return &linear.Model{Init: entry{}, Read: readLedger, Step: stepLedger}
}

// entry is what one key holds: a sum, a length, or a value.
type entry struct {
	count   uint64
	present bool
	value   string
}

// readLedger finds the key of an operation. Those that fail on purpose must
// leave their key alone, which has nothing else to show it: their results are
// judged by agreement.
func readLedger(op []byte) linear.Reading {
	if len(op) < 2+tokenSize {
		return linear.Reading{}
	}
	r := linear.Reading{Single: true, Input: op}
	switch op[0] {
	case opAdd, opAppend:
		r.Keys = []string{string(op[:2])}
	case opSwap, opRead, opDelete:
		r.Keys, r.ReadOnly = []string{"v" + string(op[1:2])}, op[0] == opRead
	}
	return r
}

// stepLedger performs an operation on its key.
func stepLedger(state, input any, result *consensus.Result) (any, bool) {
	now, op := state.(entry), input.([]byte)
	switch op[0] {
	case opAdd, opAppend:
		if result != nil && result.Code != consensus.ResultOK {
			return now, true // over a limit: nothing of it stays
		}
		now.count++
		return now, result == nil || string(result.Data) == string(binary.BigEndian.AppendUint64(nil, now.count))
	case opRead:
		return now, now.shows(result)
	case opDelete:
		return entry{}, now.shows(result)
	}
	possible := result == nil || result.Code == consensus.ResultOK && string(result.Data) == now.value
	return entry{present: true, value: string(op[2:])}, possible
}

// shows reports whether a result is what reading the entry yields.
func (e entry) shows(r *consensus.Result) bool {
	return r == nil || e.present == (r.Code == consensus.ResultOK) && (!e.present || string(r.Data) == e.value)
}
