package byzantine

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Values are read from complete specs. The name "" is the main parameter.

// Value is the text of a parameter.
func (s *Spec) Value(name string) string {
	if name == "" {
		return s.Main
	}
	return s.Options[name]
}

// wrong says what is wrong with the value of a parameter.
func (s *Spec) wrong(name, why string) error {
	word := s.Value(name)
	if name != "" {
		word = name + "=" + word
	}
	return s.refuse(word, why)
}

// Number reads a whole number between low and high.
func (s *Spec) Number(name string, low, high int) (int, error) {
	n, err := strconv.Atoi(s.Value(name))
	if err != nil || n < low || n > high {
		return 0, s.wrong(name, fmt.Sprintf("want a number between %d and %d", low, high))
	}
	return n, nil
}

// share reads a percentage, in parts per million.
func (s *Spec) share(name string) (ppm int, err error) {
	if ppm, err = parsePercent(s.Value(name)); err != nil {
		return 0, s.wrong(name, err.Error())
	}
	return ppm, nil
}

// Word reads one of the words allowed.
func (s *Spec) Word(name string, allowed ...string) (string, error) {
	if w := s.Value(name); slices.Contains(allowed, w) {
		return w, nil
	}
	return "", s.wrong(name, "want one of: "+strings.Join(allowed, ", "))
}

// Wait is a time to wait: ticks, or nanoseconds of the host's clock.
type Wait struct {
	Ticks int
	Time  consensus.Time
}

// over reports whether a wait has ended that began so long ago.
func (w Wait) over(ticks int, age consensus.Time) bool {
	return ticks >= w.Ticks && age >= w.Time
}

// Duration reads a duration.
func (s *Spec) Duration(name string) (consensus.Time, error) {
	d, err := parseSpan(s.Value(name))
	if err != nil {
		return 0, s.wrong(name, err.Error())
	}
	return d, nil
}

// Wait reads a duration, or a percentage of the patience of the honest, which
// is in ticks and may exceed 100.
func (s *Spec) Wait(e *Env, name string) (Wait, error) {
	text := s.Value(name)
	if number, ok := strings.CutSuffix(text, "%"); ok {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || n > 10_000 {
			return Wait{}, s.wrong(name, "want a whole percentage of the patience of honest replicas, at most 10000%")
		}
		return Wait{Ticks: int(n) * e.Patience / 100}, nil
	}
	d, err := parseSpan(text)
	if err != nil {
		return Wait{}, s.wrong(name, err.Error()+", or a percentage of the patience of honest replicas, such as 80%")
	}
	return Wait{Time: d}, nil
}

// Clients reads a list of clients: their numbers in the genesis, or the first
// 8 or more digits of their keys; "all" is everybody.
func (s *Spec) Clients(e *Env, name string) (func(crypto.PublicKey) bool, error) {
	text := s.Value(name)
	if text == "all" {
		return func(crypto.PublicKey) bool { return true }, nil
	}
	var keys []crypto.PublicKey
	var prefixes []string
	for _, part := range strings.Split(text, ",") {
		if n, err := strconv.Atoi(part); err == nil && n >= 0 && n < len(e.Genesis.Clients) {
			keys = append(keys, e.Genesis.Clients[n].Key)
		} else if isPrefix(part) {
			prefixes = append(prefixes, strings.ToLower(part))
		} else {
			return nil, s.wrong(name, fmt.Sprintf("want all, numbers of the genesis' %d clients, or at least 8 digits of their keys", len(e.Genesis.Clients)))
		}
	}
	return func(k crypto.PublicKey) bool {
		return slices.Contains(keys, k) ||
			slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(k.String(), p) })
	}, nil
}

func isPrefix(text string) bool {
	if len(text) < 8 || len(text) > 2*crypto.PublicKeySize {
		return false
	}
	_, err := hex.DecodeString(text[:len(text)&^1])
	return err == nil
}

// InTurn goes through words, turn after turn, if how is "any".
func InTurn(how string, words []string, turn uint64) string {
	if how == "any" {
		return words[turn%uint64(len(words))]
	}
	return how
}

// RivalBatch is another batch for the slot of b, valid and made of nothing but
// b, so that all of a coalition make the same. What cannot be done with b is done
// to its stamp.
func RivalBatch(b *consensus.Batch, how string) *consensus.Batch {
	r := &consensus.Batch{Stamp: b.Stamp, Requests: slices.Clone(b.Requests)}
	switch {
	case how == "order" && len(b.Requests) > 1:
		slices.Reverse(r.Requests)
	case how == "subset" && len(b.Requests) > 1:
		r.Requests = r.Requests[:len(r.Requests)-1]
	case how == "empty" && len(b.Requests) > 0:
		r.Requests = nil
	default:
		r.Stamp++
	}
	return r
}
