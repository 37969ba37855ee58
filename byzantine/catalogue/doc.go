// Package catalogue puts all behaviours together: those of no protocol, each
// protocol's lies, and those of clients. docs/ADVERSARIES.md lists them, and a
// test holds it against this package.
//
// A protocol without lies of its own has the behaviours of no protocol. One
// that gets some is entered in All and Of.
//
// Invariant: the order of All is the same in every run, because simulated seeds
// draw by it.
package catalogue
