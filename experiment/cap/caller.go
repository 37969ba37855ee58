package cap

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/leaderless"
	"quorate.dev/quorate/sim"
)

// The keys. A cart and a counter are read, changed and written; a color is written
// anew; a coupon is given out once by C0, and taken back by C1 while the network is
// cut.
const (
	cart    = "cart"
	counter = "counter"
	color   = "color"
	coupon  = "coupon"
)

var keys = []string{coupon, cart, counter, color}

// takenBackAt is when C1 deletes the coupon.
const takenBackAt = cutAt + cutLasts/3

// ask is one call that a client wants to make.
type ask struct {
	at    consensus.Time // not before
	op    []byte
	key   string
	kind  kv.Kind // put for a compare-and-swap, too
	rests []string
	seen  []leaderless.Stamp
}

// ending is how one ended.
type ending struct {
	failed bool
	lost   bool // a compare-and-swap found something else
	found  []string
	seen   []leaderless.Stamp
}

// caller is what one client does: it knows what it has read, and decides what to ask
// next. It has no clock and no network.
type caller struct {
	index  int
	swaps  bool // writes on condition that nothing has changed
	dotted bool
	busy   bool
	pace   pace
	dice   *rand.Rand
	known  map[string]ending // what it last read, or wrote itself
	turn   int
	asked  ask // the last one
	bought int
	number int // of writes
	closed int // how many keys it has read in the end
	gave   bool
	took   bool
}

func newCaller(index int, c *Column, seed uint64) *caller {
	return &caller{index: index, swaps: c.swaps(), dotted: c.dotted(), busy: c.Setting.Busy, pace: c.Setting.pace(), dice: diceOf(seed, fmt.Sprintf("caller %d", index)), known: map[string]ending{}}
}

// diceOf is the source of one purpose's decisions.
func diceOf(seed uint64, purpose string) *rand.Rand {
	d := crypto.Hash(binary.BigEndian.AppendUint64([]byte("quorate/cap/"+purpose+"/"), seed))
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(d[:8]), binary.BigEndian.Uint64(d[8:16])))
}

// next is what it asks now, given how the call before ended; not ok when it is done.
func (c *caller) next(now consensus.Time, last *ending) (a ask, ok bool) {
	begins := last == nil || c.asked.kind != kv.KindGet
	if last != nil {
		c.learn(last)
	}
	if !begins && now < c.pace.writesTo {
		if a, ok := c.write(c.asked.key); ok {
			a.at = now + sim.Millisecond*consensus.Time(2+c.dice.IntN(20))
			c.asked = a
			return a, true
		}
	}
	at := now + consensus.Time(1+c.dice.Int64N(int64(2*c.pace.think)))
	key := c.keys()[c.turn%len(c.keys())]
	c.turn++
	if at >= c.pace.writesTo {
		if c.closed == len(keys) {
			return ask{}, false
		}
		at, key = max(now, c.pace.closesAt), keys[c.closed]
		c.closed++
	}
	c.asked = ask{at: at, key: key, kind: kv.KindGet, op: kv.Get([]byte(key))}
	return c.asked, true
}

// keys are those that it turns to. In a hurry, it looks twice at what it finds.
func (c *caller) keys() []string {
	switch {
	case c.busy && c.index == 0:
		return []string{color}
	case c.busy:
		return []string{counter, color, color, color}
	}
	return keys
}

// learn takes in how the last call ended.
func (c *caller) learn(e *ending) {
	switch {
	case e.failed:
	case c.asked.kind == kv.KindGet || e.lost:
		c.known[c.asked.key] = *e
	case c.dotted: // it knows what others wrote meanwhile when it has read again
	case c.asked.kind == kv.KindPut:
		c.known[c.asked.key] = ending{found: []string{c.written()}}
	default:
		c.known[c.asked.key] = ending{}
	}
}

// written is the value of the last write.
func (c *caller) written() string {
	op, err := kv.Decode(c.asked.op)
	if err != nil {
		return ""
	}
	return string(op.Value)
}

// write is what it makes of a key that it has read, if anything.
func (c *caller) write(key string) (a ask, ok bool) {
	k := c.known[key]
	var value string
	switch {
	case key == cart:
		value = c.buy(k.found)
	case key == counter && len(k.found) > 1:
		return a, false // two counts: it is not for a program to decide
	case key == counter:
		value = strconv.Itoa(count(k.found) + 1)
	case key == color && c.busy && c.index > 0:
		return a, false // it watches
	case key == color:
		value = colors[c.dice.IntN(len(colors))]
	case c.index == 0 && !c.gave && len(k.found) == 0:
		c.gave, value = true, "valid"
	case c.index == 1 && !c.took && len(k.found) > 0 && c.asked.at >= takenBackAt:
		c.took = true
	default:
		return a, false
	}
	a = ask{key: key, kind: kv.KindPut, rests: k.found, seen: k.seen}
	if value == "" {
		a.kind, a.op = kv.KindDelete, kv.Delete([]byte(key))
		if c.swaps {
			a.op = kv.CompareAndSwap([]byte(key), expected(k.found), kv.None)
		}
		return a, true
	}
	c.number++
	value = fmt.Sprintf("%s%sC%d.%d", value, mark, c.index, c.number)
	a.op = kv.Put([]byte(key), []byte(value))
	if c.swaps {
		a.op = kv.CompareAndSwap([]byte(key), expected(k.found), kv.Some([]byte(value)))
	}
	return a, true
}

// mark stands between a value and the number of its write, so that no two are alike.
const mark = " ~"

// plain is a value without its number.
func plain(value string) string {
	text, _, _ := strings.Cut(value, mark)
	return text
}

func expected(found []string) kv.Maybe {
	if len(found) == 0 {
		return kv.None
	}
	return kv.Some([]byte(found[0]))
}

// buy puts one thing more into what carts hold: of siblings, into all of them.
func (c *caller) buy(found []string) string {
	var all []string
	for _, f := range found {
		for _, x := range strings.Split(plain(f), ", ") {
			if !slices.Contains(all, x) {
				all = append(all, x)
			}
		}
	}
	list := goods[c.index%len(goods)]
	thing := list[c.bought%len(list)]
	if round := c.bought / len(list); round > 0 {
		thing = fmt.Sprintf("%s %d", thing, round+1)
	}
	c.bought++
	return strings.Join(append(all, thing), ", ")
}

// count is the number that a counter holds.
func count(found []string) int {
	if len(found) == 0 {
		return 0
	}
	n, err := strconv.Atoi(plain(found[0]))
	if err != nil {
		return 0
	}
	return n
}

var (
	colors = []string{"red", "green", "blue", "black", "white"}
	goods  = [][]string{
		{"milk", "bread", "tea", "salt", "rice", "honey", "figs", "mint", "oats", "plums"},
		{"eggs", "beans", "corn", "dates", "kale", "limes", "nuts", "pears", "soap", "wine"},
	}
)
