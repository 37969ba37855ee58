package crypto

import (
	"crypto/sha256"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/cache"
)

// Memory is a bounded set of claims that were proven, by their digest. It may
// forget whatever it likes and must never invent.
type Memory interface {
	Proven(Digest) bool
	Remember(Digest)
}

// Bounds of a verifier.
const (
	// cachedKeys is how many expanded public keys are kept beside the pinned
	// ones, about 1.5 KiB each.
	cachedKeys = 1024

	// rememberBytes is the largest body that is looked up in a Memory. A
	// lookup hashes the body. For a vote that is a fiftieth of a verification
	// and certificates bring it back many times; for a large request it is
	// half of one, and a large request hardly comes twice.
	rememberBytes = 64 << 10

	// maxBatch bounds the memory of one batch, about 1 KiB per claim. Beyond
	// this size a batch hardly gets cheaper per claim, and a bad signature in
	// it more expensive.
	maxBatch = 512
)

// zip215 is the one rule (see the package's comment).
var zip215 = &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}

type verifier struct {
	memory Memory
	keys   *keyCache
	cached *cache.Verifier
}

// NewVerifier makes the Ed25519 verifier: what memory knows is not verified
// again, equal claims of one group are verified once, the rest as one batch
// under ZIP-215, merged by key where there are many of each. When the batch fails, each key's claims are judged as a batch
// of their own and only a key with a bad signature pays one by one, so that a
// single author of bad signatures does not make everybody slow.
//
// The pinned keys, those of the replicas, stay expanded for ever; others share
// cachedKeys places, least recently used out first. A nil memory remembers
// nothing. The verifier is safe for concurrent use if its memory is.
func NewVerifier(memory Memory, pinned ...PublicKey) Verifier {
	keys := &keyCache{
		Cache:  cache.NewLRUCache(cachedKeys),
		pinned: make(map[curve.CompressedEdwardsY]*ed25519.ExpandedPublicKey, len(pinned)),
	}
	for _, k := range pinned {
		if expanded, err := ed25519.NewExpandedPublicKey(k[:]); err == nil {
			keys.pinned[expanded.CompressedY()] = expanded
		}
	}
	return &verifier{memory: memory, keys: keys, cached: cache.NewVerifier(keys)}
}

// keyCache looks among the pinned keys, which nobody writes to any more, before
// it asks the shared cache with its lock. A flood of strangers' keys cannot
// push the replicas' out.
type keyCache struct {
	cache.Cache
	pinned map[curve.CompressedEdwardsY]*ed25519.ExpandedPublicKey
}

func (c *keyCache) Get(k *curve.CompressedEdwardsY) *ed25519.ExpandedPublicKey {
	if expanded, ok := c.pinned[*k]; ok {
		return expanded
	}
	return c.Cache.Get(k)
}

// Verify answers one bool per claim, in order.
func (v *verifier) Verify(claims []Claim) []bool {
	valid := make([]bool, len(claims))
	w := work{verifier: v, claims: claims, valid: valid}
	fresh, same, names := w.sift()
	for batch := range slices.Chunk(fresh, maxBatch) {
		w.judge(batch)
	}
	for i, first := range same {
		valid[i] = valid[first]
	}
	if v.memory != nil {
		for _, i := range fresh {
			if name := names[i]; valid[i] && !name.IsZero() {
				v.memory.Remember(name)
			}
		}
	}
	return valid
}

// work is one group on its way: the claims, what was found out, and the buffer
// in which signed bytes are put together, one claim after the other.
type work struct {
	*verifier
	claims  []Claim
	valid   []bool
	scratch []byte
}

// sift sorts out what needs no verification. It returns the indices of fresh
// claims, for each repeated claim the index of its first appearance, and the
// claims' names, zero for those too large to be remembered.
func (w *work) sift() (fresh []int, same map[int]int, names []Digest) {
	fresh = make([]int, 0, len(w.claims))
	names = make([]Digest, len(w.claims))
	if w.memory == nil && len(w.claims) < 2 {
		for i := range w.claims {
			fresh = append(fresh, i)
		}
		return fresh, nil, names
	}
	first := make(map[Digest]int, len(w.claims))
	for i := range w.claims {
		c := &w.claims[i]
		if len(c.Body) > rememberBytes {
			fresh = append(fresh, i)
			continue
		}
		names[i] = w.name(c)
		switch j, repeated := first[names[i]]; {
		case repeated:
			if same == nil {
				same = make(map[int]int)
			}
			same[i] = j
		case w.memory != nil && w.memory.Proven(names[i]):
			w.valid[i] = true
			first[names[i]] = i
		default:
			fresh = append(fresh, i)
			first[names[i]] = i
		}
	}
	return fresh, same, names
}

// name identifies everything that a claim says. The fields before the body
// have fixed or stated lengths, so no two claims share a preimage.
func (w *work) name(c *Claim) Digest {
	b := append(w.scratch[:0], c.Key[:]...)
	b = append(b, c.Signature[:]...)
	w.scratch = c.Domain.Append(b, c.Body)
	return sha256.Sum256(w.scratch)
}

// message is the signed bytes of a claim, good until the next call.
func (w *work) message(c *Claim) []byte {
	w.scratch = c.Domain.Append(w.scratch[:0], c.Body)
	return w.scratch
}

// mergeFrom is how many claims of each key, on average, are verified as one merged
// batch: for fewer of them the library's tables of known keys gain more.
const mergeFrom = 4

// judge verifies the claims at the given indices, one or more: together first, then per
// key, then, within a key that has a bad one, one by one.
func (w *work) judge(indices []int) {
	if len(indices) == 1 {
		c := &w.claims[indices[0]]
		w.valid[indices[0]] = w.cached.VerifyWithOptions(c.Key[:], w.message(c), c.Signature[:], zip215)
		return
	}
	keys := w.byKey(indices)
	merge := len(indices) >= mergeFrom*len(keys)
	switch {
	case merge && w.merged(indices), len(keys) > 1 && !merge && w.batch(indices).VerifyBatchOnly(nil):
		for _, index := range indices {
			w.valid[index] = true
		}
	case len(keys) == 1:
		// The library goes on to singles by itself, with the points that it
		// has already unpacked.
		_, valid := w.batch(indices).Verify(nil)
		for i, index := range indices {
			w.valid[index] = valid[i]
		}
	default:
		for _, group := range keys {
			w.judge(group)
		}
	}
}

func (w *work) batch(indices []int) *ed25519.BatchVerifier {
	batch := ed25519.NewBatchVerifierWithCapacity(len(indices))
	for _, i := range indices {
		c := &w.claims[i]
		w.cached.AddWithOptions(batch, c.Key[:], w.message(c), c.Signature[:], zip215)
	}
	return batch
}

// byKey groups indices by the claims' keys, in order of first appearance.
func (w *work) byKey(indices []int) [][]int {
	var groups [][]int
	at := make(map[PublicKey]int)
	for _, i := range indices {
		key := w.claims[i].Key
		g, ok := at[key]
		if !ok {
			g = len(groups)
			at[key] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}
