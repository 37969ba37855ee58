// Package node is one replica as a process, in the form of a library: it joins
// a protocol it does not know, through the driver, to a disk, a network, an
// application and a clock. Who is served next and what a full queue does is
// package host's to say; node adds the locks and the goroutines that wait.
//
// What it never does: decide anything that belongs to the protocol, answer a
// client before the records behind the answer are durable (the driver sees to
// that), go on after a failed write or sync, or drop a vote to keep a part of a
// snapshot.
//
// # The road of a request
//
//	p2p stream → intake → verifying worker (Protocol.Open) → inbox → loop: Step
//	  → journal: append, one sync → loop: Durable → sends
//	  → executor: Machine.Begin → reply → p2p stream
//	  at checkpoints → background: Task.Step, … → executor: Machine.Finish → inbox
//
// # Goroutines
//
//	goroutine    number       owns                         ends
//	loop         1            driver, engine, disk tasks     context done
//	  its ticker                (a time.Ticker, no goroutine of ours)
//	work         GOMAXPROCS   nothing                      intake closed
//	journal.run  1            storage.Log                  journal closed and empty
//	executor.run 1            app.Machine, the state       executor closed
//	background   1            the task that it is at       background closed
//	reader.run   1            nothing                      reader closed
//	guard        1            the home's lock              context done, or the home gone
//	keep         1            the order of the shutdown    after all of the above
//	admin server 1 + 1 per    nothing                      http.Server.Shutdown
//	             connection
//	p2p's own                 see package p2p              Network.Close
//	goleveldb's own                                        StateStore.Close
//
// # Queues, and what happens when one is full
//
// Intake, inbox and the queue of the executor are those of consensus/host.
//
//	intake, small frames of a replica    that replica's oldest one is dropped and counted
//	intake, larger frames of a replica   the stream they come by is held back
//	intake, requests and all             the client is refused as busy; what a replica forwards
//	frames of clients                    and the topic's are dropped; one source has a quarter
//	                                     of the bytes of all
//	inbox, own events                    cannot be: bounded by jobs, reads and tasks under way
//	background                           the executor takes no further commit, and so its jobs fill
//	inbox, votes and bodies              the worker waits, and with it the intake; no class
//	                                     keeps another out of a burst
//	inbox, requests                      refused as busy; forwarded ones are dropped and counted
//	driver's backlog, executor's jobs    the loop does not step until there is room
//	executor, answers                    dropped and counted: the client asks again; they
//	                                     take turns with the jobs, one client has 1/16
//	executor, READs                      the client is refused as busy; they wait for their
//	                                     height and take turns too, one client has 1/4
//	reader                               answered with nothing: the peer asks again
//	journal                              cannot be: bounded by the driver's backlog
//	p2p's outboxes                       see package p2p; what is not taken is counted
//
// Invariants: only the loop touches the driver; only the executor touches the
// machine, but for steps of its tasks; only the journal touches the log; whatever ends one of them ends
// the node, and Wait says why.
package node
