// Package spec says what an experiment is, and how one ends.
//
//	spec.go      a Spec: so many replicas of a protocol, traitors, faults, clients; what no host can run
//	outcome.go   how an experiment ended, in words that can be held against theory; a tally of many
//	profile.go   profiles of the catalogue, each in many runs
//	fault.go     the one list of faults, for files, reports, simulator and processes
//	scenario.go  a scenario: requests in sets, faults at moments, or both
//	file.go      how it is read, as TOML; csv.go as courses hand it out
//
// It runs nothing: packages simulate and live do.
//
// Invariants: what a file says and nobody knows is an error with its line; an
// Outcome's word comes from package check and from nobody's hopes.
//
// Source: docs/ADVERSARIES.md §2 for what profiles promise.
package spec
