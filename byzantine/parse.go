package byzantine

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/consensus"
)

// Limits of what Parse reads.
const (
	MaxText  = 1024 // bytes
	maxWords = 32
)

// ErrSpec is what every error about the text of a behaviour wraps.
var ErrSpec = errors.New("no such behaviour")

// unknownError says that no behaviour has this name.
type unknownError struct {
	Name    string
	Nearest string // the known name that is spelled most like it; "" = none is near
}

// Error names the nearest, or says where all are if none is near.
func (e *unknownError) Error() string {
	if e.Nearest != "" {
		return fmt.Sprintf("%v: %q; did you mean %q?", ErrSpec, e.Name, e.Nearest)
	}
	return fmt.Sprintf("%v: %q; see `quorate byzantine list`", ErrSpec, e.Name)
}

// Unwrap makes it an ErrSpec.
func (e *unknownError) Unwrap() error { return ErrSpec }

// paramError says what is wrong with one word of a behaviour.
type paramError struct {
	Behaviour string
	Word      string
	Why       string
}

// Error says which word to change, and how.
func (e *paramError) Error() string {
	return fmt.Sprintf("behaviour %q: %q: %s", e.Behaviour, e.Word, e.Why)
}

// Unwrap makes it an ErrSpec.
func (e *paramError) Unwrap() error { return ErrSpec }

// foreignError says that a lie is one of other protocols.
type foreignError struct {
	Name string
	Of   []string // whose it is
	Runs string   // what the cluster runs
}

// Error says where the lies of the cluster's own protocol are listed.
func (e *foreignError) Error() string {
	return fmt.Sprintf("%s is a lie of %s; this cluster runs %s: see `quorate byzantine list`", e.Name, strings.Join(e.Of, " and "), e.Runs)
}

// Unwrap makes it an ErrSpec.
func (e *foreignError) Unwrap() error { return ErrSpec }

// Parse reads one behaviour: a name or an alias, then words of the form
// name=value, then the main parameter, which may stand bare. All behaviours
// take to= (replicas), kind= (kinds of frames), chance= (30%), after= and
// until= (2s); what else one takes stands in its profile. The values of those
// others are judged by Env.Plan, which knows the cluster.
func (c Catalogue) Parse(text string) (Spec, error) {
	if len(text) > MaxText {
		return Spec{}, &paramError{Word: text[:32] + "...", Why: fmt.Sprintf("the text has %d bytes, at most %d are read", len(text), MaxText)}
	}
	words := strings.Fields(text)
	if len(words) == 0 {
		return Spec{}, c.unknown("")
	}
	if len(words) > maxWords {
		return Spec{}, &paramError{Behaviour: words[0], Word: words[maxWords], Why: fmt.Sprintf("at most %d words are read", maxWords)}
	}
	p := c.Lookup(words[0])
	if p == nil {
		name, _, _ := strings.Cut(words[0], "=")
		if known := c.Lookup(name); known != nil {
			return Spec{}, &paramError{Behaviour: known.Name, Word: words[0], Why: "put a blank between the name and its parameter, as in " + strconv.Quote(example(known))}
		}
		return Spec{}, c.unknown(words[0])
	}
	s := Spec{Profile: p}
	for i, w := range words[1:] {
		if slices.ContainsFunc(words[1:1+i], func(v string) bool { return key(v) == key(w) }) {
			return Spec{}, &paramError{Behaviour: p.Name, Word: w, Why: "it stands twice"}
		}
		if why := s.take(p, w); why != "" {
			return Spec{}, &paramError{Behaviour: p.Name, Word: w, Why: why}
		}
	}
	if s.Until != 0 && s.Until <= s.After {
		return Spec{}, &paramError{Behaviour: p.Name, Word: "until", Why: "must lie behind after"}
	}
	return s, nil
}

// example is a behaviour as it may be written.
func example(p *Profile) string {
	if len(p.Params) == 0 || p.Params[0].Default == "" {
		return p.Name + " chance=30%"
	}
	return p.Name + " " + p.Params[0].Default
}

// key is what a word sets: "" for the bare main parameter.
func key(word string) string {
	name, _, named := strings.Cut(word, "=")
	if !named {
		return ""
	}
	return name
}

