package sim

import (
	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
)

// ask invokes what the configuration wants next of this client, when it wants
// it. It asks in a moment of its own: whoever grants a quota counts callers.
func (c *client) ask() {
	w := c.world
	w.clock.after(0, func() {
		op, at, ok := w.cfg.Ask(c.index, c.before)
		if !ok {
			c.callers--
			c.quota = 0
			return
		}
		w.clock.after(max(0, at-w.at()), func() {
			if w.cfg.Reads != nil && w.cfg.Reads(op) {
				c.readOf(op)
				return
			}
			c.invoke(op)
		})
	})
}

// application is what r executes.
func (w *World) application(r *replica) app.Application {
	if w.cfg.Application == nil {
		return ledger{r}
	}
	return witnessed{w.cfg.Application, r}
}

// witnessed is an application of which the checkers hear every execution.
type witnessed struct {
	app.Application
	replica *replica
}

// Execute tells and executes.
func (a witnessed) Execute(ctx app.Context, tx app.Tx, op []byte) consensus.Result {
	if !ctx.ReadOnly {
		a.replica.world.checks.executed(a.replica, ctx, op)
	}
	return a.Application.Execute(ctx, tx, op)
}
