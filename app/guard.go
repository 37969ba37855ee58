package app

import (
	"fmt"

	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
)

// guard is the Tx that an application sees: the transaction of one operation
// on the application's keys, with the limits of PROTOCOL.md §3 counted in a way
// that depends on the content of the state alone. The state's own memory and
// disk would not do: what lies where differs between replicas.
type guard struct {
	tx        *state.Tx
	limits    *consensus.Limits
	steps     int
	bytes     int  // that may still be written
	readOnly  bool // the client is a reader, or the operation is not ordered
	unordered bool // ... the latter
	wrote     bool // Put or Delete was called
	visiting  bool // inside a Range
	ended     ending
	err       error  // with endFailed: the disk's
	key       []byte // memory for prefixed keys
}

// ending is why a transaction was ended from inside. The zero ending is none.
type ending uint8

const (
	endLimit  ending = iota + 1 // over a limit
	endDenied                   // a reader wrote
	endFailed                   // the disk failed
	endClosed                   // the operation is over
)

var _ Tx = (*guard)(nil)

// newGuard returns the transaction of one operation on tx.
func newGuard(tx *state.Tx, limits *consensus.Limits, role consensus.Role) *guard {
	return &guard{tx: tx, limits: limits, steps: limits.OperationSteps, bytes: WriteBytes, readOnly: role < consensus.RoleWriter}
}

// stopped is what unwinds an application out of a call that must not return.
type stopped struct{}

// end unwinds the operation. The first reason stands, also if the application
// catches the panic and goes on: every later call unwinds again.
func (g *guard) end(why ending) {
	if g.ended == 0 {
		g.ended = why
	}
	panic(stopped{})
}

// check ends the operation if the disk failed. The application cannot have
// asked for too much: the limits are checked before, and tighter.
func (g *guard) check() {
	if g.err = g.tx.Err(); g.err != nil {
		g.end(endFailed)
	}
}

// enter admits a call and charges its step.
func (g *guard) enter() {
	if g.ended != 0 {
		g.end(g.ended)
	}
	if g.visiting {
		panic("app: the visit of a Range called its transaction")
	}
	g.charge(1)
}

func (g *guard) charge(steps int) {
	if g.steps -= steps; g.steps < 0 {
		g.end(endLimit)
	}
}

// within returns the key in the replicated keyspace. The memory is reused.
func (g *guard) within(key []byte) string {
	g.key = append(append(g.key[:0], prefixApplication), key...)
	return string(g.key)
}

// Get implements Tx.
func (g *guard) Get(key []byte) ([]byte, bool) {
	g.enter()
	if len(key) > g.limits.KeyBytes {
		return nil, false // none is stored
	}
	value, found := g.tx.Get(g.within(key))
	g.check()
	g.charge((len(key) + len(value)) / StepBytes)
	return value, found
}

// Put implements Tx.
func (g *guard) Put(key, value []byte) {
	g.write(key, value)
	g.tx.Put(g.within(key), value)
	g.check()
}

// Delete implements Tx.
func (g *guard) Delete(key []byte) {
	g.write(key, nil)
	g.tx.Delete(g.within(key))
	g.check()
}

// write checks what Put and Delete have in common.
func (g *guard) write(key, value []byte) {
	g.enter()
	if g.readOnly {
		g.end(endDenied)
	}
	if len(key) > g.limits.KeyBytes || len(value) > g.limits.ValueBytes+ValueOverhead {
		g.end(endLimit)
	}
	size := len(key) + len(value)
	if g.bytes -= size; g.bytes < 0 {
		g.end(endLimit)
	}
	g.charge(size / StepBytes)
	g.wrote = true
}

// Range implements Tx.
func (g *guard) Range(from, to []byte, visit func(key, value []byte) bool) {
	g.enter()
	end := string(rune(prefixApplication + 1))
	if len(to) > 0 {
		end = g.within(to)
	}
	// A panic must not tear through the state's own loop, which may hold an
	// iterator of the disk: it waits until the loop has ended.
	var panicked any
	careful := func(key string, value []byte) (more bool) {
		defer func() {
			if p := recover(); p != nil {
				panicked, more = p, false
			}
		}()
		g.charge(1 + (len(key)-1+len(value))/StepBytes)
		g.key = append(g.key[:0], key[1:]...)
		return visit(g.key, value)
	}
	g.visiting = true
	g.tx.Range(g.within(from), end, 0, careful)
	g.visiting = false
	g.check()
	if panicked != nil {
		panic(panicked)
	}
}

// Steps implements Tx.
func (g *guard) Steps() int { return g.steps }

// outcome is what an operation came to.
type outcome struct {
	result consensus.Result
	panic  string // with ResultPanic: what the application said, for this replica's log only
	err    error  // the disk failed
}

// run executes one operation on the guard and closes it. Whatever the
// application does, it comes back from here.
func (g *guard) run(a Application, ctx Context, op []byte) (o outcome) {
	defer func() {
		p := recover()
		o = g.judge(o.result, p, ctx.ResultBytes)
		g.ended = endClosed
	}()
	o.result = a.Execute(ctx, g, op)
	return o
}

// judge turns what Execute returned, or panicked with, into the outcome.
func (g *guard) judge(r consensus.Result, panicked any, room int) outcome {
	switch g.ended {
	case endFailed:
		return outcome{err: g.err}
	case endLimit:
		return outcome{result: consensus.Result{Code: consensus.ResultLimit}}
	case endDenied:
		r, panicked = Failed(DeniedText), nil
		if g.unordered {
			r = Failed(noWriteText)
		}
	}
	switch {
	case panicked != nil:
		return outcome{result: consensus.Result{Code: consensus.ResultPanic}, panic: describe(panicked)}
	case r.Code == consensus.ResultOK, r.Code == consensus.ResultFailed:
		if len(r.Data) <= room {
			return outcome{result: r}
		}
		return outcome{result: consensus.Result{Code: consensus.ResultTooLarge}}
	case r.Code == consensus.ResultTooLarge && len(r.Data) == 0:
		return outcome{result: r}
	}
	text := fmt.Sprintf("app: the application returned result code %d with %d bytes", r.Code, len(r.Data))
	return outcome{result: consensus.Result{Code: consensus.ResultPanic}, panic: text}
}

// describe cuts a panic's value to what a log line bears.
func describe(panicked any) string {
	const most = 512
	text := fmt.Sprint(panicked)
	return text[:min(len(text), most)]
}
