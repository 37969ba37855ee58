// Command mutation measures the tests by mutations: it seeds one bug at a time
// into the source, most of them mistakes that other implementations made
// (docs/ADVERSARIES.md lists them by number), and expects that a rule test
// fails. Of a protocol's bugs it also says how many seeds the simulator takes.
//
//	go run ./internal/mutation                   every bug; progress on standard error, a table at the end
//	go run ./internal/mutation -run 'quorum|B2'  some of them, by name or origin
//	go run ./internal/mutation -keep FILE -rules=false -run rejoin -write docs/TESTING.md
//
// The last one tries the simulator alone on some bugs and takes all else that
// the table says from what earlier runs kept in FILE.
//
// A bug is a small edit of one or two files: testdata says it in a few fields
// and a diff (see parse). It is applied with the go command's -overlay, so that
// honest code has no seams for it and the working tree is never touched: mutated
// files live in a temporary directory. The lines that an edit replaces must occur
// exactly once in their file; when code moves on, the diff moves with it
// (TestEveryBugApplies). A bug that does not compile is an error of the diff, a
// bug that survives is a hole in the tests.
//
// Invariants: bugs are tried one after the other; every process that is started
// is waited for, and killed when its time is up; the exit code is 0 only if all
// bugs were caught by a rule test or by the simulator.
//
// make mutation runs it, and make test a share of quick bugs.
package main
