package bounds

import (
	"fmt"
	"os"
	"path/filepath"

	"quorate.dev/quorate/genesis"
)

// WriteEvidence leaves what the runs prove below dir: for each cell with
// evidence a directory of its name, with genesis.toml and one file for each
// piece, as quorate evidence verify reads them. It returns the files of evidence.
func WriteEvidence(dir string, results []Result) ([]string, error) {
	var files []string
	for i := range results {
		r := &results[i]
		if len(r.Outcome.Verdict.Evidence) == 0 {
			continue
		}
		folder := filepath.Join(dir, r.ID())
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, fmt.Errorf("write evidence: %w", err)
		}
		file := genesis.File{Genesis: r.Outcome.Genesis}
		if err := genesis.Save(filepath.Join(folder, "genesis.toml"), &file); err != nil {
			return nil, fmt.Errorf("write evidence of %s: %w", r.ID(), err)
		}
		for n, e := range r.Outcome.Verdict.Evidence {
			path := filepath.Join(folder, fmt.Sprintf("%d-replica-%d.evidence", n, e.Fault.Replica))
			if err := os.WriteFile(path, e.Encoded, 0o644); err != nil {
				return nil, fmt.Errorf("write evidence of %s: %w", r.ID(), err)
			}
			files = append(files, path)
		}
	}
	return files, nil
}
