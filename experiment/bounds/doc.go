// Package bounds shows by runs what each number of replicas buys: a matrix of
// scenarios and protocols, each cell an actual run judged by package check and
// held against what theory says.
//
// Invariants: no cell's outcome is written down in advance, only what theory
// expects of it; the report holds everything that it shows (one file, no
// network).
//
// Source: ADVERSARIES.md §2 and §3; Castro & Liskov (OSDI 1999) §3; Dwork,
// Lynch, Stockmeyer (1988) for n = 3f.
package bounds
