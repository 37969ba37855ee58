// Package tally is an application of another module: it counts words.
package tally

import (
	"encoding/binary"
	"strconv"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
)

// Tally is the application. An operation is a word; the result says how often
// it was counted.
type Tally struct{}

// Name is what the genesis calls it.
func (Tally) Name() string { return "tally" }

// Execute counts a word.
func (Tally) Execute(_ app.Context, tx app.Tx, word []byte) consensus.Result {
	if len(word) == 0 {
		return app.Failed("no word")
	}
	var n uint64
	if b, found := tx.Get(word); found {
		n = binary.BigEndian.Uint64(b)
	}
	n++
	tx.Put(word, binary.BigEndian.AppendUint64(nil, n))
	return app.OK(strconv.AppendUint(nil, n, 10))
}
