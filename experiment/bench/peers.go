package bench

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
)

// errPeers is what errors wrap when a file of peers' figures cannot be used.
var errPeers = errors.New("not a file of peers' figures")

// Bounds of a file of peers' figures.
const (
	maxPeersBytes = 1 << 20
	maxPeers      = 64
	maxPeerRounds = 100
	maxPeerText   = 200
)

// Peers are figures of other systems, which other programs have measured.
type Peers struct {
	Note  string `json:"note"` // when, where and how
	Peers []Peer `json:"peers"`
}

// Peer is what one system reached with one load.
type Peer struct {
	Name     string      `json:"name"`
	Protocol string      `json:"protocol"` // whose figures it stands beside; "" = those of any
	Clients  int         `json:"clients"`
	OneEach  bool        `json:"one_each"` // each operation is signed and verified
	Rounds   []PeerRound `json:"rounds"`
}

// PeerRound is one measurement of a peer. What was not measured is absent.
type PeerRound struct {
	PerSecond float64  `json:"operations_per_second"`
	P50       *float64 `json:"p50_ms"`
	P90       *float64 `json:"p90_ms"`
	P99       *float64 `json:"p99_ms"`
	Max       *float64 `json:"max_ms"`
	Gap       *float64 `json:"longest_gap_ms"`
	CPU       *float64 `json:"cpu_us_per_operation"`
}

// ReadPeers reads a file. Errors wrap errPeers.
func ReadPeers(path string) (*Peers, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPeers, err)
	}
	defer func() { _ = f.Close() }() // only read
	return parsePeers(io.LimitReader(f, maxPeersBytes+1))
}

// parsePeers reads strictly: what is misspelt is no figure.
func parsePeers(r io.Reader) (*Peers, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPeers, err)
	}
	if len(text) > maxPeersBytes {
		return nil, fmt.Errorf("%w: it has more than %d bytes", errPeers, maxPeersBytes)
	}
	p := &Peers{}
	if err := json.Unmarshal(text, &json.RawMessage{}); err != nil {
		return nil, fmt.Errorf("%w: %s", errPeers, misspelt(text, err))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("%w: %s", errPeers, misspelt(text, err))
	}
	if len(p.Peers) == 0 || len(p.Peers) > maxPeers || utf8.RuneCountInString(p.Note) > maxPeerText {
		return nil, fmt.Errorf("%w: it needs 1 to %d peers, and a note of at most %d characters", errPeers, maxPeers, maxPeerText)
	}
	for i := range p.Peers {
		if err := p.Peers[i].check(); err != nil {
			return nil, fmt.Errorf("%w: peer %d, %q: %w", errPeers, i+1, p.Peers[i].Name, err)
		}
	}
	return p, nil
}

// misspelt says in our words what cannot be read, and in which line.
func misspelt(text []byte, err error) string {
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	line := func(at int64) int { return 1 + bytes.Count(text[:min(max(at, 0), int64(len(text)))], []byte("\n")) }
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return "it is empty"
	case errors.As(err, &syntax) && strings.HasPrefix(syntax.Error(), "unexpected end"):
		return fmt.Sprintf("line %d: it ends before it is complete", line(syntax.Offset))
	case errors.As(err, &syntax) && syntax.Offset > 0:
		wrong := text[syntax.Offset-1:]
		return fmt.Sprintf("line %d: no JSON has %s there", line(syntax.Offset-1), noun.Quote(wrong[:runeLength(wrong)]))
	case errors.As(err, &mistyped):
		what := cmp.Or(mistyped.Field, "the whole")
		return fmt.Sprintf("line %d: %s must be %s, not %s", line(mistyped.Offset-1), what, kindOf(mistyped.Type), valueOf(mistyped.Value))
	}
	name := strings.TrimPrefix(err.Error(), "json: ")
	if at := regexp.MustCompile(regexp.QuoteMeta(strings.TrimPrefix(name, "unknown field ")) + `\s*:`).FindIndex(text); at != nil {
		return fmt.Sprintf("line %d: %s", line(int64(at[0])), name)
	}
	return name
}

// runeLength is how many bytes the first character has.
func runeLength(text []byte) int {
	_, n := utf8.DecodeRune(text)
	return n
}

// kindOf is what JSON calls the values of a type.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	}
	return "a text"
}

// valueOf is what JSON calls a value, of package json's names.
func valueOf(name string) string {
	switch name {
	case "object":
		return "an object"
	case "array":
		return "a list"
	case "number":
		return "a number"
	case "bool":
		return "true or false"
	case "string":
		return "a text"
	}
	return strings.TrimPrefix(name, "number ")
}

// check refuses what is no peer's figures.
func (p *Peer) check() error {
	if p.Protocol != "" {
		if _, err := protocol.Lookup(p.Protocol); err != nil {
			return err
		}
	}
	if p.Name == "" || utf8.RuneCountInString(p.Name) > maxPeerText || p.Clients < 1 || len(p.Rounds) == 0 || len(p.Rounds) > maxPeerRounds {
		return fmt.Errorf("it needs a name of at most %d characters, clients, and 1 to %d rounds", maxPeerText, maxPeerRounds)
	}
	for _, r := range p.Rounds {
		if r.PerSecond <= 0 || math.IsInf(r.PerSecond, 0) {
			return errors.New("operations_per_second must be positive")
		}
		for _, v := range []*float64{r.P50, r.P90, r.P99, r.Max, r.Gap, r.CPU} {
			if v != nil && *v < 0 {
				return errors.New("no figure may be negative")
			}
		}
	}
	return nil
}

// all are its peers; it may be nil.
func (p *Peers) all() (all []*Peer) {
	if p != nil {
		for i := range p.Peers {
			all = append(all, &p.Peers[i])
		}
	}
	return all
}

// bore reports whether a peer bore the load of a measurement.
func (p *Peer) bore(m *Measurement) bool {
	return p.Clients == m.Clients && p.OneEach == m.OneEach && (p.Protocol == "" || p.Protocol == m.Protocol) && m.Rate == 0 && m.Reads == 0 && !m.Volatile
}

// samples are the figures of its rounds.
func (p *Peer) samples() (all []sample) {
	for i := range p.Rounds {
		r := &p.Rounds[i]
		all = append(all, sample{&r.PerSecond, r.P50, r.P90, r.P99, r.Max, r.Gap, r.CPU})
	}
	return all
}
