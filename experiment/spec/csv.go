package spec

import (
	"encoding/csv"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"quorate.dev/quorate/consensus"
)

// courseBalance is what every account of a course's file holds at the start.
const courseBalance = 10

// The columns of a course's file.
const (
	columnSet = iota
	columnTransactions
	columnLive
	columnByzantine
	columnAttack
	courseColumns
)

// ParseCourse reads the CSV that courses on consensus hand out: the columns Set
// Number, Transactions, Live, Byzantine and Attack. A line without a set number
// goes on with the set before. Replicas n1, n2, ... become 0, 1, ..., and an
// attack is done by each replica of the column Byzantine.
//
//	1,"(A, B, 3)","[n1, n2, n3, n4]","[n3]","[crash; dark(n2)]"
func ParseCourse(text []byte) (*Scenario, error) {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\ufeff")))
	r.FieldsPerRecord, r.TrimLeadingSpace, r.LazyQuotes = -1, true, true
	s := courseFile{Scenario: &Scenario{Name: "course", Balance: courseBalance, Seed: 1}}
	for {
		fields, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, &ScenarioError{Text: err.Error()}
		}
		line, _ := r.FieldPos(0)
		if line == 1 && strings.HasPrefix(strings.ToLower(strings.TrimSpace(fields[0])), "set") {
			continue
		}
		if err := s.line(fields); err != nil {
			return nil, &ScenarioError{Line: line, Text: err.Error()}
		}
	}
	s.Replicas = max(4, s.highest)
	for i := range s.Sets {
		s.Sets[i].Print = Parts
	}
	return s.Scenario, s.check()
}

// courseFile is a scenario while its file is read, with the highest replica that
// was named so far, from 1.
type courseFile struct {
	*Scenario
	highest int
}

// line reads one line.
func (s *courseFile) line(fields []string) error {
	for len(fields) < courseColumns {
		fields = append(fields, "")
	}
	if strings.TrimSpace(fields[columnSet]) != "" || len(s.Sets) == 0 {
		set, err := s.set(fields)
		if err != nil {
			return err
		}
		s.Sets = append(s.Sets, set)
	}
	set := &s.Sets[len(s.Sets)-1]
	request, err := courseRequest(fields[columnTransactions])
	if err == nil && request != nil {
		set.Requests = append(set.Requests, *request)
	}
	return err
}

// set reads who lives and who lies.
func (s *courseFile) set(fields []string) (set Set, err error) {
	if set.Live, err = s.replicas(fields[columnLive]); err != nil {
		return set, fmt.Errorf("column Live: %w", err)
	}
	liars, err := s.replicas(fields[columnByzantine])
	if err != nil {
		return set, fmt.Errorf("column Byzantine: %w", err)
	}
	behaviours, err := s.attacks(fields[columnAttack])
	if err != nil {
		return set, fmt.Errorf("column Attack: %w", err)
	}
	set.Byzantine = map[consensus.ReplicaID][]string{}
	for _, id := range liars {
		if len(behaviours) > 0 {
			set.Byzantine[id] = behaviours
		}
	}
	return set, nil
}

var (
	courseReplica = regexp.MustCompile(`^n([1-9][0-9]?)$`)
	courseAttack  = regexp.MustCompile(`^([a-z-]+)(?:\(([^)]*)\))?$`)
)

// replicas reads a list such as [n1, n2]; none is nil.
func (s *courseFile) replicas(text string) (ids []consensus.ReplicaID, err error) {
	text = strings.Trim(strings.TrimSpace(text), "[]")
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		m := courseReplica.FindStringSubmatch(word)
		if m == nil {
			return nil, fmt.Errorf("%q is no replica: write n1, n2 and so on", word)
		}
		n, _ := strconv.Atoi(m[1])
		ids, s.highest = append(ids, consensus.ReplicaID(n-1)), max(s.highest, n)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// attacks reads a list such as [crash; dark(n6); equivocation(n5, n6)].
// The names are aliases of behaviours; what stands in brackets are victims.
func (s *courseFile) attacks(text string) (behaviours []string, err error) {
	text = strings.Trim(strings.TrimSpace(text), "[]")
	for _, word := range strings.Split(text, ";") {
		word = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(word)), "in-dark", "dark")
		if word == "" {
			continue
		}
		m := courseAttack.FindStringSubmatch(word)
		if m == nil {
			return nil, fmt.Errorf("%q is no attack: write crash, sign, dark(n6), time or equivocation(n5, n6)", word)
		}
		victims, err := s.replicas(m[2])
		if err != nil {
			return nil, err
		}
		if len(victims) > 0 {
			m[1] += " to=" + List(victims, "%d", ",")
		}
		behaviours = append(behaviours, m[1])
	}
	return behaviours, nil
}

// courseRequest reads (A, B, 3), a transfer, or (A), a balance; "" is none.
func courseRequest(text string) (*Request, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	inside, ok := strings.CutPrefix(text, "(")
	inside, closed := strings.CutSuffix(inside, ")")
	parts := strings.Split(inside, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	switch {
	case ok && closed && len(parts) == 3:
		return &Request{Verb: "transfer", Args: parts}, nil
	case ok && closed && len(parts) == 1 && parts[0] != "":
		return &Request{Verb: "balance", Args: parts}, nil
	}
	return nil, fmt.Errorf("column Transactions: %q: write (A, B, 3) to transfer 3 from A to B, or (A) for a balance", text)
}
