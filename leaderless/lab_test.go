package leaderless

import (
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// lab runs replicas by hand: frames wait until they are delivered, and disks are
// written at once.
type lab struct {
	t        *testing.T
	config   Config
	now      consensus.Time
	clocks   []consensus.Time // by how much each is ahead
	replicas []*Replica       // nil = down
	disks    [][][]byte
	frames   []flight
	cut      func(from, to int) bool
	nonces   uint64
	fixed    bool // each replica has the same nonce in all lives
	signers  []crypto.Signer
	answers  map[crypto.Digest]*Answer
	counter  uint64
}

type flight struct {
	from, to int
	frame    []byte
}

// clients of a lab.
const labClients = 2

func newLab(t *testing.T, c Config) *lab {
	ring := crypto.NewKeyring()
	c.Verifier = crypto.NewSimVerifier(ring)
	l := &lab{t: t, config: c, now: second, clocks: make([]consensus.Time, c.Replicas), replicas: make([]*Replica, c.Replicas), disks: make([][][]byte, c.Replicas), answers: map[crypto.Digest]*Answer{}}
	for i := range labClients {
		l.signers = append(l.signers, crypto.NewSimSigner(ring, [crypto.PrivateKeySize]byte{byte(i + 1)}))
	}
	for i := range c.Replicas {
		l.start(i)
	}
	return l
}

func (l *lab) start(i int) {
	c := l.config
	c.Self = i
	l.nonces++
	nonce := l.nonces
	if l.fixed {
		nonce = uint64(i + 1)
	}
	l.replicas[i] = New(c)
	out, err := l.replicas[i].Start(l.now+l.clocks[i], nonce, l.disks[i])
	if err != nil {
		l.t.Fatal(err)
	}
	l.do(i, out)
}

func (l *lab) crash(i int) { l.replicas[i] = nil }

func (l *lab) wipe(i int) { l.replicas[i], l.disks[i] = nil, nil }

func (l *lab) do(i int, out Output) {
	l.disks[i] = append(l.disks[i], out.Records...)
	for _, s := range out.Sends {
		l.frames = append(l.frames, flight{i, s.To, s.Frame})
	}
}

// deliver delivers what waits, and what comes of it, as far as it is wanted.
func (l *lab) deliver(wanted func(f flight) bool) {
	for {
		i := slices.IndexFunc(l.frames, wanted)
		if i < 0 {
			return
		}
		f := l.frames[i]
		l.frames = slices.Delete(l.frames, i, i+1)
		switch {
		case l.cut != nil && l.cut(f.from, f.to):
		case f.to >= l.config.Replicas:
			a, err := DecodeAnswer(f.frame)
			if err != nil {
				l.t.Fatal(err)
			}
			l.answers[a.Request] = a
		case l.replicas[f.to] != nil:
			l.do(f.to, l.replicas[f.to].Arrive(l.now+l.clocks[f.to], f.from, f.frame))
		}
	}
}

func all(flight) bool { return true }

// pass lets so much time pass, and delivers everything.
func (l *lab) pass(d consensus.Time) {
	for end := l.now + d; l.now < end; {
		l.now += second / 20
		for i, r := range l.replicas {
			if r != nil {
				l.do(i, r.Tick(l.now+l.clocks[i]))
			}
		}
		l.deliver(all)
	}
}

// request signs one.
func (l *lab) request(client int, op []byte, seen []Stamp) *consensus.Request {
	l.counter++
	return consensus.SignRequest(l.signers[client], l.config.Cluster, consensus.Sequence{Epoch: 1, Counter: l.counter}, Operations(op, seen))
}

// ask sends a client's request, and delivers nothing.
func (l *lab) ask(client, to int, op []byte, seen []Stamp) crypto.Digest {
	q := l.request(client, op, seen)
	l.do(to, l.replicas[to].Arrive(l.now+l.clocks[to], l.config.Replicas+client, q.Raw))
	return q.Digest
}

// call asks and lets time pass until there is an answer.
func (l *lab) call(client, to int, op []byte, seen []Stamp) *Answer {
	l.t.Helper()
	d := l.ask(client, to, op, seen)
	l.deliver(all)
	for range 20 {
		if l.answers[d] != nil {
			return l.answers[d]
		}
		l.pass(second / 20)
	}
	l.t.Fatalf("no answer to call %d", l.counter)
	return nil
}

func (l *lab) put(client, to int, key, value string) *Answer {
	l.t.Helper()
	return l.call(client, to, kv.Put([]byte(key), []byte(value)), nil)
}

func (l *lab) get(client, to int, key string) (*Answer, string) {
	l.t.Helper()
	a := l.call(client, to, kv.Get([]byte(key)), nil)
	return a, text(a.Values)
}

func text(values [][]byte) string {
	var all []string
	for _, v := range values {
		all = append(all, string(v))
	}
	slices.Sort(all)
	return strings.Join(all, "|")
}

// alone cuts replicas and clients off from all others.
func (l *lab) alone(inside ...int) {
	l.cut = func(from, to int) bool { return slices.Contains(inside, from) != slices.Contains(inside, to) }
}

// held is what each replica holds of a key.
func (l *lab) held(key string) string {
	var all []string
	for _, r := range l.replicas {
		c := r.Cell(key)
		all = append(all, text(c.Live()))
	}
	return strings.Join(all, " / ")
}

func (l *lab) expect(what, got, want string) {
	l.t.Helper()
	if got != want {
		l.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// root is the hash of all that it holds: of equal replicas it is the same.
func (r *Replica) root() crypto.Digest {
	root, _ := r.keep.tree()
	return root
}
