package bank

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Supply is all the money there is. It begins in the account Treasury, which
// belongs to nobody: anyone may draw from it.
const (
	Supply   = 1_000_000
	Treasury = "treasury"
)

// Bank is the application. Its operations are lines of text:
//
//	open NAME             opens an empty account that belongs to the caller
//	balance NAME          tells what is in an account
//	transfer FROM TO SUM  moves money out of an account of the caller's
//
// The result is the balance of the account named first, in decimal.
type Bank struct{}

// account is what the state holds under an account's name.
type account struct {
	owner   crypto.PublicKey // zero: everybody
	balance uint64
}

// Name is what the genesis of a bank calls it.
func (Bank) Name() string { return "bank" }

// Initialise writes the state before the first batch, the same everywhere.
func (Bank) Initialise(tx app.Tx) error {
	save(tx, Treasury, account{balance: Supply})
	return nil
}

// Execute executes one operation. A failure undoes what it wrote.
func (Bank) Execute(ctx app.Context, tx app.Tx, op []byte) consensus.Result {
	a, err := execute(ctx, tx, strings.Fields(string(op)))
	if err != nil {
		return app.Failed(err.Error())
	}
	return app.OK(strconv.AppendUint(nil, a.balance, 10))
}

func execute(ctx app.Context, tx app.Tx, words []string) (account, error) {
	switch {
	case len(words) == 2 && words[0] == "open":
		a := account{owner: ctx.Client}
		if _, err := load(tx, words[1]); err == nil {
			return a, fmt.Errorf("account %s exists", words[1])
		}
		save(tx, words[1], a)
		return a, nil
	case len(words) == 2 && words[0] == "balance":
		return load(tx, words[1])
	case len(words) == 4 && words[0] == "transfer":
		return transfer(ctx, tx, words[1], words[2], words[3])
	}
	return account{}, fmt.Errorf("want: open NAME, balance NAME, or transfer FROM TO SUM")
}

func transfer(ctx app.Context, tx app.Tx, from, to, text string) (account, error) {
	payer, err := load(tx, from)
	if err != nil {
		return payer, err
	}
	sum, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return payer, fmt.Errorf("%q is no sum", text)
	case payer.owner != ctx.Client && payer.owner != crypto.PublicKey{}:
		return payer, fmt.Errorf("account %s is not yours", from)
	case payer.balance < sum:
		return payer, fmt.Errorf("account %s holds %d", from, payer.balance)
	}
	payer.balance -= sum
	save(tx, from, payer)
	payee, err := load(tx, to) // after saving: a transfer to oneself reads what was written
	if err != nil {
		return payer, err
	}
	payee.balance += sum
	save(tx, to, payee)
	return load(tx, from)
}

func load(tx app.Tx, name string) (a account, err error) {
	b, found := tx.Get([]byte(name))
	if !found {
		return a, fmt.Errorf("no account %s", name)
	}
	copy(a.owner[:], b)
	a.balance = binary.BigEndian.Uint64(b[len(a.owner):])
	return a, nil
}

func save(tx app.Tx, name string, a account) {
	tx.Put([]byte(name), binary.BigEndian.AppendUint64(bytes.Clone(a.owner[:]), a.balance))
}
