package main

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

const Supply, Treasury = 1_000_000, "treasury" // all the money, and the account where anyone may draw it

// Bank is the application. Its operations are lines of text:
//
//	open NAME             opens an empty account that belongs to the caller
//	balance NAME          tells what is in an account
//	transfer FROM TO SUM  moves money out of an account of the caller's
//
// The result is the balance of the account named first, in decimal.
type Bank struct{}

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
	a, words := account{}, strings.Fields(string(op))
	err := fmt.Errorf("want: open NAME, balance NAME, or transfer FROM TO SUM")
	switch {
	case len(words) == 2 && words[0] == "open":
		a, err = account{owner: ctx.Client}, nil
		if _, missing := load(tx, words[1]); missing == nil {
			err = fmt.Errorf("account %s exists", words[1])
		}
		save(tx, words[1], a)
	case len(words) == 2 && words[0] == "balance":
		a, err = load(tx, words[1])
	case len(words) == 4 && words[0] == "transfer":
		a, err = transfer(ctx, tx, words[1], words[2], words[3])
	}
	if err != nil {
		return app.Failed(err.Error())
	}
	return app.OK(strconv.AppendUint(nil, a.balance, 10))
}

func transfer(ctx app.Context, tx app.Tx, from, to, text string) (account, error) {
	payer, err := load(tx, from)
	sum, wrong := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return payer, err
	case wrong != nil:
		return payer, fmt.Errorf("%q is no sum", text)
	case payer.owner != ctx.Client && payer.owner != crypto.PublicKey{}:
		return payer, fmt.Errorf("account %s is not yours", from)
	case payer.balance < sum:
		return payer, fmt.Errorf("account %s holds %d", from, payer.balance)
	}
	payer.balance -= sum
	save(tx, from, payer)
	payee, err := load(tx, to) // after saving: a transfer to oneself reads what was written
	payee.balance += sum
	save(tx, to, payee) // which is undone if there is no such account
	payer, _ = load(tx, from)
	return payer, err
}

func load(tx app.Tx, name string) (a account, err error) {
	if b, found := tx.Get([]byte(name)); found {
		copy(a.owner[:], b)
		a.balance = binary.BigEndian.Uint64(b[len(a.owner):])
		return a, nil
	}
	return a, fmt.Errorf("no account %s", name)
}

func save(tx app.Tx, name string, a account) {
	tx.Put([]byte(name), binary.BigEndian.AppendUint64(a.owner[:], a.balance))
}
