package byzantine

import (
	"math"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// findingFunc is one behaviour at work on answers to READs. It changes copies.
type findingFunc func([]consensus.Finding) []consensus.Finding

// Findings returns what is sent in the place of answers to READs.
func (m *ReplyFilter) Findings(fs []consensus.Finding) []consensus.Finding {
	m.follow()
	if len(m.findings) > 0 {
		fs = slices.Clone(fs)
	}
	for _, v := range m.findings {
		fs = v(fs)
	}
	return fs
}

// findingFuncs makes what complete specs ask for.
func (e *Env) findingFuncs(specs []Spec) ([]findingFunc, error) {
	var all []findingFunc
	for _, s := range specs {
		switch {
		case s.Profile.findings == nil:
			continue
		case !s.forReplies():
			return nil, &paramError{Behaviour: s.Profile.Name, Word: "to, kind, after, until", Why: "answers go to clients and know no clock: choose by client=, and change plans over time"}
		}
		f, err := s.Profile.findings(e, s)
		if err != nil {
			return nil, err
		}
		all = append(all, e.sometimesFound(s.Chance, f))
	}
	return all, nil
}

// sometimesFound hands f only a share of the answers, the same ones throughout a
// coalition.
func (e *Env) sometimesFound(chance int, f findingFunc) findingFunc {
	if chance == 0 {
		return f
	}
	return func(fs []consensus.Finding) []consensus.Finding {
		var plain, chosen []consensus.Finding
		for _, x := range fs {
			q := consensus.Query{Name: x.Name}
			if e.sharedRand("finding "+string(q.Encode())).IntN(million) < chance {
				chosen = append(chosen, x)
			} else {
				plain = append(plain, x)
			}
		}
		return append(plain, f(chosen)...)
	}
}

// misreadings are lies to readers.
func misreadings() []Profile {
	return []Profile{{
		Name: "misread", Group: "R-LIE", AtF: SafeLive, AtF1: Deceives, AtCrash: MayDeceive,
		Sentence: "answers reads wrongly that are not ordered, the same as every other traitor",
		Params:   []Param{{"how", "result", OneOf(misreadWays)}, client},
		Needs:    Election, Drawn: []string{"", "high", "low", "old", "highest", "beyond", "withheld"}, findings: newMisread,
	}}
}

// misreadWays are the ways to answer a READ wrongly. "low" says that nothing was
// ever helped to commit, "high" that more was than there is, "highest" that
// everything was, "beyond" that more was than can be; "old" adds to a low index what was found before.
var misreadWays = []string{"result", "low", "high", "highest", "beyond", "old", "withheld"}

func newMisread(e *Env, s Spec) (findingFunc, error) {
	how, err := s.Word("", misreadWays...)
	if err != nil {
		return nil, err
	}
	meant, err := s.Clients(e, "client")
	return misreading(how, meant), err
}

func misreading(how string, meant func(crypto.PublicKey) bool) findingFunc {
	old := map[string][]consensus.Result{}
	return func(fs []consensus.Finding) []consensus.Finding {
		var said []consensus.Finding
		for _, f := range fs {
			switch {
			case !meant(f.Client):
				said = append(said, f)
			case how != "withheld":
				said = append(said, misread(how, f, old))
			}
		}
		return said
	}
}

func misread(how string, f consensus.Finding, old map[string][]consensus.Result) consensus.Finding {
	switch how {
	case "result":
		f.Results = wrongResults(consensus.Reply{Results: f.Results}).Results
	case "low":
		f.Index = 0
	case "high":
		f.Index += 3
		f.Height = max(f.Height, f.Index)
	case "highest":
		f.Index, f.Height = consensus.MaxSeq, consensus.MaxSeq
	case "beyond":
		f.Index, f.Height = math.MaxUint64, math.MaxUint64
	case "old":
		// The first that it found of so many, for all that are asked later.
		key := string(rune(len(f.Results)))
		if old[key] == nil {
			old[key] = f.Results
		}
		f.Index, f.Height, f.Results = 0, consensus.MaxSeq, old[key]
	}
	return f
}
