// Package p2p carries frames between replicas, clients and observers as libp2p
// peers, and over one gossip topic per cluster.
//
// A replica calls Listen, a client or observer Dial. Identities are Ed25519
// keys: the peer id is the key, the security handshake proves it, and the
// connection gater compares it with the members of the genesis and the client
// policy. Transport is TCP with Noise, else TLS, and yamux; nothing else of
// libp2p runs, and no other transport of it is linked.
//
// # Streams
//
// Frames travel behind a length of four bytes, big endian, at most
// consensus.MaxFrame long, on long-lived streams:
//
//	/quorate/<cluster>/votes/1    replica → replica, one way
//	/quorate/<cluster>/bodies/1   replica → replica, one way
//	/quorate/<cluster>/bulk/1     replica → replica, one way
//	/quorate/<cluster>/client/1   client ↔ replica: requests in, answers out
//
// Each side opens the streams that it writes, so that it does not matter who
// dialled. The replica with the higher id dials at once, the other a moment
// later if there is still no connection; two connections do no harm. Every
// stream out has a bounded queue, which never makes a caller wait: Votes and
// Bodies drop the oldest, Bulk refuses, answers to a client drop the oldest.
// A peer that does not read has its stream reset after a deadline.
//
// # Who gets in
//
// Everybody has places of their own: members and observers always, permitted
// clients up to a number in all and from one address, and those who have not
// yet proved who they are. When there are too many of the last, one at the
// address with most of them gives way; when there are too many clients, one
// that has no request stream does. So nobody, wherever it connects from, takes
// a place that a member needs. A key that
// nobody knows is let in a little: a bounded number of such guests, a bounded
// number per second, for five seconds each by default, who may send one frame and get one
// refusal that says why (unknown client, or busy if all places are taken); then
// they are hung up on. A typed answer is worth that much, and it is all that a
// stranger can make a replica do. Everybody else is refused right after the
// handshake, before a multiplexer or a stream exists.
//
// # The topic
//
// Lossy and many times dearer than a stream: for requests whose client reaches
// few replicas, and for announcements to observers. Never for votes. It is
// joined by the function in Config.Gossip: see package gossip.
//
// # Never
//
// It never decodes a frame (but for the one of a guest, to name it in the
// refusal), never answers for the protocol, keeps nothing on disk, and promises
// no delivery: frames of one stream arrive in order or not at all.
//
// # Goroutines
//
//	goroutine            number                        ends
//	link.run             1 per other member            Close
//	link.write           3 per connected member        connection lost, Close
//	Network.fromMember   at most 3 per member          stream ends, Close
//	clients.serve        1 per request stream          stream ends, Close
//	  its writer         1 per request stream          with it
//	reset                1 per stream given up         at once, or with the connection
//	publisher.run        1, if a topic was joined      Close
//	topic.deliverAll     1, in package gossip          Close
//	route.run            1 per replica (client side)   Close
//	  its writer         1 per open stream             with it
//
// and libp2p's own: about 12 per host, 3 per connection, 30 for gossip among four.
//
// Invariants: Receiver gets From only as the channel proved it; every queue,
// buffer and count that a peer can make grow has a bound, listed in Limits or
// beside its constant; no goroutine outlives Close.
//
// Source: the specifications of libp2p (connections, Noise, TLS, yamux,
// multistream-select); docs/PROTOCOL.md §7 (liveness never rests on a delivery).
package p2p
