// Package tidy is the referee of the house: it reads the source of the whole
// module and fails the tests when an import goes up or sideways, when a
// package below the line touches a clock, a goroutine, a disk, the network or
// global randomness, when a function or a type outgrows its limit, when anybody
// but the registry of protocols and their lies imports an engine or compares a
// protocol's name, or when a package stands in no floor or has no doc.go.
//
// Why a program and not a review: the simulator proves things about the code
// that runs in production only as long as nothing below the line can tell the
// two apart, and one time.Now is enough to lose that without anybody noticing.
//
// It also follows the imports of the packages of which production is made to
// their ends: none may reach one that knows how to lie (honest.go).
//
// Its tests also hold the documents and each doc.go to the names that they quote:
// paths, Go names, tests and traces (naming_test.go).
//
// What is a matter of degree it only reports: medians, long files, wide
// structs, the share of comments (go test -v -run Report ./internal/tidy).
//
// All that reads syntax alone, no types, so it works on a tree that does not
// build. One rule needs types, and the go command: outside of the packages that
// the module offers to others (surface.go), no name is exported that no other
// package uses.
//
// It never writes.
package tidy