// take puts one word into s, or says why it cannot.
func (s *Spec) take(p *Profile, word string) (why string) {
	name, value, named := strings.Cut(word, "=")
	if !named {
		name, value = "", word
	}
	switch {
	case value == "":
		return "has no value"
	case !utf8Clean(value):
		return "has characters that do not print"
	case named && slices.Contains(commonNames, name):
		return s.common(name, value)
	case !named && len(p.Params) == 0:
		return "it takes no main parameter"
	case !named || len(p.Params) > 0 && p.Params[0].Name == name:
		if s.Main != "" {
			return "the main parameter stands twice"
		}
		s.Main = value
		return ""
	case !slices.ContainsFunc(p.Params, func(q Param) bool { return q.Name == name }):
		return "known are: " + strings.Join(names(p), ", ")
	}
	if s.Options == nil {
		s.Options = map[string]string{}
	}
	s.Options[name] = value
	return ""
}

// utf8Clean keeps texts of behaviours fit for reports: graphic ASCII only.
func utf8Clean(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// commonNames are the parameters that every behaviour takes.
var commonNames = []string{"to", "kind", "chance", "after", "until"}

func names(p *Profile) []string {
	all := slices.Clone(commonNames)
	for _, q := range p.Params {
		all = append(all, q.Name)
	}
	return all
}

func (s *Spec) common(name, value string) (why string) {
	var err error
	switch name {
	case "to":
		s.To, err = parseIDs(value)
	case "kind":
		s.Kinds, err = parseKinds(value)
	case "chance":
		if s.Chance, err = parsePercent(value); err == nil && s.Chance == 0 {
			return "a behaviour that never happens is none: leave it out"
		}
	case "after":
		s.After, err = parseSpan(value)
	case "until":
		if s.Until, err = parseSpan(value); err == nil && s.Until == 0 {
			return "a behaviour that ends at once is none: leave it out"
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func parseIDs(text string) ([]consensus.ReplicaID, error) {
	var ids []consensus.ReplicaID
	for _, part := range strings.Split(text, ",") {
		n, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimPrefix(part, "R"), "r"), 10, 16)
		if err != nil || n >= consensus.MaxReplicas {
			return nil, fmt.Errorf("want numbers of replicas below %d, such as 1,2", consensus.MaxReplicas)
		}
		ids = append(ids, consensus.ReplicaID(n))
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

func parseKinds(text string) ([]string, error) {
	parts := strings.Split(strings.ToUpper(text), ",")
	if slices.Contains(parts, "") {
		return nil, errors.New("want names of kinds, such as PREPARE,COMMIT")
	}
	slices.Sort(parts)
	return slices.Compact(parts), nil
}

// parsePercent reads a share of 0 to 100 %, in parts per million.
func parsePercent(text string) (ppm int, err error) {
	number, ok := strings.CutSuffix(text, "%")
	whole, fraction, _ := strings.Cut(number, ".")
	n, err := strconv.ParseUint(whole+(fraction + "0000")[:4], 10, 32)
	if !ok || err != nil || len(fraction) > 4 || n > million {
		return 0, errors.New("want a share between 0% and 100%, with at most four decimals")
	}
	return int(n), nil
}

// maxSpan bounds durations.
const maxSpan = consensus.Time(24 * time.Hour)

func parseSpan(text string) (consensus.Time, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || consensus.Time(d) > maxSpan {
		return 0, errors.New("want a duration such as 500ms or 2s, at most 24h")
	}
	return consensus.Time(d), nil
}

func (c Catalogue) unknown(name string) error {
	e := &unknownError{Name: name}
	if len(e.Name) > 64 {
		e.Name = e.Name[:64] + "..."
	}
	best := max(2, len(e.Name)/3) + 1
	spellings := c.names()
	for _, p := range c {
		spellings = append(spellings, p.Aliases...)
	}
	for _, k := range spellings {
		if len(name) >= 3 && strings.HasPrefix(k, strings.ToLower(name)) {
			e.Nearest = k // it was cut short
			break
		}
		if d := distance(strings.ToLower(e.Name), k); d < best {
			best, e.Nearest = d, k
		}
	}
	return e
}

// distance is the number of letters to insert, drop or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = row[j+1]
			row[j+1] = min(cost, row[j]+1, corner+1)
		}
	}
	return row[len(b)]
}
